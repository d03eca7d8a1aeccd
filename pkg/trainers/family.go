package trainers

import (
	"iter"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// Family is a kind of generative model in the shared loop of [Run].
type Family interface {
	Sampler
	// Step makes one update of the generator and whatever goes before it. An error ends the run; a *torch.Error may also
	// be panicked. [Run] calls it on one OS thread throughout: sums over a graph's branches are formed in an order that
	// depends on the thread.
	Step(st *Step) error
	// Tensors are the weights and buffers that a snapshot holds, by name.
	Tensors() iter.Seq2[string, *torch.Tensor]
	// Optimizers are those of the family: their state is part of a snapshot, and their learning rates of the log.
	Optimizers() []NamedOptimizer
	// TIGAS is the term in the family's loss; its zero value is absent.
	TIGAS() tigas.Term
}

// NamedOptimizer is an optimiser with its name in snapshots and in the log.
type NamedOptimizer struct {
	Name string // G, D, net ...
	optim.Optimizer
}

// namedValue is a number with its name in the log.
type namedValue struct {
	Name  string
	Value float64
}

// Step is what the loop gives a [Family] for one step.
type Step struct {
	Scope    *torch.Scope     // closed after the step: everything in it is freed
	Progress sched.Progress   // before the step: 0 steps in the first one
	Noise    *torch.Generator // the run's random numbers, on its device
	Choice   *torch.Generator // those that decide what is computed, on the CPU: the host reads them

	loop     *loop
	recorder *recorder // while the step is recorded, see Captured; else nil
}

// Sub runs a part of the step with a scope of its own, which is closed when the part is done.
func (st *Step) Sub(part func(*Step) error) error {
	return st.Scope.Scoped(func(s *torch.Scope) error {
		sub := *st
		sub.Scope = s
		return part(&sub)
	})
}

// Real returns the next batch of real images, [N, 3, H, W] float32 in [-1, 1], in the step's scope.
func (st *Step) Real() (*torch.Tensor, error) { return st.loop.nextBatch(st.Scope) }

// Count advances the run by n images without taking any, for a step that needs no real ones. Epochs go on as if they were taken.
func (st *Step) Count(n int) {
	l := st.loop
	l.s.Images += int64(n)
	l.s.Epoch = sched.NewProgress(l.s.Step, l.s.Images, int64(l.o.Loader.Len())).Epoch
	l.stats.epoch = epochAt(l.s.Epoch)
}

// Report adds a scalar tensor to the log under a name; the log has its mean over a tick. The device is not waited for.
func (st *Step) Report(name string, value *torch.Tensor) {
	if st.recorder != nil {
		st.recorder.add(name, value)
		return
	}
	st.loop.stats.add(name, value)
}

// ReportNumber is Report for a number that is there already.
func (st *Step) ReportNumber(name string, value float64) {
	if st.recorder != nil {
		st.recorder.numbers = append(st.recorder.numbers, namedValue{name, value})
		return
	}
	st.loop.stats.addNumber(name, value)
}

// Term is Report for a part of a loss, which it returns. When a gradient is not finite, the parts that are not are named.
func (st *Step) Term(name string, value *torch.Tensor) *torch.Tensor {
	if plant := st.loop.plant; plant != nil {
		value = plant(name, value)
	}
	st.Report(name, value)
	return value
}

// reportCritic logs what a critic says of real and generated images: the means, and those of the signs, which tell how often a
// discriminator with a threshold at 0 is right.
func (st *Step) reportCritic(real, fake *torch.Tensor) {
	torch.NoGrad(func() {
		st.Report("scores_real", real.Mean())
		st.Report("scores_fake", fake.Mean())
		st.Report("signs_real", real.Sign().Mean())
		st.Report("signs_fake", fake.Sign().Mean())
	})
}

// Apply is [tigas.Term.ApplyWeighted] at this step, and logs it: the term before its weight, with it, the mean score, and whether
// it was dropped because it was not finite; then it has added 0, and there is no score, which the means leave out. weights may
// be nil. Where the term is absent, Loss of what it returns is nil.
func (st *Step) Apply(t *tigas.Term, images, weights *torch.Tensor) tigas.Applied {
	return st.applyScaled(t, images, weights, nil)
}

// applyScaled is Apply with a factor that is on the device, if it is given one.
func (st *Step) applyScaled(t *tigas.Term, images, weights, factor *torch.Tensor) (a tigas.Applied) {
	defer st.Phase("tigas")()
	if factor == nil {
		a = t.ApplyWeighted(st.Progress, images, weights)
	} else {
		a = t.ApplyScaled(images, weights, factor)
	}
	if a.Loss == nil {
		return a
	}
	torch.NoGrad(func() {
		s := a.Score.Scope()
		absent := s.Scalar(math.NaN(), torch.Options{DType: a.Score.DType(), Device: a.Score.Device()})
		dropped := a.Dropped.GtScalar(0)
		st.Report("tigas", torch.Where(dropped, absent, a.Raw))
		st.Report(scoreName, torch.Where(dropped, absent, a.Score))
	})
	st.Report("tigas_loss", a.Loss.Detach())
	st.Report(droppedTerm, a.Dropped)
	return a
}

// checkTerm sets the range of the images that trainers score, and tries the detector on images of a size.
func checkTerm(t *tigas.Term, size int) error {
	t.Options.Range = tigas.Symmetric
	if t.Detector == nil {
		return nil
	}
	return t.Options.Check(t.Detector, size, size)
}

// Update takes the gradient of loss with respect to params and makes a step of opt, whose learning rate counts as it was at the
// first Update of that name, less what returns from divergence have taken. A gradient that is not finite is left out and
// counted: too many in a row are the error, which Step returns. The norm of the gradient is logged as NAME_grad_norm.
func (st *Step) Update(name string, opt optim.Optimizer, params []*torch.Tensor, loss *torch.Tensor) error {
	if st.loop.learners == nil {
		st.loop.learners = map[string]*learner{}
	}
	l := st.loop.learners[name] // which knows the learning rate
	if l == nil {
		l = &learner{name: name}
		st.loop.learners[name] = l
	}
	l.params, l.opt = params, opt
	_, err := l.step(st, loss)
	return err
}

// Updated says what became of an update of the named network: err is nil when it was made, else that of
// [optim.ClipGradNorm], because a gradient was not finite and it was left out. It returns nil, or an error that wraps
// [ErrDiverged] when too many in a row were left out.
func (st *Step) Updated(name string, err error) error { return st.loop.updated(name, err) }
