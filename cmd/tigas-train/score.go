package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// scoreCommand is one call of `score`.
type scoreCommand struct {
	Model     string
	Crop      string // cropStretch, or data.CropCenter
	Size      int    // 0: the detector's own
	Batch     int
	Workers   int
	Threshold float64
	Sort      string
	ShowTop   int
	JSON      string // file, "-" for standard output, "" for none
	Plot      string
	Sheet     string
	sys       systemFlags
	memory    *data.Memory

	in      io.Reader
	out     io.Writer
	console *monitor.Console
}

const cropStretch = "stretch"

func newScore() *cobra.Command {
	var s scoreCommand
	cmd := &cobra.Command{
		Use:   "score PICTURE...",
		Short: "Score pictures with a TIGAS detector: 1 = real, 0 = generated",
		Long: `Score picture files, folders of them (with everything below), and lists of paths
from standard input (-). Each picture is read and stretched to the detector's size as
upstream TIGAS does it: no crop, alpha dropped, EXIF orientation ignored. Pictures in a
sample grid are scored one by one. A file that cannot be read is listed and does not
end the run.

Verdicts: above 0.7 likely real, above 0.5 probably real, above 0.3 probably fake, else
likely fake.`,
		Example: `  tigas-train score picture.jpg --model tigas.pt
  tigas-train score photos/ --json scores.json --plot scores.png --sheet sheet.png
  tigas-train score runs/a/samples/*.png --json
  find photos -newer last | tigas-train score - --show-top 10`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("score takes pictures, folders of pictures, or - for a list of paths on standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s.in, s.out = cmd.InOrStdin(), cmd.OutOrStdout()
			s.console = s.sys.console(cmd.ErrOrStderr())
			return s.run(cmd.Context(), args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Model, "model", "", modelHelp+" (default hub; for sample grids, that of their run)")
	f.IntVar(&s.Size, "size", 0, "height and width that pictures are scaled to (default the detector's own)")
	f.StringVar(&s.Crop, "crop", cropStretch, "stretch: the whole picture, whatever its shape; center: its middle square, turned by EXIF, on white")
	f.IntVar(&s.Batch, "batch", 32, "pictures that are scored at once")
	f.IntVar(&s.Workers, "workers", 0, "decoding goroutines (default one for each core, at most 8)")
	f.Float64Var(&s.Threshold, "threshold", 0.5, "a score above it counts as real")
	f.StringVar(&s.Sort, "sort", sortScore, "score: highest first; path; none: as named")
	f.IntVar(&s.ShowTop, "show-top", 0, "print only the `N` most real and the N most fake pictures (default all)")
	f.StringVar(&s.JSON, "json", "", "write scores and statistics to `FILE.json`; without a file, or with -, to standard output in place of the table")
	f.Lookup("json").NoOptDefVal = "-"
	f.StringVar(&s.Plot, "plot", "", "write a histogram of the scores to `FILE.png`")
	f.StringVar(&s.Sheet, "sheet", "", "write thumbnails with their scores to `FILE.png`: at most 100, evenly over the scores, or those of --show-top")
	s.sys.register(f)
	return cmd
}

func (s *scoreCommand) validate() error {
	switch {
	case s.Size < 0 || s.Size > 4096:
		return usagef("--size: got %d vs 1 to 4096", s.Size)
	case s.Batch < 1 || s.Batch > 4096:
		return usagef("--batch: got %d vs 1 to 4096", s.Batch)
	case s.Workers < 0 || s.Workers > 1024:
		return usagef("--workers: got %d vs 1 to 1024", s.Workers)
	case s.ShowTop < 0:
		return usagef("--show-top: got %d vs at least 1", s.ShowTop)
	case !(s.Threshold >= 0 && s.Threshold <= 1):
		return usagef("--threshold: got %v vs 0 to 1", s.Threshold)
	case s.Crop != cropStretch && s.Crop != string(data.CropCenter):
		return usagef("--crop: got %q vs stretch or center", s.Crop)
	case s.Sort != sortScore && s.Sort != sortPath && s.Sort != sortNone:
		return usagef("--sort: got %q vs score, path or none", s.Sort)
	}
	return checkOutputs(s.outputs()...)
}

func (s *scoreCommand) run(ctx context.Context, args []string) error {
	if err := s.validate(); err != nil {
		return err
	}
	if err := prepareOutputs(s.outputs()...); err != nil {
		return err
	}
	s.memory = data.NewMemory(data.Workers(s.Workers))
	device, err := s.sys.start()
	if err != nil {
		return err
	}
	files, err := s.inputs(args)
	if err != nil {
		return coded(exitData, err)
	}
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.path
	}
	if err = checkInputs(paths, s.outputs()...); err != nil {
		return err
	}
	if !slices.ContainsFunc(files, func(f scoreInput) bool { return f.err == nil }) {
		return coded(exitData, fmt.Errorf("none of %d pictures could be read: %s: %s", len(files), files[0].path,
			reason(files[0].path, files[0].err)))
	}
	if s.Model == "" {
		s.Model = defaultModel(files)
	}
	var d *tigas.Detector
	var l []scored
	err = torch.Scoped(func(root *torch.Scope) (err error) {
		o := tigas.OpenOptions{Device: device, Height: s.probeSize()}
		if d, err = openDetector(ctx, s.console, root, s.Model, false, o); err != nil {
			return err
		}
		if s.Size == 0 {
			s.Size = d.ImageSize
		}
		if d.Name == "embedded" {
			s.warnEmbedded()
		}
		l, err = s.scoreAll(ctx, root, d, files)
		return err
	})
	s.console.Done()
	if d == nil {
		return err
	}
	// Whatever ended the run, what it has found out is shown.
	if len(l) > 0 {
		err = errors.Join(err, s.report(d, l, len(files)))
	}
	switch {
	case ctx.Err() != nil:
		return &hinted{code: exitInterrupt, err: fmt.Errorf("stopped after %d of %d files", len(l), len(files))}
	case err == nil && len(pictureScores(l)) == 0:
		first := l[0]
		return coded(exitData, fmt.Errorf("none of %d pictures could be read: %s: %s", len(l), first.Path, first.Error))
	}
	return err
}

// probeSize is the size of the self-test's images: that which pictures will have, as far as it is known before the detector
// is open.
func (s *scoreCommand) probeSize() int {
	switch {
	case s.Size > 0:
		return s.Size
	case s.Model == "embedded":
		return 0 // its own
	}
	return 256
}

func (s *scoreCommand) warnEmbedded() {
	if !s.sys.Quiet {
		s.console.Warn("scoring with the embedded detector, which knows the demo pictures only; give --model for others")
	}
}
