package trainers

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// How many pictures of a kind are looked at, so that judging stays short beside training and fits into memory.
const (
	mostVal      = 2000
	mostValBytes = 512 << 20
	mostTest     = 5000
)

// loadValidation decodes the pictures that each epoch is judged by, and warns of what makes the judgement worth less.
func (r *detectorRun) loadValidation(ctx context.Context) error {
	size := 3 * r.o.Resolution * r.o.Resolution
	for k, ds := range []data.Dataset{r.d.Val.Real, r.d.Val.Fake} {
		im, err := data.LoadImages(ctx, data.Spread(ds, max(1, min(mostVal, mostValBytes/size))), r.o.Resolution, r.o.Workers)
		if err != nil {
			return err
		}
		if im.N == 0 {
			return fmt.Errorf("trainers: %s: %w for validation", ds.Name(), data.ErrNoImages)
		}
		r.val[k] = im
		if k == 0 {
			r.report.Data.Real.Broken += r.warnBroken("real", im.Broken)
		} else {
			r.report.Data.Fake.Broken += r.warnBroken("generated", im.Broken)
		}
	}
	real, fake := r.val[0], r.val[1]
	if n := fake.Common(real); n > 0 {
		r.report.Data.Common = n
		r.o.Console.Warn("%d of %d generated pictures for validation are among the real ones too: are the folders the same?",
			n, fake.N)
	}
	a, b := real.MedianSize(), fake.MedianSize()
	area := float64(a.X*a.Y) / float64(b.X*b.Y)
	shape := float64(a.X*b.Y) / float64(a.Y*b.X)
	if area > 2 || area < 0.5 || shape > 1.15 || shape < 1/1.15 {
		r.o.Console.Warn("real pictures have a median size of %d x %d, generated ones of %d x %d: what scaling does to them may "+
			"be all that the detector learns; make the sizes alike", a.X, a.Y, b.X, b.Y)
	}
	return nil
}

// scores are those of pictures in memory.
func (r *detectorRun) scores(score func(x *torch.Tensor) *torch.Tensor, im *data.Images) []float32 {
	return scoreImages(r.scope, score, im, max(32, r.o.Batch), r.o.Device)
}

// slope is that of the network as it is now, over a part of the generated pictures for validation.
func (r *detectorRun) slope() float64 {
	im := *r.val[1]
	im.N = min(im.N, 64)
	return median(slopes(r.scope, r.eval.ForwardTensor, &im, max(32, r.o.Batch), r.o.Device))
}

// finish judges the detector's file, which has the best weights, on the test pictures and writes the card anew.
func (r *detectorRun) finish(ctx context.Context) error {
	path := filepath.Join(r.o.Out.Dir, DetectorFile)
	det, err := tigas.Open(r.scope, path, tigas.OpenOptions{Device: r.o.Device, Height: r.o.Resolution})
	if err != nil {
		return err
	}
	j, err := JudgeDetector(ctx, det, r.d.Test.Real, r.d.Test.Fake, JudgeOptions{Size: r.o.Resolution, Batch: max(32, r.o.Batch),
		Most: mostTest, Workers: r.o.Workers, Seed: r.o.Seed, Smoothing: r.o.Smoothing, OnBroken: func(generated bool, l []data.Broken) {
			r.warnBroken(map[bool]string{false: "real", true: "generated"}[generated], l)
		}})
	if err != nil {
		return err
	}
	r.report.Data.Real.Broken += j.BrokenReal
	r.report.Data.Fake.Broken += j.BrokenFake
	r.report.Test, r.report.Degraded, r.report.Verdict = &j.Figures, j.Degraded, &j.Verdict
	return saveDetector(r.o.Out.Dir, r.net, &r.report)
}
