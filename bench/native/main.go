// Command native is the Go side of `make bench`: it writes a full-size detector with random weights and pictures to train
// on, and times a small operation, the TIGAS term by itself, and a step of each family.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
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
	case len(args) == 1 && args[0] == "families":
		return families(os.Stdin, os.Stdout)
	case len(args) == 6 && args[0] == "term":
		var n [4]int
		for i := range n {
			var err error
			if n[i], err = strconv.Atoi(args[2+i]); err != nil {
				return err
			}
		}
		return term(args[1], n[0], n[1], n[2], n[3])
	}
	return fmt.Errorf("usage: native detector FILE | native pictures FOLDER | native smallop | native families | " +
		"native term DETECTOR SIZE BATCH THREADS STEPS")
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

// term prints the median milliseconds of the TIGAS term and its gradient with respect to the images, as JSON.
func term(path string, size, batch, threads, steps int) error {
	torch.RetainHostMemory()
	if err := torch.SetNumThreads(threads); err != nil {
		return err
	}
	return torch.Scoped(func(root *torch.Scope) error {
		d, err := tigas.Open(root, path, tigas.OpenOptions{Height: size})
		if err != nil {
			return err
		}
		v := make([]float32, batch*3*size*size)
		for i := range v {
			v[i] = float32(i%251) / 250
		}
		var times []time.Duration
		var score, norm float64
		for range steps + 1 {
			err = root.Scoped(func(s *torch.Scope) error {
				x := s.FromFloat32s(v, int64(batch), 3, int64(size), int64(size)).RequiresGrad(true)
				start := time.Now()
				loss, mean := d.Loss(x, tigas.LossOptions{})
				g := torch.Grad(loss, []*torch.Tensor{x}, torch.GradOptions{})[0]
				times = append(times, time.Since(start))
				score, norm = mean.Float64(), g.Norm().Float64()
				return nil
			})
			if err != nil {
				return err
			}
		}
		times = times[1:]
		slices.Sort(times)
		return json.NewEncoder(os.Stdout).Encode(map[string]float64{"ms": 1e3 * times[steps/2].Seconds(), "score": score, "grad": norm})
	})
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
