package trainers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// JudgeOptions are the settings of [JudgeDetector].
type JudgeOptions struct {
	Size      int     // height and width that pictures are stretched to; 0: the detector's own
	Batch     int     // pictures that are scored at once; 0: 32
	Most      int     // pictures of a kind that are looked at, evenly over the set; 0: all
	Workers   int     // decoding goroutines; 0: one for each core, at most 8
	Seed      int64   // of the noise in degraded pictures
	Smoothing float64 // of the targets that the loss is computed against

	OnProgress func(done, total int)                        // may be nil; degraded copies count too
	OnBroken   func(generated bool, pictures []data.Broken) // may be nil
}

// Judgement is what a detector makes of real and of generated pictures.
type Judgement struct {
	Real, Fake             []float32 // scores, in the order of the sets
	Figures                DetectorFigures
	Degraded               []DegradedFigures // of up to 1,000 of each kind, by kind of degradation
	Verdict                DetectorVerdict
	BrokenReal, BrokenFake int // pictures that could not be decoded and were left out
}

const (
	mostDegraded = 1000     // pictures of a kind that are degraded: four kinds cost four times
	mostSloped   = 256      // generated pictures whose gradient is taken
	partBytes    = 64 << 20 // pictures in memory at once
)

// DegradedStrength is the strength of the degradations that a detector is tested with.
const DegradedStrength = 0.5

// JudgeDetector scores real and generated pictures, as files are scored, and degraded copies of them, and says whether the
// detector tells them apart. It returns an error that wraps [data.ErrNoImages] when a set has no picture that can be read,
// one that wraps [ErrDiverged] when a score is not finite, and that of ctx when it ends.
func JudgeDetector(ctx context.Context, d *tigas.Detector, real, fake data.Dataset, o JudgeOptions) (*Judgement, error) {
	if o.Size == 0 {
		o.Size = d.ImageSize
	}
	if o.Batch == 0 {
		o.Batch = 32
	}
	if o.Most == 0 {
		o.Most = math.MaxInt
	}
	j := &judge{o: o, d: d, scope: torch.NewScope()}
	defer j.scope.Close()
	sets := [2]data.Dataset{data.Spread(real, o.Most), data.Spread(fake, o.Most)}
	for _, ds := range sets {
		j.total += ds.Len() + min(ds.Len(), mostDegraded)*len(data.Degradations)
	}
	var clean [2][]float32
	var degraded [2][][]float32
	var broken [2]int
	for k, ds := range sets {
		err := j.parts(ctx, ds, func(im *data.Images) {
			broken[k] += len(im.Broken)
			if o.OnBroken != nil && len(im.Broken) > 0 {
				o.OnBroken(k == 1, im.Broken)
			}
			clean[k] = append(clean[k], j.scores(im)...)
		})
		if err == nil && len(clean[k]) == 0 {
			err = fmt.Errorf("trainers: %s: %w", ds.Name(), data.ErrNoImages)
		}
		if err != nil {
			return nil, err
		}
		degraded[k] = make([][]float32, len(data.Degradations))
		err = j.parts(ctx, data.Spread(ds, mostDegraded), func(im *data.Images) {
			for i, kind := range data.Degradations {
				// Pictures of the two kinds do not get the same noise.
				seed := uint64(o.Seed)<<1 | uint64(k)
				degraded[k][i] = append(degraded[k][i], j.scores(im.Degraded(kind, DegradedStrength, seed))...)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	out := &Judgement{Real: clean[0], Fake: clean[1], BrokenReal: broken[0], BrokenFake: broken[1],
		Figures: JudgeScores(clean[0], clean[1], o.Smoothing)}
	if math.IsNaN(out.Figures.AUC) {
		return nil, fmt.Errorf("%w: the detector's scores are not finite", ErrDiverged)
	}
	for i, kind := range data.Degradations {
		f := JudgeScores(degraded[0][i], degraded[1][i], o.Smoothing)
		out.Degraded = append(out.Degraded, DegradedFigures{Kind: kind.String(), Setting: kind.Setting(DegradedStrength),
			AUC: f.AUC, Accuracy: f.Accuracy, Images: f.Real + f.Fake})
	}
	err := j.parts(ctx, data.Spread(sets[1], mostSloped), func(im *data.Images) {
		j.slopes = append(j.slopes, slopes(j.scope, j.d.Score, im, j.o.Batch, j.d.Device())...)
	})
	if err != nil {
		return nil, err
	}
	if out.Figures.Slope = median(j.slopes); math.IsNaN(out.Figures.Slope) {
		return nil, fmt.Errorf("%w: the gradient of the detector's score is not finite", ErrDiverged)
	}
	out.Verdict = out.Figures.Verdict(out.Degraded...)
	return out, nil
}

// judge is one call of JudgeDetector.
type judge struct {
	o           JudgeOptions
	d           *tigas.Detector
	scope       *torch.Scope
	done, total int
	slopes      []float64
}

// parts decodes a set in parts that fit into memory.
func (j *judge) parts(ctx context.Context, ds data.Dataset, use func(*data.Images)) error {
	part := max(j.o.Batch, partBytes/(3*j.o.Size*j.o.Size))
	for i := 0; i < ds.Len(); i += part {
		im, err := data.LoadImages(ctx, data.Range(ds, i, min(ds.Len(), i+part)), j.o.Size, j.o.Workers)
		if err != nil && !errors.Is(err, data.ErrNoImages) { // a part of nothing but broken pictures has none to use
			return err
		}
		use(im)
		if err = ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (j *judge) scores(im *data.Images) []float32 {
	l := scoreImages(j.scope, j.d.Score, im, j.o.Batch, j.d.Device())
	if j.done += im.N; j.o.OnProgress != nil {
		j.o.OnProgress(j.done, j.total)
	}
	return l
}

// slopes are those of pictures in memory, see [DetectorFigures]. A network in evaluation mode treats each picture for
// itself, so that the gradient of the sum of scores has those of the pictures.
func slopes(scope *torch.Scope, score func(x *torch.Tensor) *torch.Tensor, im *data.Images, batch int, d torch.Device) (l []float64) {
	size := 3 * im.R * im.R
	for i := 0; i < im.N; i += batch {
		s := scope.Child()
		x := UnitImages(s, im.Pixels[i*size:min(im.N, i+batch)*size], im.R, d).RequiresGrad(true)
		g := torch.Grad(score(x).Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
		for _, n := range g.Square().SumDim([]int64{1, 2, 3}, false).Sqrt().Float32s() {
			l = append(l, float64(n)*math.Sqrt(float64(size))/255)
		}
		s.Close()
	}
	return l
}

// median is the upper one of two in the middle, 0 for no numbers, NaN when one is not finite.
func median(l []float64) float64 {
	if len(l) == 0 {
		return 0
	}
	l = slices.Sorted(slices.Values(l))
	if math.IsNaN(l[0]) || math.IsInf(l[len(l)-1], 0) { // NaN sorts first
		return math.NaN()
	}
	return l[len(l)/2]
}

// scoreImages are the scores of pictures in memory.
func scoreImages(scope *torch.Scope, score func(x *torch.Tensor) *torch.Tensor, im *data.Images, batch int, d torch.Device) (l []float32) {
	size := 3 * im.R * im.R
	for i := 0; i < im.N; i += batch {
		s := scope.Child()
		torch.NoGrad(func() {
			x := UnitImages(s, im.Pixels[i*size:min(im.N, i+batch)*size], im.R, d)
			l = append(l, score(x).Reshape(-1).Float32s()...)
		})
		s.Close()
	}
	return l
}
