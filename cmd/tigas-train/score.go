package main

import (
	"encoding/json"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// scored is one line of the result.
type scored struct {
	Path     string   `json:"path"`
	Score    *float64 `json:"score"`              // of a sample grid: the mean; null for a picture that cannot be read
	Pictures int      `json:"pictures,omitempty"` // 1, or as many as the grid has
	Error    string   `json:"error,omitempty"`
}

func newScore() *cobra.Command {
	var (
		model  string
		size   int
		batch  int
		asJSON bool
		sys    systemFlags
	)
	cmd := &cobra.Command{
		Use:   "score PICTURE...",
		Short: "Score pictures with a TIGAS detector: 1 = real, 0 = generated",
		Long: `Score picture files and folders of them with a TIGAS detector. Each picture is
cropped to its middle square and scaled to --size first; those in a sample grid are
scored one by one.`,
		Example: `  tigas-train score picture.jpg --model detector.pt
  tigas-train score runs/a/samples/*.png --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("score takes pictures or folders of pictures")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if size < 0 || size > 4096 || batch < 1 || batch > 4096 {
				return usagef("--size, --batch: got %d and %d vs at most 4096", size, batch)
			}
			device, err := sys.start()
			if err != nil {
				return err
			}
			paths, err := pictures(args)
			if err != nil {
				return coded(exitData, err)
			}
			var res []scored
			err = torch.Scoped(func(root *torch.Scope) error {
				if size == 0 {
					if size = 256; model == "" || model == "embedded" {
						size = 32
					}
				}
				d, err := openDetector(root, model, true, tigas.OpenOptions{Device: device, Height: size})
				if err != nil {
					return err
				}
				if d.Name == "embedded" && !sys.Quiet {
					fmt.Fprintln(cmd.ErrOrStderr(), "warning: scoring with the embedded detector, which knows the demo pictures only; give --model for others")
				}
				res, err = scoreAll(root, d, paths, size, batch)
				return err
			})
			if err != nil {
				return err
			}
			return printScores(cmd.OutOrStdout(), res, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&model, "model", "", "TorchScript detector (default embedded)")
	f.IntVar(&size, "size", 0, "height and width that pictures are scaled to (default 256, 32 for the embedded detector)")
	f.IntVar(&batch, "batch", 32, "pictures that are scored at once")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	sys.register(f)
	return cmd
}

// pictures expands folders; files are taken as they are named.
func pictures(args []string) ([]string, error) {
	var l []string
	for _, a := range args {
		info, err := os.Stat(a)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			l = append(l, a)
			continue
		}
		f, err := data.OpenFolder(a)
		if err != nil {
			return nil, err
		}
		for i := range f.Len() {
			l = append(l, f.Path(i))
		}
	}
	return l, nil
}

// scoreAll scores pictures in batches. One that cannot be read has an error in its line and does not end the run. Of a
// sample grid each picture is scored by itself.
func scoreAll(root *torch.Scope, d *tigas.Detector, paths []string, size, batch int) ([]scored, error) {
	res := make([]scored, len(paths))
	sums := make([]float64, len(paths))
	var pix []byte
	var at []int
	flush := func() error {
		if len(at) == 0 {
			return nil
		}
		err := root.Scoped(func(s *torch.Scope) error {
			torch.NoGrad(func() {
				x := torch.FromSlice(s, pix, int64(len(at)), 3, int64(size), int64(size))
				x = x.ToDevice(d.Device()).To(torch.Float32).DivScalar(255)
				for k, v := range d.Score(x).Float32s() {
					sums[at[k]] += float64(v)
				}
			})
			return nil
		})
		pix, at = pix[:0], at[:0]
		return err
	}
	for i, path := range paths {
		res[i].Path = path
		pictures, err := read(path)
		if err != nil {
			res[i].Error = strings.TrimPrefix(oneLine(err), path+": ")
			continue
		}
		res[i].Pictures = len(pictures)
		for _, img := range pictures {
			one := make([]byte, 3*size*size)
			data.Transform{Resolution: size}.Apply(one, img, nil)
			if pix, at = append(pix, one...), append(at, i); len(at) == batch {
				if err = flush(); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	for i, n := range sums {
		if k := res[i].Pictures; k > 0 {
			mean := n / float64(k)
			res[i].Score = &mean
		}
	}
	return res, nil
}

// read returns the picture in a file, or those in a sample grid.
func read(path string) ([]image.Image, error) {
	img, err := data.ReadImage(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".png") {
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if l := monitor.GridPictures(file); l != nil {
			return l, nil
		}
	}
	return []image.Image{img}, nil
}

func printScores(w io.Writer, res []scored, asJSON bool) error {
	var sum, n, bad float64
	for _, r := range res {
		if r.Score != nil {
			k := float64(r.Pictures)
			sum, n = sum+k*(*r.Score), n+k
		} else {
			bad++
		}
	}
	mean := sum / n
	if asJSON {
		out := struct {
			Results []scored `json:"results"`
			Mean    *float64 `json:"mean"`
			Count   int      `json:"count"`
			Failed  int      `json:"failed"`
		}{Results: res, Count: int(n), Failed: int(bad)}
		if !math.IsNaN(mean) {
			out.Mean = &mean
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(out); err != nil {
			return coded(exitOutput, err)
		}
	} else {
		for _, r := range res {
			if r.Score == nil {
				fmt.Fprintf(w, "   -    %s: %s\n", r.Path, r.Error)
				continue
			}
			note := ""
			if r.Pictures > 1 {
				note = fmt.Sprintf("  (mean of %d)", r.Pictures)
			}
			fmt.Fprintf(w, "%.4f  %s%s\n", *r.Score, filepath.ToSlash(r.Path), note)
		}
		if len(res) > 1 && n > 0 {
			fmt.Fprintf(w, "%.4f  mean of %d\n", mean, int(n))
		}
	}
	if n == 0 {
		return coded(exitData, fmt.Errorf("none of %d pictures could be read", len(res)))
	}
	return nil
}
