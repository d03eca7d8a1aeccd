package optim

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// GradScalerOptions are the settings of a [GradScaler]. Zero means torch.cuda.amp.GradScaler's default.
type GradScalerOptions struct {
	Scale    float64 // at first, 65536
	Growth   float64 // factor after Interval updates in a row, 2
	Backoff  float64 // factor after an update that was left out, 0.5
	Interval int     // 2000
}

// GradScaler keeps gradients that are computed in float16 within its range, as torch.cuda.amp.GradScaler does: the loss is
// multiplied by a scale, the gradients divided by it. A gradient that overflows halves the scale, and many in a row that do not
// double it. Powers of two change no digit of what they multiply.
//
// Scale and count are tensors on the device and are never read by the host, so that all of it can be part of a CUDA graph:
//
//	grads := torch.Grad(scaler.Scale(loss), params, torch.GradOptions{})
//	skip := scaler.Unscale(grads, s)
//	opt.StepUnless(grads, skip)
//	scaler.Update(skip)
type GradScaler struct {
	o        GradScalerOptions
	device   torch.Device
	scope    *torch.Scope
	scale    *torch.Tensor // float32 scalar
	tracker  *torch.Tensor // int32 scalar: updates in a row since the scale was changed
	unscales bool          // libtorch has the kernels for the device
	updates  bool
}

// The kernels. libtorch has them for CUDA since 1.6; for CPUs it has the names, but no kernels before 2.3.
const (
	unscaleKernel = "aten::_amp_foreach_non_finite_check_and_unscale_"
	updateKernel  = "aten::_amp_update_scale_"
)

// NewGradScaler returns a scaler with its state inside s, on the device of the gradients. It panics with *torch.Error on a
// setting out of range.
func NewGradScaler(s *torch.Scope, d torch.Device, o GradScalerOptions) *GradScaler {
	const op = "GradScaler"
	def(&o.Scale, 65536)
	def(&o.Growth, 2)
	def(&o.Backoff, 0.5)
	if o.Interval == 0 {
		o.Interval = 2000
	}
	within(op, "Scale", o.Scale, math.SmallestNonzeroFloat32, math.MaxFloat32)
	within(op, "Growth", o.Growth, 1, math.MaxFloat32)
	within(op, "Backoff", o.Backoff, math.SmallestNonzeroFloat32, 1)
	within(op, "Interval", float64(o.Interval), 1, math.MaxInt32)
	g := &GradScaler{o: o, device: d, scope: s.Child().Seal()}
	g.scale = g.scope.Scalar(o.Scale, torch.Options{Device: d})
	g.tracker = g.scope.Scalar(0, torch.Options{DType: torch.Int32, Device: d})
	g.unscales, g.updates = g.try()
	return g
}

// try runs the kernels on numbers that nobody needs: that libtorch knows an operator does not say that it has a kernel for the
// device.
func (g *GradScaler) try() (unscales, updates bool) {
	s := g.scope.Child()
	defer s.Close()
	there := torch.Options{Device: g.device}
	one := func() *torch.Tensor { return s.Ones([]int64{}, there) }
	count := s.Scalar(0, torch.Options{DType: torch.Int32, Device: g.device})
	has := func(name string, args ...any) bool {
		return torch.Has(name) && torch.Try(func() { torch.CallMulti(name, args...) }) == nil
	}
	torch.NoGrad(func() {
		unscales = has(unscaleKernel, list{one()}, one(), one())
		updates = has(updateKernel, one(), count, one(), g.o.Growth, g.o.Backoff, g.o.Interval)
	})
	return unscales, updates
}

// Scale returns loss times the scale, in the scope of loss.
func (g *GradScaler) Scale(loss *torch.Tensor) *torch.Tensor { return loss.Mul(g.scale) }

// Value is the scale as a tensor of s, which [GradScaler.Update] changes.
func (g *GradScaler) Value(s *torch.Scope) *torch.Tensor { return s.Use(g.scale) }

