package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// scoreInput is a file to score, or an argument that leads to none.
type scoreInput struct {
	path string
	err  error
}

// inputs expands folders and the list on standard input; files are taken as they are named.
func (s *scoreCommand) inputs(args []string) ([]scoreInput, error) {
	var l []scoreInput
	for _, a := range args {
		if a != "-" {
			l = append(l, s.expand(a)...)
			continue
		}
		names, err := readNames(s.in)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		for _, name := range names {
			l = append(l, s.expand(name)...)
		}
	}
	if len(l) == 0 {
		return nil, errors.New("standard input: got no paths")
	}
	return l, nil
}

// mostNames is the longest list of paths, in bytes.
const mostNames = 1 << 30

// readNames reads paths, one a line, or with NULs between them as find -print0 writes them.
func readNames(r io.Reader) ([]string, error) {
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(r), mostNames+1))
	if err != nil {
		return nil, err
	}
	if len(text) > mostNames {
		return nil, fmt.Errorf("got more than %d bytes", mostNames)
	}
	separator := "\n"
	if bytes.IndexByte(text, 0) >= 0 {
		separator = "\x00"
	}
	var l []string
	for name := range strings.SplitSeq(string(text), separator) {
		if separator == "\n" {
			name = strings.TrimSuffix(name, "\r")
		}
		if name != "" {
			l = append(l, name)
		}
	}
	return l, nil
}

// expand returns the pictures below a folder, less what this command itself is about to write there.
func (s *scoreCommand) expand(path string) []scoreInput {
	info, err := os.Stat(path)
	if err != nil {
		return []scoreInput{{path, err}}
	}
	if !info.IsDir() {
		return []scoreInput{{path, nil}}
	}
	folder, err := data.OpenFolder(path)
	if err != nil {
		return []scoreInput{{path, err}}
	}
	var own []string
	for _, out := range []string{s.Plot, s.Sheet} {
		if abs, err := filepath.Abs(out); err == nil && out != "" {
			own = append(own, abs)
		}
	}
	var l []scoreInput
	for i := range folder.Len() {
		if abs, err := filepath.Abs(folder.Path(i)); err != nil || !slices.Contains(own, abs) {
			l = append(l, scoreInput{path: folder.Path(i)})
		}
	}
	return l
}

// decoded is what a file holds: the pixels [3, R, R] of a picture. A sample grid has its pictures read when its turn comes,
// since those of many grids would not fit into memory.
type decoded struct {
	pix  []byte
	grid bool
	err  error
}

// decodeAhead decodes files in parallel and returns them in order. At most ahead of them wait to be scored.
func (s *scoreCommand) decodeAhead(ctx context.Context, files []scoreInput, ahead int) <-chan chan decoded {
	workers := data.Workers(s.Workers)
	queue := make(chan chan decoded, max(ahead, workers))
	go func() {
		defer close(queue)
		busy := make(chan struct{}, workers)
		for _, f := range files {
			c := make(chan decoded, 1)
			select {
			case queue <- c:
			case <-ctx.Done():
				return
			}
			busy <- struct{}{}
			go func() {
				c <- s.decode(f)
				<-busy
			}()
		}
	}()
	return queue
}

func (s *scoreCommand) decode(f scoreInput) (d decoded) {
	if d.err = f.err; d.err != nil {
		return d
	}
	d.err = s.open(f.path, s.Size, func(img image.Image, grid *monitor.SavedGrid) error {
		if d.grid = grid != nil; !d.grid {
			d.pix = s.pixels(img)
		}
		return nil
	})
	return d
}

// open reads a picture that is scaled to a size, or finds it to be a sample grid. What it takes of memory is counted until
// use returns; it does not call open, which would wait for itself.
func (s *scoreCommand) open(path string, size int, use func(img image.Image, grid *monitor.SavedGrid) error) error {
	return s.memory.Use(path, s.Crop == cropStretch, size, func(file []byte, img image.Image) error {
		return use(img, monitor.ReadGrid(file, img))
	})
}

// pixels is what the detector is shown of a picture.
func (s *scoreCommand) pixels(img image.Image) []byte {
	pix := make([]byte, 3*s.Size*s.Size)
	if s.Crop == cropStretch {
		data.ToRGB(img).Stretch(pix, s.Size)
	} else {
		data.Transform{Resolution: s.Size}.Apply(pix, img, nil)
	}
	return pix
}

// reason is an error without the path, which stands beside it.
func reason(path string, err error) string {
	var p *fs.PathError
	if errors.As(err, &p) && p.Path == path {
		return p.Err.Error()
	}
	text := oneLine(err)
	for _, p := range []string{"data: ", path + ": ", "data: ", "decode: "} {
		text = strings.TrimPrefix(text, p)
	}
	return text
}
