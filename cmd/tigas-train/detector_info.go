package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// detectorInfo is what `detector info --json` prints.
type detectorInfo struct {
	Path       string        `json:"path"`
	Kind       string        `json:"kind"` // "TorchScript" or "checkpoint"
	Bytes      int64         `json:"bytes"`
	SHA256     string        `json:"sha256"`
	Parameters int64         `json:"parameters"`
	Range      [2]float64    `json:"input_range"`
	ImageSize  int           `json:"image_size"`
	Returns    string        `json:"returns,omitempty"` // "tensor", "tuple" or "dict"
	Logit      bool          `json:"logit"`             // shows the value before the sigmoid, for --tigas-form logit
	Card       *network.Card `json:"card,omitempty"`
	SelfTest   string        `json:"self_test"` // "passed", or why not
}

func newDetectorInfo() *cobra.Command {
	var asJSON bool
	var size int
	var sys systemFlags
	cmd := &cobra.Command{
		Use:   "info FILE",
		Short: "Show what a detector file is, and whether it can be a loss",
		Long: `Show what a detector file is: mode, widths, parameters, input range, image size,
SHA-256. The self-test scores probe images and differentiates the score: finite scores in
[0, 1], a finite gradient that is not zero. Exit code 3 when it fails.`,
		Example: `  tigas-train detector info tigas.pt
  tigas-train detector info best_model.pt --json
  tigas-train detector info hub`,
		Args: oneArg("a detector file, hub or embedded"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if size < 1 || size > 4096 {
				return usagef("--size: got %d vs 1 to 4096", size)
			}
			device, err := sys.start()
			if err != nil {
				return err
			}
			path := args[0]
			if path != "embedded" {
				if path, err = detectorPath(cmd.Context(), sys.console(cmd.ErrOrStderr()), path); err != nil {
					return err
				}
			}
			info, err := inspect(path, device, size)
			if info == nil {
				return coded(exitData, err)
			}
			if e := info.print(cmd.OutOrStdout(), asJSON); e != nil {
				return coded(exitOutput, e)
			}
			return coded(exitData, err)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.IntVar(&size, "size", 64, "height and width of the probe images, in pixels")
	sys.registerMachine(f, true)
	return cmd
}

// inspect reads a detector. It returns what it found also when the self-test fails; nil when the file is no detector at
// all.
func inspect(path string, device torch.Device, size int) (*detectorInfo, error) {
	i := &detectorInfo{Path: path, Kind: "TorchScript", Range: [2]float64{0, 1}, SelfTest: "passed"}
	err := torch.Scoped(func(root *torch.Scope) error {
		o := tigas.OpenOptions{Device: device, Height: size, Logit: true}
		if path == "embedded" {
			d, err := tigas.Embedded(root, o)
			if err == nil {
				i.take(d)
			}
			return err
		}
		file, err := os.Stat(path)
		if err != nil {
			i = nil
			return err
		}
		i.Bytes = file.Size()
		c, err := convert.Open(path)
		switch {
		case err == nil:
			card := c.Card(convert.Options{})
			i.Kind, i.Card, i.Parameters, i.ImageSize = "checkpoint", &card, card.Parameters, c.ImageSize
			c.Close()
		case errors.Is(err, torchsave.ErrTorchScript):
			if i.Parameters, err = countParameters(root, path); err != nil {
				i = nil
				return err
			}
		default:
			i = nil
			return err
		}
		d, err := tigas.Open(root, path, o)
		if err != nil {
			i.SHA256 = hashFile(path)
			if i.Kind == "checkpoint" {
				i.Card.Source.SHA256 = i.SHA256
			}
			i.SelfTest = strings.TrimPrefix(oneLine(err), "tigas: detector "+path+": ")
			return err
		}
		i.take(d)
		return nil
	})
	return i, err
}

// take adds what an open detector knows.
func (i *detectorInfo) take(d *tigas.Detector) {
	i.SHA256, i.ImageSize, i.Returns, i.Logit = d.SHA256, d.ImageSize, d.Output, d.HasLogit()
	if d.Card != nil {
		i.Card = d.Card
		if i.Parameters == 0 {
			i.Parameters = d.Card.Parameters
		}
	}
}

func countParameters(s *torch.Scope, path string) (n int64, err error) {
	err = s.Scoped(func(w *torch.Scope) error {
		m, err := jit.Load(w, path, torch.CPU)
		if err != nil {
			return err
		}
		l, err := m.Parameters(w)
		for _, p := range l {
			n += p.Tensor.Numel()
		}
		return err
	})
	return n, err
}

func (i *detectorInfo) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(i)
	}
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	if i.Bytes > 0 {
		row("file", "%s, %s of %s bytes", i.Path, i.Kind, thousands(i.Bytes))
	} else {
		row("file", "part of the program")
	}
	row("sha256", "%s", i.SHA256)
	if c := i.Card; c != nil {
		mode := string(c.Mode)
		if c.Layout != "" && c.Layout != mode {
			mode += ", layout " + c.Layout
		}
		row("mode", "%s, base %d, features %d, blocks %v", mode, c.Base, c.Feature, c.Blocks)
		if s := c.Source; s != nil && i.Kind == "TorchScript" {
			row("made of", "%s, sha256 %.12s", s.File, s.SHA256)
		}
		if s := c.Source; s != nil && s.Epoch != nil {
			row("epoch", "%d", *s.Epoch)
		}
		if s := c.Source; s != nil && len(s.Inert) > 0 {
			row("inert", "%d tensors that cannot change the score: %s", len(s.Inert), strings.Join(prefixes(s.Inert), ", "))
		}
	} else {
		row("mode", "unknown: the file has no card")
	}
	row("parameters", "%s", thousands(i.Parameters))
	scaled := ""
	if i.ImageSize > 0 {
		scaled = fmt.Sprintf("; files are scaled to %d x %d", i.ImageSize, i.ImageSize)
	}
	row("input", "[N, 3, H, W] in [%g, %g]%s", i.Range[0], i.Range[1], scaled)
	if i.Returns != "" {
		row("returns", "%s; value before the sigmoid: %s", i.Returns, yesNo(i.Logit))
	}
	row("self-test", "%s", i.SelfTest)
	i.printTraining(row)
	return nil
}

// printTraining says how a detector of one's own was trained.
func (i *detectorInfo) printTraining(row func(name, format string, args ...any)) {
	var r trainers.DetectorReport
	if i.Card == nil || json.Unmarshal(i.Card.Training, &r) != nil {
		return
	}
	row("trained on", "%s (%d) against %s (%d)", r.Data.Real.Name, r.Data.Real.Train, r.Data.Fake.Name, r.Data.Fake.Train)
	switch {
	case r.Test == nil:
		row("verdict", "none: training was interrupted after epoch %d, validation area %.4f", r.Settings.BestEpoch, r.Validation.AUC)
	case r.Verdict != nil:
		row("test", "area under ROC %.4f, accuracy %.3f, slope %.2g", r.Test.AUC, r.Test.Accuracy, r.Test.Slope)
		row("verdict", "%s", r.Verdict.Text)
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// hashFile is the SHA-256 of a file in hex, "" if it cannot be read.
func hashFile(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err = io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