// Unscale divides the gradients of a scaled loss by the scale, in place, and returns 1 if one of them is NaN or infinite, else
// 0, a float32 scalar of s: what a [Masked] optimiser takes as skip. Then the gradients are of no use. nil entries are left
// alone. An expanded view, which cannot be changed in place, is replaced in grads by a copy in s; no two gradients may share
// elements otherwise.
func (g *GradScaler) Unscale(grads []*torch.Tensor, s *torch.Scope) (skip *torch.Tensor) {
	tmp := s.Child()
	defer tmp.Close()
	torch.NoGrad(func() {
		for i, x := range grads {
			if x != nil && overlaps(x) {
				grads[i] = s.Call("aten::clone", x)
			}
		}
		found := tmp.Zeros([]int64{}, torch.Options{Device: g.device})
		// As PyTorch has it: the reciprocal in float64, rounded once.
		inverse := tmp.Call("aten::reciprocal", tmp.Use(g.scale).To(torch.Float64)).To(torch.Float32)
		l := present(grads)
		for _, index := range byType(l) {
			same := pick(l, index)
			// Not every libtorch's kernel takes bfloat16.
			if g.unscales && same[0].DType() != torch.BFloat16 {
				torch.CallMulti(unscaleKernel, same, found, inverse)
			} else {
				found = found.Maximum(unscaleLists(tmp, same, inverse))
			}
		}
		skip = found.MoveTo(s)
	})
	return skip
}

// overlaps tells whether several elements of x are one number in memory.
func overlaps(x *torch.Tensor) bool {
	strides := x.Strides()
	if !slices.Contains(strides, 0) {
		return false
	}
	for i, n := range x.Shape() {
		if strides[i] == 0 && n > 1 {
			return true
		}
	}
	return false
}

// unscaleLists is the kernel by calls over lists: it multiplies l, of one type, by inverse, and returns 1 if there was a number
// that is not finite.
func unscaleLists(s *torch.Scope, l list, inverse *torch.Tensor) *torch.Tensor {
	// 0 times a number is 0, or NaN if it is not finite. The norm of l itself might overflow.
	zeros := fresh(s, "aten::_foreach_mul.Scalar", l, 0)
	bad := NonFinite(totalNorm(s, zeros))
	scaleAll(l, inverse)
	return bad
}

// Update moves the scale when an update was made, skip being 0, or left out: what [GradScaler.Unscale] returned, or a scalar
// that says of more reasons. NaN counts as left out. It panics with *torch.Error when skip is no scalar.
func (g *GradScaler) Update(skip *torch.Tensor) {
	if skip.Dim() != 0 {
		panic(&torch.Error{Op: "GradScaler.Update", Msg: fmt.Sprintf("skip: got %v vs a scalar", skip)})
	}
	s := g.scope.Child()
	defer s.Close()
	torch.NoGrad(func() {
		skip := s.Use(skip).To(torch.Float32)
		if g.updates {
			torch.CallMulti(updateKernel, g.scale, g.tracker, skip, g.o.Growth, g.o.Backoff, g.o.Interval)
			torch.Call("aten::clamp_min_", g.scale, smallestScale)
			return
		}
		scale := s.Use(g.scale)
		times := func(v float64) *torch.Tensor { return scale.To(torch.Float64).MulScalar(v).To(torch.Float32) }
		left := s.Call("aten::ne.Scalar", skip, 0)
		count := s.Use(g.tracker).AddScalar(1)
		full := count.EqScalar(float64(g.o.Interval))
		grown := times(g.o.Growth)
		next := torch.Where(full.Mul(grown.IsFinite()), grown, scale)
		count = torch.Where(left.Add(full), count.ZerosLike(), count)
		g.scale.Copy_(torch.Call("aten::clamp_min", torch.Where(left, times(g.o.Backoff), next), smallestScale))
		g.tracker.Copy_(count)
	})
}

// smallestScale ends the halving: what is not finite for many updates is no overflow, and a scale of 2^-34 would not grow back in
// the length of a run.
const smallestScale = 1.0

// State yields what a snapshot must hold: "scale", a float32 scalar, and "growth_tracker", an int32 one, the number of updates
// in a row since the scale was changed.
func (g *GradScaler) State() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		_ = yield("scale", g.scale) && yield("growth_tracker", g.tracker)
	}
}

// LoadState restores what State yielded, in place: graphs that were captured hold the addresses. When the names or shapes do
// not fit it returns a *StateError and changes nothing.
func (g *GradScaler) LoadState(saved map[string]*torch.Tensor) error {
	return restore(g.State(), saved, func(string) bool { return false })
}
