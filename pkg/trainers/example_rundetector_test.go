package trainers_test

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// grain is a set of pictures of one's own: grey noise, which plays what a generator makes.
type grain int

func (n grain) Name() string { return "grain" }
func (n grain) Len() int     { return int(n) }

func (n grain) Image(i int) (image.Image, error) {
	rng := rand.New(rand.NewPCG(7, uint64(i))) // picture i is always the same
	img := image.NewGray(image.Rect(0, 0, 32, 32))
	for k := range img.Pix {
		img.Pix[k] = uint8(rng.UintN(256))
	}
	return img, nil
}

// What `tigas-train detector train` does, in a program: a detector of one's own from two sets of pictures, with a card, and
// judged on pictures that training has not seen. Its file can be opened as any other, and trained on.
func ExampleRunDetector() {
	dir, err := os.MkdirTemp("", "detector")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	err = torch.Scoped(func(root *torch.Scope) error {
		pictures := data.Labelled{Real: data.Range(data.NewDemo(32, false), 0, 60), Fake: grain(60)}
		parts := pictures.Split(1, 0.2, 0.2) // no picture is in two parts
		d := trainers.DetectorData{Val: parts[0], Test: parts[1], Train: parts[2]}

		g, err := root.NewGenerator(torch.CPU, 1)
		if err != nil {
			return err
		}
		net, err := network.New(root, g, network.Arch{Base: 8, Feature: 32, Blocks: []int{1, 1}}, torch.CPU)
		if err != nil {
			return err
		}
		out, err := checkpoint.Create(filepath.Join(dir, "run"))
		if err != nil {
			return err
		}
		o := trainers.DetectorRunOptions{Out: out, Console: &monitor.Console{W: os.Stderr, Quiet: true}}
		o.DetectorSettings = trainers.DetectorSettings{Resolution: 32, MaxKimg: 0.16, Batch: 8, LR: 0.01, Smoothing: 0.05,
			Mixup: 0.25, Augment: "light", Seed: 1} // 160 images: seconds, for a task this easy
		report, err := trainers.RunDetector(context.Background(), net, d, o)
		if err != nil {
			return err
		}
		fmt.Println(report.Settings.Steps, "updates,", report.Data.Real.Name, "and", report.Data.Fake.Name)
		fmt.Println("test:", report.Test.Real+report.Test.Fake, "pictures, told apart:", report.Test.AUC > 0.9)

		path := filepath.Join(out.Dir, trainers.DetectorFile)
		det, err := tigas.Open(root, path, tigas.OpenOptions{Height: 32, Logit: true})
		if err != nil {
			return err
		}
		again, err := trainers.LoadDetectorNet(root, path, torch.CPU) // to train it on
		if err != nil {
			return err
		}
		fmt.Println(det.SHA256 == report.SHA256, det.HasLogit(), again.Arch.Base)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 20 updates, demo and grain
	// test: 24 pictures, told apart: true
	// true true 8
	// <nil>
}
