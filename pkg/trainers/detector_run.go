package trainers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

// Files that [RunDetector] writes into its run folder, beside log.jsonl and pictures of what training shows.
const (
	DetectorFile     = "detector.pt"                // TorchScript: the best weights so far
	DetectorLastFile = "snapshots/last.safetensors" // the newest weights
)

// DetectorData is what a detector is trained and judged on. No picture should be in two of them.
type DetectorData struct{ Train, Val, Test data.Labelled }

// DetectorSettings are the settings of [RunDetector] that a run folder and a card have.
type DetectorSettings struct {
	Resolution  int     `json:"resolution"` // height and width of the images
	Epochs      int     `json:"epochs"`     // passes over as many pictures as there are, of at least 50 updates each
	MaxKimg     float64 `json:"kimg"`       // length in thousands of images in place of Epochs; 0: by Epochs
	Batch       int     `json:"batch"`      // images in a batch, an even number: half are real
	LR          float64 `json:"lr"`         // peak learning rate
	Smoothing   float64 `json:"smoothing"`  // the targets are 1 - Smoothing for real and Smoothing for generated images
	ClassWeight float64 `json:"class_weight"`
	// Mixup is the share of a batch that are mixtures of a real and a generated image, whose targets lie between in
	// proportion (Zhang et al. 2018, arXiv:1710.09412). Without them the score of a detector that is right is flat around
	// real and around generated images, and a generator has nothing to climb.
	Mixup    float64 `json:"mixup"`
	Augment  string  `json:"augment"`  // see [data.ParseAugment]
	Patience int     `json:"patience"` // epochs without a better validation after which training ends; 0: never
	Seed     int64   `json:"seed"`
}

// DetectorRunOptions are all settings of [RunDetector].
type DetectorRunOptions struct {
	DetectorSettings
	Workers int    // decoding goroutines; 0: one for each core, at most 8
	Version string // for the card: of the program,
	Split   string // how the data were divided,
	Init    string // and what the weights were before

	Device  torch.Device
	Out     *checkpoint.Run
	Console *monitor.Console
	OnTick  func(monitor.Tick) // may be nil; called after each epoch
}

// detectorRun is the state of one call of [RunDetector].
type detectorRun struct {
	o      DetectorRunOptions
	d      DetectorData
	net    *network.Net
	eval   *jit.Module // shares the weights
	scope  *torch.Scope
	log    *monitor.JSONLog
	report DetectorReport
	stream *labelledStream
	mixes  *rand.Rand      // proportions of mixtures
	val    [2]*data.Images // real, generated

	steps, perEpoch int
	best            []*torch.Tensor // copies of parameters and buffers
	bestAt          int             // epoch, from 1; 0: none yet
	sums            struct {
		loss, class float64
		n, skipped  int
	}
	rate  *monitor.Rate
	shown time.Time // when the console's live line was written
}

// leastSteps is the least number of updates in an epoch: validating after each of a few would take longer than they do.
const leastSteps = 50

// errEnough ends training early.
var errEnough = errors.New("no better validation")

// RunDetector trains net on batches of which half are real and half generated, whatever the sizes of the sets, and
// validates after each epoch. The best weights by the area under the ROC curve are written to detector.pt in the run
// folder, with a card; at the end they are judged on the test pictures, as they are and degraded.
//
// It returns the report. When ctx ends, the error wraps [ErrInterrupted]; the best weights so far are in detector.pt if an
// epoch is complete, the newest ones in snapshots/last.safetensors. It wraps [ErrDiverged] when the losses or scores are not
// finite, and [data.ErrNoImages] when a set has nothing that can be decoded. The stream of batches follows from the seed:
// the same seed, machine and threads make the same detector.
func RunDetector(ctx context.Context, net *network.Net, d DetectorData, o DetectorRunOptions) (*DetectorReport, error) {
	runtime.LockOSThread() // as in Run
	defer runtime.UnlockOSThread()
	defer o.Console.Done()
	r := &detectorRun{o: o, d: d, net: net, scope: torch.NewScope(), report: newDetectorReport(d, o),
		mixes: rand.New(rand.NewPCG(uint64(o.Seed), 0x6d6978))}
	defer r.scope.Close()
	defer r.release()
	if err := r.prepare(ctx); err != nil {
		return nil, r.stopped(ctx, err)
	}

	train := DetectorOptions{Steps: r.steps, LR: o.LR, Warmup: min(500, max(10, r.steps/20)),
		ClassWeight: o.ClassWeight, Batch: r.batch, OnStep: r.onStep}
	err := TrainDetector(ctx, net, train)
	if err != nil && !errors.Is(err, errEnough) {
		return nil, r.stopped(ctx, err)
	}
	for i, t := range r.tensors() {
		torch.NoGrad(func() { t.Tensor.Copy_(r.best[i]) })
	}
	if err := r.finish(ctx); err != nil {
		return nil, r.stopped(ctx, err)
	}
	return &r.report, r.log.Close()
}

