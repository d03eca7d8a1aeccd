package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

func newReconstruct() *cobra.Command {
	var (
		out string
		sys systemFlags
	)
	cmd := &cobra.Command{
		Use:   "reconstruct RUN PICTURE...",
		Short: "Show what a VAE makes of pictures",
		Long: `Encode pictures with the VAE of a run folder (its newest snapshot) or of one snapshot file, decode
them again, and write a grid with each picture on the left and its reconstruction on the right. The
mean squared error of each, for values from 0 to 1, goes to standard output.`,
		Example: `  tigas-train reconstruct runs/vae face.png
  tigas-train reconstruct runs/vae faces/*.jpg --out both.png`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("%s takes a run folder or a snapshot, and pictures; got %d argument(s)", cmd.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.EqualFold(filepath.Ext(out), ".png") {
				return usagef("--out: got %q vs a .png file", out)
			}
			errors, err := reconstruct(cmd.Context(), args[0], args[1:], out, sys)
			if err != nil {
				return err
			}
			for i, e := range errors {
				fmt.Fprintf(cmd.OutOrStdout(), "%.5f\t%s\n", e, monitor.Printable(args[1+i]))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "reconstruction.png", "PNG file of the grid")
	sys.register(f)
	return cmd
}

// mostReconstructed keeps the grid in memory.
const mostReconstructed = 4096

// reconstruct writes the grid and returns the mean squared errors.
func reconstruct(ctx context.Context, run string, pictures []string, out string, sys systemFlags) (errors []float64, err error) {
	if len(pictures) > mostReconstructed {
		return nil, usagef("got %d pictures vs at most %d", len(pictures), mostReconstructed)
	}
	device, err := sys.start()
	if err != nil {
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
		if err = preparePictures(out, true); err != nil {
			return err
		}
		r := m.size
		var grid []byte
		for i, p := range pictures {
			if err := interrupted(ctx, i, len(pictures), "pictures"); err != nil {
				return err
			}
			pix, err := loadSquare(p, r)
			if err != nil {
				return coded(exitData, err)
			}
			err = root.Scoped(func(s *torch.Scope) error {
				x := trainers.Normalize(torch.FromSlice(s, pix, 1, 3, int64(r), int64(r)).ToDevice(device))
				y := vae.Reconstruct(x)
				errors = append(errors, y.Sub(x).MulScalar(0.5).Square().Mean().Float64())
				grid = append(append(grid, pix...), trainers.Pixels(y)...)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return coded(exitOutput, monitor.WriteGrid(out, grid, 2*len(pictures), r, r, 2))
	})
	return errors, err
}

// loadSquare reads a picture as training does: the middle of it, at a resolution.
func loadSquare(path string, r int) ([]byte, error) {
	file, err := data.ReadFile(path)
	if err != nil {
		return nil, err
	}
	img, err := data.Decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	pix := make([]byte, 3*r*r)
	data.Transform{Resolution: r}.Apply(pix, img, nil)
	return pix, nil
}
