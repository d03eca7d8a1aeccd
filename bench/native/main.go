// Command native is the Go side of `make bench`: it writes a full-size detector with random weights and pictures to train
// on, and times a small operation.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "native:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "detector":
		return torch.Scoped(func(s *torch.Scope) error {
			net, err := network.New(s, nil, network.Published(network.FastMode), torch.CPU)
			if err != nil {
				return err
			}
			m, err := net.Export(s)
			if err != nil {
				return err
			}
			return m.Save(args[1])
		})
	case len(args) == 2 && args[0] == "pictures":
		return pictures(args[1])
	case len(args) == 1 && args[0] == "smallop":
		return smallOp()
	}
	return fmt.Errorf("usage: native detector FILE | native pictures FOLDER | native smallop")
}

// pictures writes as many as the Python script keeps in memory: 16 batches of 8.
func pictures(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	set := data.NewDemo(64, false)
	for i := range 16 * 8 {
		img, err := set.Image(i)
		if err != nil {
			return err
		}
		if err = monitor.WritePNG(filepath.Join(dir, fmt.Sprintf("%03d.png", i)), img); err != nil {
			return err
		}
	}
	return nil
}

// smallOp prints the nanoseconds of one 8 x 8 addition, its result freed by a scope: the best of several repetitions.
func smallOp() error {
	if err := torch.SetNumThreads(1); err != nil {
		return err
	}
	return torch.Scoped(func(root *torch.Scope) error {
		x := root.Randn(nil, []int64{8, 8})
		best := time.Hour
		const n = 1000
		for range 300 {
			start := time.Now()
			s := root.Child()
			y := s.Use(x)
			for range n {
				y.Add(x)
			}
			s.Close()
			best = min(best, time.Since(start)/n)
		}
		fmt.Println(best.Nanoseconds())
		return nil
	})
}
