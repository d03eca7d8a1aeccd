package main

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// mostThumbnails is how many pictures a contact sheet has without --show-top.
const mostThumbnails = 100

// outputs are the files that were asked for.
func (s *scoreCommand) outputs() []output {
	return []output{{"--json", s.JSON, ".json"}, {"--plot", s.Plot, ".png"}, {"--sheet", s.Sheet, ".png"}}
}

// wrote tells of a file that was written.
func (s *scoreCommand) wrote(path string, err error) error {
	if err == nil {
		s.console.Message("wrote    %s", path)
	}
	return err
}

// figures draws what was asked for.
func (s *scoreCommand) figures(d *tigas.Detector, l []scored) error {
	var errs []error
	if s.Plot != "" {
		scores := pictureScores(l)
		title := fmt.Sprintf("Scores of %s, detector %s", count(len(scores), "picture"), shortName(d.Name))
		img, err := monitor.ScoreHistogram(title, s.Threshold, monitor.Population{Scores: scores})
		if err == nil {
			err = monitor.WritePNG(s.Plot, img)
		}
		errs = append(errs, s.wrote(s.Plot, err))
	}
	if s.Sheet != "" {
		sheet, err := s.contactSheet(l)
		if err == nil {
			err = monitor.WritePNG(s.Sheet, sheet)
		}
		errs = append(errs, s.wrote(s.Sheet, err))
	}
	return errors.Join(errs...)
}

// shortName keeps a title on one line.
func shortName(path string) string {
	name := []rune(filepath.Base(path))
	if len(name) > 40 {
		name = append(name[:38], '.', '.')
	}
	return string(name)
}

// thumbnail is one picture of the sheet: which file it is in, and which of the pictures there.
type thumbnail struct {
	file, picture int
	score         float64
}

// choose takes the pictures of the sheet: the n highest and the n lowest scores with --show-top, else up to a hundred at
// equal distances in the order of scores.
func (s *scoreCommand) choose(l []scored) []thumbnail {
	var all []thumbnail
	for i, r := range l {
		for k, v := range r.each {
			all = append(all, thumbnail{i, k, v})
		}
	}
	slices.SortStableFunc(all, func(a, b thumbnail) int { return cmp.Compare(b.score, a.score) })
	n := len(all)
	if s.ShowTop > 0 {
		if top := s.ShowTop; n > 2*top {
			all = slices.Concat(all[:top], all[n-top:])
		}
		return all[:min(len(all), 5000)]
	}
	if n <= mostThumbnails {
		return all
	}
	some := make([]thumbnail, mostThumbnails)
	for i := range some {
		some[i] = all[i*(n-1)/(mostThumbnails-1)]
	}
	return some
}

// contactSheet reads the chosen pictures once more: to keep the thumbnails of all would need memory for all.
func (s *scoreCommand) contactSheet(l []scored) (image.Image, error) {
	chosen := s.choose(l)
	byFile := map[int][]int{}
	for i, t := range chosen {
		byFile[t.file] = append(byFile[t.file], i)
	}
	items := make([]monitor.SheetItem, len(chosen))
	var wg sync.WaitGroup
	busy := make(chan struct{}, data.Workers(s.Workers))
	for file, which := range byFile {
		busy <- struct{}{}
		wg.Go(func() {
			defer func() { <-busy }()
			name := filepath.Base(l[file].Path)
			// What can no longer be read is left out: it was there when it was scored.
			_ = s.open(l[file].Path, monitor.SheetCell, func(img image.Image, grid *monitor.SavedGrid) error {
				for _, i := range which {
					t := chosen[i]
					switch {
					case grid == nil:
						items[i] = monitor.SheetItem{Image: reduced(img), Score: t.score, Name: name}
					case t.picture < grid.Len():
						items[i] = monitor.SheetItem{Image: reduced(grid.Picture(t.picture)), Score: t.score,
							Name: fmt.Sprintf("%s #%d", name, t.picture)}
					}
				}
				return nil
			})
		})
	}
	wg.Wait()
	items = slices.DeleteFunc(items, func(i monitor.SheetItem) bool { return i.Image == nil })
	return monitor.ContactSheet(items, 0)
}

// reduced is a picture that is no larger than a thumbnail needs.
func reduced(img image.Image) image.Image {
	b := img.Bounds()
	longer := max(b.Dx(), b.Dy())
	if longer <= monitor.SheetCell {
		return img
	}
	side := func(n int) int { return max(1, n*monitor.SheetCell/longer) }
	return data.ToRGB(img).Resize(side(b.Dx()), side(b.Dy()))
}
