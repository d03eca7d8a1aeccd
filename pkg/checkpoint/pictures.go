package checkpoint

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Picture is a picture of a run.
type Picture struct {
	Kind string  // reals, fakes, scores, recon
	Kimg float64 // when it was drawn, in thousands of images; 0 for reals
	run  *Run
	path string
}

// pictureName is what [Run.Picture] makes, and reals.png. Runs of earlier versions have whole thousands.
var pictureName = regexp.MustCompile(`^([a-z]+?)(\d{6,}(?:\.\d{3})?)?\.png$`)

// Pictures are those of the run, by kind and then in the order in which they were drawn. What else is in the folder is left
// out. There are none in a folder without samples.
func (r *Run) Pictures() ([]Picture, error) {
	dir := filepath.Join(r.Dir, "samples")
	if err := r.Inside(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	var l []Picture
	for _, e := range entries {
		m := pictureName.FindStringSubmatch(e.Name())
		if m == nil || !e.Type().IsRegular() {
			continue
		}
		kimg := 0.0
		if m[2] != "" {
			kimg, _ = strconv.ParseFloat(m[2], 64) // digits
		}
		l = append(l, Picture{Kind: m[1], Kimg: kimg, run: r, path: filepath.Join(dir, e.Name())})
	}
	slices.SortStableFunc(l, func(a, b Picture) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Kimg, b.Kimg)) })
	return l, nil
}

// Path is where the picture is.
func (p Picture) Path() string { return p.path }

// mostPicture is more than a grid takes: 64 samples of 1024 x 1024 as noise would have three times as much, as pictures a third.
const mostPicture = 64 << 20

// Read returns the bytes of the file.
func (p Picture) Read() ([]byte, error) {
	f, err := p.run.open(p.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var text []byte
	info, err := f.Stat()
	if err == nil && info.Size() > mostPicture {
		err = fmt.Errorf("%s: got %d bytes vs %d at most", p.path, info.Size(), mostPicture)
	}
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(f, mostPicture))
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return text, nil
}
