// Package customtraining is the code of docs/custom-training.md: what a training loop of one's own needs.
//
// A test compares the blocks of the page with what stands between the markers here; another runs its shell commands, and the
// program that is on the page only, in a module outside of this one.
package customtraining

import (
	"errors"
	"runtime"
	"sync"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// Layer is a network of anybody's.
type Layer interface {
	Forward(x *torch.Tensor) *torch.Tensor
}

// Open reads a detector.
func Open(root *torch.Scope) (*tigas.Detector, error) {
	// block: open
	det, err := tigas.Open(root, "best_model.pt", tigas.OpenOptions{Height: 64, Width: 64}) // the size of your images
	// end
	return det, err
}

// TenLines is a loop with the term. latents and adversarial are whatever the loop had before.
func TenLines(root *torch.Scope, det *tigas.Detector, generator Layer, params []*torch.Tensor, optimizer optim.Optimizer,
	latents func(*torch.Scope) *torch.Tensor, adversarial func(*torch.Tensor) *torch.Tensor, steps int) error {
	// block: loop
	for range steps {
		err := root.Scoped(func(s *torch.Scope) error { // frees what the step computed
			fake := generator.Forward(latents(s))                                // [N, 3, H, W] in [-1, 1]
			loss := adversarial(fake)                                            // whatever you train with
			term, _ := det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric}) // 1 - mean score
			optimizer.Step(torch.Grad(loss.Add(term.MulScalar(0.1)), params, torch.GradOptions{}))
			return nil
		})
		if err != nil {
			return err
		}
	}
	// end
	return nil
}

// Scheduled is a term that begins late, rises, and is computed on every fourth step.
func Scheduled(det *tigas.Detector) (*tigas.Term, error) {
	// block: schedule
	weight, err := sched.NewWarmup(0.1, sched.Span{N: 2000, Unit: sched.Step}, sched.Span{N: 500, Unit: sched.Step})
	if err != nil {
		return nil, err
	}
	term := &tigas.Term{
		Detector: det,
		Options:  tigas.LossOptions{Range: tigas.Symmetric},
		Weight:   weight,                                     // 0 before step 500, 0.1 after step 2500, a line between
		Interval: sched.Interval{Every: 4, Compensate: true}, // on every fourth step, four times as strong
	}
	// end
	return term, nil
}

// Total is a loss with a scheduled term.
func Total(term *tigas.Term, loss, fake *torch.Tensor, step, batch, pictures int64) (total *torch.Tensor, score float64) {
	// block: apply
	p := sched.NewProgress(step, step*batch, pictures) // steps, images, epochs: what schedules are asked with
	if a := term.Apply(p, fake); a.Loss != nil {       // nil: not in this step, and the detector was not run
		loss = loss.Add(a.Loss) // with its weight
		score = a.Score.Float64()
	}
	// end
	return loss, score
}

// Scales is the term at three sizes, refused before training where one of them cannot be.
func Scales(det *tigas.Detector, fake *torch.Tensor) (*torch.Tensor, error) {
	// block: scales
	options := tigas.LossOptions{Range: tigas.Symmetric, Scales: []float64{1, 0.5, 0.25}}
	if err := options.Check(det, 32, 32); err != nil { // once, before the loop
		return nil, err
	}
	term, _ := det.Loss(fake, options)
	// end
	return term, nil
}

// Ascend moves images themselves along the detector's gradient.
func Ascend(det *tigas.Detector, pictures *torch.Tensor, rate float64) *torch.Tensor {
	// block: images
	x := pictures.Detach().RequiresGrad(true)
	loss, _ := det.Loss(x, tigas.LossOptions{Range: tigas.Symmetric})
	slope := torch.Grad(loss, []*torch.Tensor{x}, torch.GradOptions{})[0]
	better := x.Detach().Sub(slope.MulScalar(rate)).Clamp(-1, 1)
	// end
	return better
}

// WithBackward is a step in PyTorch's manner.
func WithBackward(s *torch.Scope, loss *torch.Tensor, params []*torch.Tensor, optimizer optim.Optimizer) {
	// block: backward
	torch.ZeroGrad(params...)
	torch.Backward(loss, torch.GradOptions{}) // critics and all else that requires a gradient get theirs too
	optimizer.Step(optim.Grads(s, params))
	// end
}

// Mixed is a loss of networks in bfloat16 and a detector in float32.
func Mixed(det *tigas.Detector, generator, critic Layer, z *torch.Tensor, device torch.Device) (loss *torch.Tensor) {
	// block: autocast
	torch.Autocast(device, torch.BFloat16, func() {
		fake := generator.Forward(z)
		term, _ := det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric}) // in float32 whatever autocast says
		loss = critic.Forward(fake).Mean().Neg().Add(term.MulScalar(0.1))
	})
	// end
	return loss
}

// Settings are those of a process with a loop in it.
func Settings() error {
	// block: threads
	if err := torch.SetNumThreads(1); err != nil { // before the first operation; small networks are quicker with one
		return err
	}
	torch.RetainHostMemory() // or each step gets its memory from the system anew
	runtime.LockOSThread()   // libtorch has worker threads for each thread that ever computed
	// end
	return nil
}

// Product is x w, or 0 where that does not fit into memory.
func Product(x, w *torch.Tensor) (y *torch.Tensor, err error) {
	// block: errors
	err = torch.Try(func() { y = x.MatMul(w) })
	if errors.Is(err, torch.ErrOutOfMemory) {
		return x.Scope().Scalar(0), nil // or a smaller batch
	}
	// end
	return y, err
}

// Scores scores batches of images at the same time.
func Scores(det *tigas.Detector, batches [][]float32, h, w int64) ([][]float32, error) {
	// block: concurrent
	scores, errs := make([][]float32, len(batches)), make([]error, len(batches))
	var wg sync.WaitGroup
	for i, pixels := range batches {
		wg.Go(func() {
			errs[i] = torch.Scoped(func(s *torch.Scope) error { // a scope for each goroutine
				x := s.FromFloat32s(pixels, int64(len(pixels))/(3*h*w), 3, h, w)
				torch.NoGrad(func() { scores[i] = det.Score(x).Float32s() })
				return nil
			})
		})
	}
	wg.Wait()
	// end
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return scores, nil
}