// release ends what prepare began, as far as it came.
func (r *detectorRun) release() {
	if r.stream != nil {
		r.stream.stop()
	}
	if r.log != nil {
		_ = r.log.Close() // RunDetector has looked at the error where it matters
	}
}

// stopped is what an error means once ctx has ended: the newest weights are kept.
func (r *detectorRun) stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, ErrInterrupted) && !errors.Is(err, ctx.Err()) {
		return err
	}
	if e := r.saveLast(); e != nil {
		return e
	}
	best := "no epoch is complete"
	if r.bestAt > 0 {
		best = fmt.Sprintf("%s is of epoch %d", DetectorFile, r.bestAt)
	}
	return fmt.Errorf("%w at step %d; %s, the newest weights are in %s", ErrInterrupted, r.report.Settings.Steps, best,
		filepath.Join(r.o.Out.Dir, DetectorLastFile))
}

func (r *detectorRun) prepare(ctx context.Context) (err error) {
	o := r.o
	n := r.d.Train.Real.Len() + r.d.Train.Fake.Len()
	r.perEpoch = max(leastSteps, (n+o.Batch-1)/o.Batch)
	r.steps = r.perEpoch * o.Epochs
	if o.MaxKimg > 0 {
		r.steps = max(1, int(math.Ceil(o.MaxKimg*1000/float64(o.Batch))))
	}
	if err = r.loadValidation(ctx); err != nil {
		return err
	}
	if r.stream, err = newLabelledStream(ctx, r.d.Train, o); err != nil {
		return err
	}
	if r.eval, err = r.net.Export(r.scope); err != nil {
		return err
	}
	for _, t := range r.tensors() {
		err = r.scope.Scoped(func(s *torch.Scope) error {
			r.best = append(r.best, r.scope.Adopt(s.Use(t.Tensor).Detach().Clone()))
			return nil
		})
		if err != nil {
			return err
		}
	}
	if r.log, err = monitor.OpenJSONLog(o.Out.Log()); err != nil {
		return err
	}
	r.rate = monitor.NewRate(time.Now(), 0)
	return r.pictures()
}

// pictures draws what training shows.
func (r *detectorRun) pictures() error {
	const n = 64
	for k, name := range []string{"train-real.png", "train-fake.png"} {
		pix, err := r.stream.loaders[k].Sample(n)
		if err != nil {
			return err
		}
		if err = monitor.WriteGrid(r.o.Out.Sample(name), pix, n, r.o.Resolution, r.o.Resolution, 8); err != nil {
			return err
		}
	}
	return nil
}

// tensors are the parameters and buffers of the network.
func (r *detectorRun) tensors() []jit.Named {
	return append(append([]jit.Named(nil), r.net.Params...), r.net.Buffers...)
}

// batch is the next batch with its targets.
func (r *detectorRun) batch(s *torch.Scope) (images, targets *torch.Tensor, err error) {
	pix, err := r.stream.next()
	if err != nil {
		return nil, nil, err
	}
	r.report.Data.Real.Broken += r.warnBroken("real", r.stream.loaders[0].Broken())
	r.report.Data.Fake.Broken += r.warnBroken("generated", r.stream.loaders[1].Broken())
	half := r.o.Batch / 2
	share := make([]float32, r.o.Batch) // of the real image in each
	for i := range half {
		share[i] = 1
	}
	images = UnitImages(s, pix, r.o.Resolution, r.o.Device)
	if mixed := int(math.Round(r.o.Mixup * float64(half))); mixed > 0 {
		images = r.mix(images, share, half, mixed)
	}
	targets = s.FromFloat32s(share).ToDevice(r.o.Device)
	return images, targets.MulScalar(1 - 2*r.o.Smoothing).AddScalar(r.o.Smoothing), nil
}

// mix replaces the last so many images of each half by mixtures of the same pairs, in two different proportions, and writes
// how much of each is real to share.
func (r *detectorRun) mix(images *torch.Tensor, share []float32, half, mixed int) *torch.Tensor {
	clean := half - mixed
	part := func(from, n int) *torch.Tensor { return images.Narrow(0, int64(from), int64(n)) }
	real, fake := part(clean, mixed), part(half+clean, mixed)
	mixture := func(into []float32) *torch.Tensor {
		for i := range into {
			into[i] = r.mixes.Float32()
		}
		t := images.Scope().FromFloat32s(into, int64(mixed), 1, 1, 1).ToDevice(r.o.Device)
		return fake.LerpTensor(real, t)
	}
	parts := []*torch.Tensor{mixture(share[clean:half]), mixture(share[half+clean:])}
	if clean > 0 {
		parts = []*torch.Tensor{part(0, clean), parts[0], part(half, clean), parts[1]}
	}
	return torch.Cat(parts, 0)
}

func (r *detectorRun) warnBroken(kind string, l []data.Broken) int {
	for _, b := range l {
		r.o.Console.Warn("skipping a %s picture: %v", kind, b.Err)
	}
	return len(l)
}
