package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// interpolation is the command line of `interpolate`.
type interpolation struct {
	frames, keys, walks, scale int
	fps                        float64
	seed                       int64
	out                        string
	sampling                   samplingFlags
	sys                        systemFlags
	console                    *monitor.Console
}

func newInterpolate() *cobra.Command {
	var o interpolation
	cmd := &cobra.Command{
		Use:   "interpolate RUN",
		Short: "Walk through the latents of a run and write the pictures as an animation",
		Long: `Walk in a closed loop through random latents of a run folder (its newest snapshot) or of one snapshot file,
and write what the model makes of them as an animation, or picture by picture when --out is a
folder. A StyleGAN walks through styles, the others through latents.`,
		Example: `  tigas-train interpolate runs/style --frames 60 --out walk.gif
  tigas-train interpolate runs/vae --frames 120 --keys 8 --walks 16 --out walks.gif
  tigas-train interpolate runs/diffusion --frames 24 --steps 20 --out frames/`,
		Args: oneArg("a run folder or a snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, f := range []struct {
				flag      string
				v, lo, hi int
			}{{"frames", o.frames, 1, 10_000}, {"keys", o.keys, 1, 1000}, {"walks", o.walks, 1, 256}, {"scale", o.scale, 0, 64}} {
				if f.v < f.lo || f.v > f.hi {
					return usagef("--%s: got %d vs %d to %d", f.flag, f.v, f.lo, f.hi)
				}
			}
			if err := noZero(cmd.Flags(), "fps"); err != nil {
				return err
			}
			if _, err := monitor.NewAnimation(monitor.AnimationOptions{FPS: o.fps}); err != nil {
				return usagef("--fps: %s", err)
			}
			if ext := filepath.Ext(o.out); o.out == "" || ext != "" && !strings.EqualFold(ext, ".gif") {
				return usagef("--out: got %q vs a .gif file or a folder", o.out)
			}
			if o.sampling.noise == "random" {
				return usagef("--noise-mode: got random vs const or none: new noise in every picture would flicker")
			}
			o.sampling.given = cmd.Flags().Changed
			o.console = o.sys.console(cmd.ErrOrStderr())
			err := o.run(cmd.Context(), args[0])
			o.console.Done()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), o.out)
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.frames, "frames", 60, "number of pictures in the loop")
	f.IntVar(&o.keys, "keys", 4, "random latents that the loop goes through")
	f.IntVar(&o.walks, "walks", 1, "walks beside each other")
	f.Float64Var(&o.fps, "fps", 20, "pictures in a second, at most 50")
	f.IntVar(&o.scale, "scale", 0, "size of a pixel (default so that the picture has 256 or more)")
	f.Int64Var(&o.seed, "seed", 0, "seed of the latents")
	f.StringVar(&o.out, "out", "walk.gif", "GIF file, or a folder for single pictures")
	o.sampling.registerSteady(f)
	o.sys.register(f)
	return cmd
}

// mostPixels is the largest width of an animation.
const mostPixels = 4096

func (o *interpolation) run(ctx context.Context, path string) error {
	device, err := o.sys.start()
	if err != nil {
		return err
	}
	toGIF := filepath.Ext(o.out) != ""
	return torch.Scoped(func(root *torch.Scope) error {
		m, err := loadRun(root, path, device)
		if err != nil {
			return err
		}
		if err = o.sampling.apply(root, m, o.seed); err != nil {
			return err
		}
		if d, ok := m.model.(*trainers.DenoisingSampler); ok {
			d.Sampling.Method, d.Sampling.Eta = trainers.MethodDDIM, 0 // new noise in every picture would flicker
		}
		columns := monitor.Columns(o.walks)
		scale := o.scale
		if scale == 0 {
			scale = max(1, (255+m.size*columns)/(m.size*columns))
		}
		if side := scale * m.size * columns; side > mostPixels {
			return usagef("--scale, --walks: got pictures %d pixels wide vs at most %d", side, mostPixels)
		}
		if err = preparePictures(o.out, toGIF); err != nil {
			return err
		}
		const names = "frame%05d.png"
		if !toGIF {
			warnOthers(o.console, o.out, names, o.frames)
		}
		a, err := monitor.NewAnimation(monitor.AnimationOptions{FPS: o.fps, Scale: scale})
		if err != nil {
			return err
		}
		walks, draw, err := o.path(root, m)
		if err != nil {
			return err
		}
		r := m.size
		h, w := r*((o.walks+columns-1)/columns), r*columns
		show := progress(o.console, "drawing", o.frames)
		for first := 0; first < o.frames; {
			if err := interrupted(ctx, first, o.frames, "pictures"); err != nil {
				return err
			}
			show(first)
			// Some frames at once, so that the device has work, but not all, which may not fit.
			n := min(max(1, m.part()/o.walks), o.frames-first)
			var pix []byte
			err := root.Scoped(func(s *torch.Scope) error {
				var at []*torch.Tensor
				for _, w := range walks {
					at = append(at, s.Use(w).Narrow(0, int64(first), int64(n)))
				}
				// [frames, walks, ...] as one batch
				together := torch.Stack(at, 1)
				shape := append([]int64{-1}, together.Shape()[2:]...)
				x, err := draw(ctx, together.Reshape(shape...))
				if err != nil {
					return cmp.Or(interrupted(ctx, first, o.frames, "pictures"), err)
				}
				pix = trainers.Pixels(x)
				return nil
			})
			if err != nil {
				return err
			}
			for i := range n {
				frame := monitor.Mosaic(pix[i*o.walks*3*r*r:], o.walks, r, r, columns)
				if toGIF {
					err = a.Add(frame, 1, h, w)
				} else {
					name := filepath.Join(o.out, fmt.Sprintf(names, first+i))
					err = coded(exitOutput, monitor.WritePNG(name, monitor.Picture(frame, h, w)))
				}
				if err != nil {
					return err
				}
			}
			first += n
		}
		if !toGIF {
			return nil
		}
		o.console.Status("writing  %s", o.out)
		return coded(exitOutput, a.Write(o.out))
	})
}

// path returns the points of each walk, [frames, ...], and what draws them.
func (o *interpolation) path(root *torch.Scope, m *loadedRun) (walks []*torch.Tensor, draw func(context.Context, *torch.Tensor) (*torch.Tensor, error), err error) {
	noise, err := root.NewGenerator(torch.CPU, o.seed)
	if err != nil {
		return nil, nil, err
	}
	draw = m.model.Sample
	style, isStyle := m.model.(*trainers.StyleSampler)
	if isStyle {
		draw = func(_ context.Context, ws *torch.Tensor) (*torch.Tensor, error) { return style.Synthesize(ws), nil }
	}
	for range o.walks {
		keys := trainers.DrawLatents(root, m.model, noise, o.keys, m.device)
		if isStyle {
			walks = append(walks, trainers.StyleWalk(style.Styles(keys), o.frames))
			continue
		}
		walks = append(walks, trainers.LatentWalk(keys, o.frames))
	}
	return walks, draw, nil
}
