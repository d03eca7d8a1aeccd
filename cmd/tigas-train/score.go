package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// scored is one line of the result.
type scored struct {
	Path  string   `json:"path"`
	Score *float64 `json:"score"` // null for a picture that cannot be read
	Error string   `json:"error,omitempty"`
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
cropped to its middle square and scaled to --size first.`,
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

// scoreAll scores pictures in batches. One that cannot be read has an error in its line and does not end the run.
func scoreAll(root *torch.Scope, d *tigas.Detector, paths []string, size, batch int) ([]scored, error) {
	res := make([]scored, len(paths))
	for from := 0; from < len(paths); from += batch {
		var pix []byte
		var at []int
		for i := from; i < min(from+batch, len(paths)); i++ {
			res[i].Path = paths[i]
			img, err := data.ReadImage(paths[i])
			if err != nil {
				res[i].Error = oneLine(err)
				continue
			}
			one := make([]byte, 3*size*size)
			data.Transform{Resolution: size}.Apply(one, img, nil)
			pix, at = append(pix, one...), append(at, i)
		}
		if len(at) == 0 {
			continue
		}
		err := root.Scoped(func(s *torch.Scope) error {
			torch.NoGrad(func() {
				x := torch.FromSlice(s, pix, int64(len(at)), 3, int64(size), int64(size))
				x = x.ToDevice(d.Device()).To(torch.Float32).DivScalar(255)
				for k, v := range d.Score(x).Float32s() {
					score := float64(v)
					res[at[k]].Score = &score
				}
			})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return res, nil
}

func printScores(w io.Writer, res []scored, asJSON bool) error {
	var sum, n, bad float64
	for _, r := range res {
		if r.Score != nil {
			sum, n = sum+*r.Score, n+1
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
			fmt.Fprintf(w, "%.4f  %s\n", *r.Score, filepath.ToSlash(r.Path))
		}
		if n > 1 {
			fmt.Fprintf(w, "%.4f  mean of %d\n", mean, int(n))
		}
	}
	if n == 0 {
		return coded(exitData, fmt.Errorf("none of %d pictures could be read", len(res)))
	}
	return nil
}
