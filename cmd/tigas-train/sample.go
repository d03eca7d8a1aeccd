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

func newSample() *cobra.Command {
	var (
		n, columns int
		seed       int64
		out        string
		sampling   samplingFlags
		sys        systemFlags
	)
	cmd := &cobra.Command{
		Use:   "sample RUN",
		Short: "Draw pictures with the model of a run",
		Long: `Draw pictures with the model of a run folder (its newest snapshot) or of one
snapshot file, and write them as a grid, or one by one when --out is a folder.`,
		Example: `  tigas-train sample runs/a --n 64 --seed 1 --out grid.png
  tigas-train sample runs/style --n 64 --trunc 0.7
  tigas-train sample runs/diffusion --n 64 --sampler ddim --steps 50
  tigas-train sample network-snapshot-000200.safetensors --out grid.png
  tigas-train sample runs/a --n 1000 --out pictures/`,
		Args: oneArg("a run folder or a snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if n < 1 || n > 1_000_000 {
				return usagef("--n: got %d vs 1 to 1000000", n)
			}
			if columns < 0 {
				return usagef("--columns: got %d vs at least 1, or 0 for a square", columns)
			}
			if ext := strings.ToLower(filepath.Ext(out)); out == "" || data.IsPicture(out) && ext != ".png" {
				return usagef("--out: got %q vs a .png file or a folder", out)
			}
			sampling.given = cmd.Flags().Changed
			if err := sample(cmd.Context(), args[0], out, n, columns, seed, sampling, sys); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&n, "n", 64, "number of pictures")
	f.Int64Var(&seed, "seed", 0, "seed of the latents")
	f.StringVar(&out, "out", "grid.png", "PNG file for a grid, or a folder for single pictures")
	f.IntVar(&columns, "columns", 0, "columns of the grid (default as square as possible)")
	sampling.register(f)
	sys.register(f)
	return cmd
}

func sample(ctx context.Context, path, out string, n, columns int, seed int64, sampling samplingFlags, sys systemFlags) error {
	device, err := sys.start()
	if err != nil {
		return err
	}
	toGrid := strings.EqualFold(filepath.Ext(out), ".png")
	return torch.Scoped(func(root *torch.Scope) error {
		m, err := loadRun(root, path, device)
		if err != nil {
			return err
		}
		if err = sampling.apply(root, m, seed); err != nil {
			return err
		}
		if err = preparePictures(out, toGrid); err != nil {
			return err
		}
		r := m.size
		var pix []byte
		err = m.draw(ctx, root, n, seed, func(first int, x *torch.Tensor) error {
			part := trainers.Pixels(x)
			if toGrid {
				pix = append(pix, part...)
				return nil
			}
			for i := range int(x.Size(0)) {
				name := filepath.Join(out, fmt.Sprintf("seed%d-%06d.png", seed, first+i))
				if err := monitor.WritePNG(name, monitor.Picture(part[i*3*r*r:], r, r)); err != nil {
					return coded(exitOutput, err)
				}
			}
			return nil
		})
		if err != nil || !toGrid {
			return err
		}
		return coded(exitOutput, monitor.WriteGrid(out, pix, n, r, r, columns))
	})
}

func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("%s takes one argument, %s; got %d", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}
