package main

import (
	"context"
	"errors"
	"image"
	"math"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// scored is one file of the result.
type scored struct {
	Path     string   `json:"path"`
	Score    *float64 `json:"score"`              // of a sample grid: the mean; null for a file without a score
	Pictures int      `json:"pictures,omitempty"` // 1, or as many as the grid has
	Verdict  string   `json:"verdict,omitempty"`
	Error    string   `json:"error,omitempty"`

	each []float64 // of each picture
}

// scoreBatch collects pictures until there are enough to be scored at once.
type scoreBatch struct {
	root *torch.Scope
	d    *tigas.Detector
	size int
	pix  []byte
	of   []*scored // whose each takes the score of picture i
	at   []int     // and where
}

func (b *scoreBatch) add(pix []byte, of *scored, at int) {
	b.pix, b.of, b.at = append(b.pix, pix...), append(b.of, of), append(b.at, at)
}

func (b *scoreBatch) flush() error {
	if len(b.of) == 0 {
		return nil
	}
	err := b.root.Scoped(func(s *torch.Scope) error {
		torch.NoGrad(func() {
			x := trainers.UnitImages(s, b.pix, b.size, b.d.Device())
			for k, v := range b.d.Score(x).Float32s() {
				b.of[k].each[b.at[k]] = float64(v)
			}
		})
		return nil
	})
	b.pix, b.of, b.at = b.pix[:0], b.of[:0], b.at[:0]
	return err
}

// scoreAll scores files in batches and returns them in order; after an interrupt or an error, those that were done. One
// that cannot be read has an error in its line. Of a sample grid each picture is scored by itself.
func (s *scoreCommand) scoreAll(ctx context.Context, root *torch.Scope, d *tigas.Detector, files []scoreInput) (l []scored, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l = make([]scored, len(files))
	batch := &scoreBatch{root: root, d: d, size: s.Size}
	rate := monitor.NewRate(time.Now(), 0)
	done := 0 // files whose pictures all have a score
	queue := s.decodeAhead(ctx, files, 2*s.Batch)
	for i := range l {
		var file decoded
		select {
		case <-ctx.Done():
			return finished(l[:done]), ctx.Err()
		case c, ok := <-queue:
			if !ok {
				return finished(l[:done]), ctx.Err()
			}
			select {
			case <-ctx.Done():
				return finished(l[:done]), ctx.Err()
			case file = <-c:
			}
		}
		l[i].Path = files[i].path
		add := func(pix []byte) error {
			l[i].Pictures, l[i].each = l[i].Pictures+1, append(l[i].each, 0)
			batch.add(pix, &l[i], len(l[i].each)-1)
			if len(batch.of) < s.Batch {
				return nil
			}
			if err := batch.flush(); err != nil {
				return err
			}
			done = i
			if ctx.Err() != nil {
				return ctx.Err()
			}
			rate.Observe(time.Now(), int64(i+1))
			s.console.Status("scoring  %d of %d files  %.1f/s  eta %s", i+1, len(l), rate.SessionPerSecond(),
				monitor.Duration(rate.ETA(int64(len(l)))))
			return nil
		}
		var failed error // to score, which is not the file's fault
		switch {
		case file.grid:
			file.err = s.open(l[i].Path, s.Size, func(img image.Image, grid *monitor.SavedGrid) error {
				if grid == nil {
					return errors.New("it was written over while it was read")
				}
				for k := 0; k < grid.Len() && failed == nil; k++ {
					failed = add(s.pixels(grid.Picture(k)))
				}
				return nil
			})
		case file.err == nil:
			failed = add(file.pix)
		}
		if failed != nil {
			return finished(l[:done]), failed
		}
		if file.err != nil {
			l[i].Error = reason(files[i].path, file.err)
		}
		if len(batch.of) == 0 {
			done = i + 1
		}
	}
	if err = batch.flush(); err != nil {
		return finished(l[:done]), err
	}
	return finished(l), nil
}

// finished fills in what follows from the scores.
func finished(l []scored) []scored {
	for i := range l {
		r := &l[i]
		if r.Pictures == 0 {
			continue
		}
		mean := 0.0
		for _, v := range r.each {
			mean += v / float64(len(r.each))
		}
		if math.IsNaN(mean) || math.IsInf(mean, 0) {
			r.Error, r.Pictures, r.each = "the detector's score is not a number", 0, nil
			continue
		}
		r.Score, r.Verdict = &mean, verdict(mean)
	}
	return l
}

// verdict says in words what upstream says of a score.
func verdict(score float64) string {
	switch {
	case score > 0.7:
		return "likely real"
	case score > 0.5:
		return "probably real"
	case score > 0.3:
		return "probably fake"
	}
	return "likely fake"
}
