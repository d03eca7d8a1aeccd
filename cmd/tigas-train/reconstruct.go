package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// reconstruction is the command line of `reconstruct`.
type reconstruction struct {
	out     string
	sys     systemFlags
	in      io.Reader
	console *monitor.Console
}

func newReconstruct() *cobra.Command {
	var o reconstruction
	cmd := &cobra.Command{
		Use:   "reconstruct RUN PICTURE...",
		Short: "Show what a VAE makes of pictures",
		Long: `Encode pictures with the VAE of a run folder (its newest snapshot) or of one snapshot file, decode
them again, and write a grid with each picture on the left and its reconstruction on the right.
Pictures are files, folders of them (with everything below), and lists of paths from standard input
(-). One that cannot be read is left out, with a warning.

Standard output has a line for each picture in the grid: the mean squared error of its
reconstruction, for values from 0 to 1, a tab, and its path.`,
		Example: `  tigas-train reconstruct runs/vae face.png
  tigas-train reconstruct runs/vae faces/ --out both.png | sort -n`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("%s takes a run folder or a snapshot, and pictures; got %d argument(s)", cmd.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.EqualFold(filepath.Ext(o.out), ".png") {
				return usagef("--out: got %q vs a .png file", o.out)
			}
			o.in, o.console = cmd.InOrStdin(), o.sys.console(cmd.ErrOrStderr())
			l, err := o.run(cmd.Context(), args[0], args[1:])
			o.console.Done()
			if err != nil {
				return err
			}
			for _, p := range l {
				fmt.Fprintf(cmd.OutOrStdout(), "%.5f\t%s\n", p.mse, monitor.Printable(p.path))
			}
			o.console.Message("wrote    %s", o.out)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "reconstruction.png", "PNG file of the grid")
	o.sys.register(f)
	return cmd
}

// reconstructed is a picture and the mean squared error of what the model made of it.
type reconstructed struct {
	path string
	mse  float64
}

// run writes the grid and returns the pictures in it.
func (o *reconstruction) run(ctx context.Context, run string, pictures []string) (l []reconstructed, err error) {
	device, err := o.sys.start()
	if err != nil {
		return nil, err
	}
	// Files are found as `score` finds them: not that which is about to be written.
	files, err := (&scoreCommand{in: o.in, Sheet: o.out}).inputs(pictures)
	if err != nil {
		return nil, coded(exitData, err)
	}
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.path
	}
	if err = checkInputs(paths, output{"--out", o.out, ".png"}); err != nil {
		return nil, err
	}
	err = torch.Scoped(func(root *torch.Scope) error {
		m, err := loadRun(root, run, device)
		if err != nil {
			return err
		}
		vae, ok := m.model.(trainers.Reconstructor)
		if !ok {
			return (&hinted{code: exitUsage, err: fmt.Errorf("%s is a run of %s, which has no encoder", run, m.config.Command)}).
				withHint("tigas-train vae trains one that has")
		}
		r := m.size
		grid, err := monitor.NewCanvas(2*len(files), r, r, 2)
		if err != nil {
			return (&hinted{code: exitUsage, err: err}).withHint("name fewer pictures: each takes two places")
		}
		if err = preparePictures(o.out, true); err != nil {
			return err
		}
		show := progress(o.console, "encoding", len(files))
		var pix []byte
		for i, f := range files {
			if err := interrupted(ctx, i, len(files), "pictures"); err != nil {
				return err
			}
			show(i)
			one, err := loadSquare(f, r)
			if err == nil {
				pix, l = append(pix, one...), append(l, reconstructed{path: f.path})
			} else {
				o.console.Warn("skipped %s: %s", f.path, reason(f.path, err))
			}
			if n := len(pix) / (3 * r * r); n == m.part() || n > 0 && i == len(files)-1 {
				if err = o.encode(root, vae, m, pix, l[len(l)-n:], grid); err != nil {
					return err
				}
				pix = pix[:0]
			}
		}
		if len(l) == 0 {
			return coded(exitData, fmt.Errorf("none of %d pictures could be read", len(files)))
		}
		o.console.Status("writing  %s", o.out)
		return coded(exitOutput, grid.Write(o.out))
	})
	return l, err
}

// encode draws pictures beside what the model makes of them, and fills in the errors.
func (o *reconstruction) encode(root *torch.Scope, vae trainers.Reconstructor, m *loadedRun, pix []byte, l []reconstructed,
	grid *monitor.Canvas) error {
	return root.Scoped(func(s *torch.Scope) error {
		r := int64(m.size)
		x := trainers.Normalize(torch.FromSlice(s, pix, int64(len(l)), 3, r, r).ToDevice(m.device))
		y := vae.Reconstruct(x)
		mse := y.Sub(x).MulScalar(0.5).Square().MeanDim([]int64{1, 2, 3}, false).Float32s()
		made := trainers.Pixels(y)
		one := len(pix) / len(l)
		for i := range l {
			l[i].mse = float64(mse[i])
			grid.Add(pix[i*one:][:one])
			grid.Add(made[i*one:][:one])
		}
		return nil
	})
}

// loadSquare reads a picture as training does: the middle of it, at a resolution.
func loadSquare(f scoreInput, r int) ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	img, err := data.ReadImage(f.path)
	if err != nil {
		return nil, err
	}
	pix := make([]byte, 3*r*r)
	data.Transform{Resolution: r}.Apply(pix, img, nil)
	return pix, nil
}
