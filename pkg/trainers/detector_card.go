package trainers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

// DetectorReport says what a detector was trained on and how well it does. It is the part "training" of the detector's
// [network.Card]. It has no dates: the same training makes the same report.
type DetectorReport struct {
	Version    string            `json:"version,omitempty"` // of the program
	Files      string            `json:"files"`             // how files are prepared
	Data       DetectorDataCard  `json:"data"`
	Settings   DetectorTraining  `json:"settings"`
	Validation DetectorFigures   `json:"validation"` // of the best epoch
	Test       *DetectorFigures  `json:"test"`       // null when training was interrupted
	Degraded   []DegradedFigures `json:"degraded,omitempty"`
	Verdict    *DetectorVerdict  `json:"verdict,omitempty"`

	SHA256 string `json:"-"` // of the file; it cannot be in there
}

// DetectorDataCard counts the pictures of both kinds that a detector was trained and judged on.
type DetectorDataCard struct {
	Real  DetectorClassCard `json:"real"`
	Fake  DetectorClassCard `json:"fake"`  // generated
	Split string            `json:"split"` // how they were divided, in words
	// Common is how many generated pictures held out are among the real ones held out, pixel for pixel.
	Common int `json:"common"`
}

// DetectorClassCard counts those of one kind.
type DetectorClassCard struct {
	Name   string `json:"name"`
	Train  int    `json:"train"`
	Val    int    `json:"validation"`
	Test   int    `json:"test"`
	Broken int    `json:"broken"` // could not be decoded and were left out, as far as they were looked at
}

// DetectorTraining is how a detector was trained: the settings, and what came of them.
type DetectorTraining struct {
	DetectorSettings
	Steps     int     `json:"steps"`      // updates made
	Kimg      float64 `json:"kimg_shown"` // thousands of images shown
	BestEpoch int     `json:"best_epoch"` // from 1: the one that the weights are from
	Skipped   int     `json:"skipped"`    // updates left out because their gradient was not finite
	Init      string  `json:"init,omitempty"`
}

// DegradedFigures are those of test images that were degraded at the detector's resolution.
type DegradedFigures struct {
	Kind     string  `json:"kind"`     // blur, noise, jpeg or resize, see [data.Degradation]
	Setting  string  `json:"setting"`  // how strong, in words
	AUC      float64 `json:"auc"`      // as in [DetectorFigures]
	Accuracy float64 `json:"accuracy"` // as in [DetectorFigures]
	Images   int     `json:"images"`   // of both kinds
}

func newDetectorReport(d DetectorData, o DetectorRunOptions) DetectorReport {
	c := DetectorReport{Version: o.Version, Files: "RGB, stretched to a square with Pillow's bilinear filter",
		Settings: DetectorTraining{DetectorSettings: o.DetectorSettings, Init: o.Init}}
	c.Data.Split = o.Split
	c.Data.Real = DetectorClassCard{d.Train.Real.Name(), d.Train.Real.Len(), d.Val.Real.Len(), d.Test.Real.Len(), 0}
	c.Data.Fake = DetectorClassCard{d.Train.Fake.Name(), d.Train.Fake.Len(), d.Val.Fake.Len(), d.Test.Fake.Len(), 0}
	return c
}

// saveDetector writes the network to DIR/detector.pt with its card inside, and the card beside it with the file's hash in
// it. Each is written in one step.
func saveDetector(dir string, net *network.Net, report *DetectorReport) error {
	path := filepath.Join(dir, DetectorFile)
	card, err := net.Arch.Card(network.Options{}, report.Settings.Resolution)
	if err != nil {
		return err
	}
	if card.Training, err = json.Marshal(report); err != nil {
		return fmt.Errorf("trainers: card: %w", err)
	}
	err = torch.Scoped(func(s *torch.Scope) error {
		m, err := net.Export(s)
		if err != nil {
			return err
		}
		return m.SaveWith(path, jit.Files{network.CardFile: card.Text()})
	})
	if err != nil {
		return err
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("trainers: %w", err)
	}
	sum := sha256.Sum256(file)
	report.SHA256 = hex.EncodeToString(sum[:])
	beside, err := json.MarshalIndent(struct {
		network.Card
		SHA256 string `json:"sha256"`
	}{card, report.SHA256}, "", "  ")
	if err != nil {
		return fmt.Errorf("trainers: card: %w", err)
	}
	return monitor.WriteFile(filepath.Join(dir, network.CardFile), func(w io.Writer) error {
		_, err := w.Write(append(beside, '\n'))
		return err
	})
}
