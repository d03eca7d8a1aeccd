package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// sampleCommand is the command line of `sample`.
type sampleCommand struct {
	n, columns int
	seed       int64
	out        string
	sampling   samplingFlags
	sys        systemFlags
	console    *monitor.Console
}

func newSample() *cobra.Command {
	var c sampleCommand
	cmd := &cobra.Command{
		Use:   "sample RUN",
		Short: "Draw pictures with the model of a run",
		Long: `Draw pictures with the model of a run folder (its newest snapshot) or of one
snapshot file, and write them as a grid, or one by one when --out is a folder.`,
		Example: `  tigas-train sample runs/a --n 64 --seed 1 --out grid.png
  tigas-train sample runs/style --n 64 --trunc 0.7
  tigas-train sample runs/diffusion --n 64 --sampler ddim --steps 50
  tigas-train sample network-snapshot-000200.064.safetensors --out grid.png
  tigas-train sample runs/a --n 1000 --out pictures/`,
		Args: oneArg("a run folder or a snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.n < 1 || c.n > 1_000_000 {
				return usagef("--n: got %d vs 1 to 1000000", c.n)
			}
			if c.columns < 0 {
				return usagef("--columns: got %d vs at least 1, or 0 for a square", c.columns)
			}
			if ext := strings.ToLower(filepath.Ext(c.out)); c.out == "" || data.IsPicture(c.out) && ext != ".png" {
				return usagef("--out: got %q vs a .png file or a folder", c.out)
			}
			c.sampling.given = cmd.Flags().Changed
			c.console = c.sys.console(cmd.ErrOrStderr())
			err := c.run(cmd.Context(), args[0])
			c.console.Done()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), c.out)
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&c.n, "n", 64, "number of pictures")
	f.Int64Var(&c.seed, "seed", 0, "seed of the latents")
	f.StringVar(&c.out, "out", "grid.png", "PNG file for a grid, or a folder for single pictures")
	f.IntVar(&c.columns, "columns", 0, "columns of the grid (default as square as possible)")
	c.sampling.register(f)
	c.sys.register(f)
	return cmd
}

func (c *sampleCommand) run(ctx context.Context, path string) error {
	device, err := c.sys.start()
	if err != nil {
		return err
	}
	toGrid := strings.EqualFold(filepath.Ext(c.out), ".png")
	return torch.Scoped(func(root *torch.Scope) error {
		m, err := loadRun(root, path, device)
		if err != nil {
			return err
		}
		if err = c.sampling.apply(root, m, c.seed); err != nil {
			return err
		}
		r := m.size
		names := fmt.Sprintf("seed%d-%%06d.png", c.seed)
		var grid *monitor.Canvas
		if toGrid {
			if grid, err = monitor.NewCanvas(c.n, r, r, c.columns); err != nil {
				return (&hinted{code: exitUsage, err: err}).withHint("give a folder as --out, for single pictures")
			}
		}
		if err = preparePictures(c.out, toGrid); err != nil {
			return err
		}
		if !toGrid {
			warnOthers(c.console, c.out, names, c.n)
		}
		show := progress(c.console, "drawing", c.n)
		show(0)
		err = m.draw(ctx, root, c.n, c.seed, func(first int, x *torch.Tensor) error {
			part := trainers.Pixels(x)
			k := int(x.Size(0))
			if toGrid {
				grid.Add(part)
				runtime.GC() // parts would pile up to the size of the grid before it comes by itself
			} else {
				for i := range k {
					name := filepath.Join(c.out, fmt.Sprintf(names, first+i))
					if err := monitor.WritePNG(name, monitor.Picture(part[i*3*r*r:], r, r)); err != nil {
						return coded(exitOutput, err)
					}
				}
			}
			show(first + k)
			return nil
		})
		if err != nil || !toGrid {
			return err
		}
		c.console.Status("writing  %s", c.out)
		return coded(exitOutput, grid.Write(c.out))
	})
}

// progress returns what shows how many of n pictures are done.
func progress(console *monitor.Console, doing string, n int) func(done int) {
	rate := monitor.NewRate(time.Now(), 0)
	return func(done int) {
		rate.Observe(time.Now(), int64(done))
		console.Status("%s  %d of %d pictures  eta %s", doing, done, n, monitor.Duration(rate.ETA(int64(n))))
	}
}

// warnOthers tells of pictures in a folder that are not written over by n with names of a pattern: whoever scores the folder
// afterwards would score those too.
func warnOthers(console *monitor.Console, dir, names string, n int) {
	files, _ := os.ReadDir(dir) // that it can be written has been tried
	others := 0
	for _, f := range files {
		var i int
		_, err := fmt.Sscanf(f.Name(), names, &i)
		own := err == nil && i >= 0 && i < n && fmt.Sprintf(names, i) == f.Name()
		if !own && data.IsPicture(f.Name()) {
			others++
		}
	}
	if others > 0 {
		console.Warn("%s has %d other picture(s), which stay there", dir, others)
	}
}

func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("%s takes one argument, %s; got %d", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}
