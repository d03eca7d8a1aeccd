package main

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/monitor/report"
)

// progression is one call of the command of that name.
type progression struct {
	out     string
	columns int
	moments int
	fps     float64
}

func newProgression() *cobra.Command {
	var p progression
	cmd := &cobra.Command{
		Use:   "progression RUN",
		Short: "Show how the samples of a run changed: a strip (.png) or an animation (.gif)",
		Long: `Show how the samples of a run changed from snapshot to snapshot, from the pictures that
the run left. A .png has a row for each moment, with the mean score before it; a column is
one latent all the way down. A .gif has a frame for each moment: 32 samples in the order
of their scores, with the score under each.`,
		Example: `  tigas-train progression runs/00000-gan-demo
  tigas-train progression runs/a --out a.gif --fps 4`,
		Args: oneArg("a run folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.columns < 1 || p.columns > 64 {
				return usagef("--columns: got %d vs 1 to 64", p.columns)
			}
			if p.moments < 2 || p.moments > 1000 {
				return usagef("--moments: got %d vs 2 to 1000", p.moments)
			}
			if !(p.fps >= monitor.MinFPS && p.fps <= monitor.MaxFPS) {
				return usagef("--fps: got %v vs %v to %v", p.fps, monitor.MinFPS, monitor.MaxFPS)
			}
			ext := strings.ToLower(filepath.Ext(p.out))
			if ext != ".gif" && ext != ".png" {
				return usagef("--out: got %q vs a .png or .gif file", p.out)
			}
			if cmd.Flags().Changed("fps") && ext == ".png" {
				return usagef("--fps: it is for a .gif")
			}
			if cmd.Flags().Changed("columns") && ext == ".gif" {
				return usagef("--columns: it is for a .png")
			}
			if err := p.run(args[0], ext == ".gif"); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), p.out)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.out, "out", "progression.png", "file to write, .png or .gif; one that is there is replaced")
	f.IntVar(&p.columns, "columns", 8, "latents of the strip")
	f.IntVar(&p.moments, "moments", 24, "most moments that are shown, evenly over the run")
	f.Float64Var(&p.fps, "fps", 2, "moments a second of the animation")
	return cmd
}

func (p *progression) run(dir string, animated bool) error {
	view, err := viewRun(dir, nil)
	if err != nil {
		return err
	}
	if err = prepareOutputs(output{"--out", p.out, filepath.Ext(p.out)}); err != nil {
		return err
	}
	if animated {
		return p.animation(view)
	}
	return p.strip(view)
}

// none is the error of a run without pictures.
func none(view report.Run) error {
	return (&hinted{code: exitData, err: fmt.Errorf("%s has no sample pictures in samples/", view.Dir)}).
		withHint("a run draws its first ones before the first step")
}

// ofKind are the pictures of a kind, no more than are to be shown.
func (p *progression) ofKind(view report.Run, kind string) (l []report.Picture) {
	for _, pic := range view.Pictures {
		if pic.Kind == kind {
			l = append(l, pic)
		}
	}
	return report.Thin(l, p.moments)
}

func (p *progression) strip(view report.Run) error {
	var rows []monitor.StripRow
	var first error
	for _, pic := range p.ofKind(view, "fakes") {
		row, err := p.row(view, pic)
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		rows = append(rows, row)
	}
	if first != nil && len(rows) == 0 {
		return coded(exitData, first)
	}
	if len(rows) == 0 {
		return none(view)
	}
	img, err := monitor.Strip(rows)
	if err != nil {
		return coded(exitData, err)
	}
	return coded(exitOutput, monitor.WritePNG(p.out, img))
}

// read decodes a picture of a run; text is the file.
func read(view report.Run, pic report.Picture) (text []byte, img image.Image, err error) {
	if text, err = pic.Read(); err != nil {
		return nil, nil, err // which names it
	}
	if img, err = data.Decode(text); err != nil {
		err = fmt.Errorf("%s: the picture %s of %g kimg: %w", view.Dir, pic.Kind, pic.Kimg, err)
	}
	return text, img, err
}

// row is the first pictures of a grid.
func (p *progression) row(view report.Run, pic report.Picture) (row monitor.StripRow, err error) {
	text, img, err := read(view, pic)
	if err != nil {
		return row, err
	}
	grid := monitor.ReadGrid(text, img)
	if grid == nil {
		return row, fmt.Errorf("%s: the picture of %g kimg is no grid of a run", view.Dir, pic.Kimg)
	}
	for i := range min(p.columns, grid.Len()) {
		row.Pictures = append(row.Pictures, grid.Picture(i))
	}
	row.Label = []string{fmt.Sprintf("%.5g kimg", pic.Kimg)}
	if score := valueAt(view, pic.Kimg, "sample_score"); !math.IsNaN(score) {
		row.Label = append(row.Label, fmt.Sprintf("score %.2f", score))
	}
	return row, nil
}

func (p *progression) animation(view report.Run) error {
	pictures := p.ofKind(view, "scores")
	if len(pictures) == 0 {
		pictures = p.ofKind(view, "fakes") // a run without a detector
	}
	if len(pictures) == 0 {
		return none(view)
	}
	a, err := monitor.NewAnimation(monitor.AnimationOptions{FPS: p.fps})
	if err != nil {
		return err
	}
	for _, pic := range pictures {
		_, img, err := read(view, pic)
		if err != nil {
			return coded(exitData, err)
		}
		title := fmt.Sprintf("%.5g kimg", pic.Kimg)
		if score := valueAt(view, pic.Kimg, "sample_score"); !math.IsNaN(score) {
			title += fmt.Sprintf("   mean score %.2f, of real pictures %.2f", score, valueAt(view, pic.Kimg, "data_score"))
		}
		if err = a.AddImage(monitor.Titled(img, title)); err != nil {
			return coded(exitData, err)
		}
	}
	return coded(exitOutput, a.Write(p.out))
}

// valueAt is a value that the log has of a moment; NaN if it has none.
func valueAt(view report.Run, kimg float64, name string) float64 {
	for _, e := range view.Entries {
		if math.Abs(e.Kimg-kimg) > 1e-6*math.Max(1, kimg) {
			continue
		}
		if v, ok := e.Value(name); ok {
			return v
		}
	}
	return math.NaN()
}
