package optim

import (
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// updateLists is the update of an Adam with Capturable where there is no fused kernel: what update does, with numbers that
// depend on the step in tensors. Where bad, a bool scalar, is true nothing changes; nil is false. The counts must be those
// after this step.
func (a *Adam) updateLists(s *torch.Scope, parts []*part, bad *torch.Tensor) {
	lr := s.Use(a.resident.lr).To(torch.Float64)
	// In float64, because 1 - 0.999 in float32 is off by 5e-5.
	t := s.Use(a.resident.counts).To(torch.Float64)
	correction := func(beta float64) *torch.Tensor { // 1 - βᵗ
		return s.Call("aten::expm1", t.MulScalar(math.Log(beta))).Neg()
	}
	sizes := lr.Div(correction(a.o.Beta1)).Unbind(0)
	corrections := correction(a.o.Beta2).Sqrt().Unbind(0)
	for _, p := range parts {
		undo := keep(s, p, bad)
		if a.o.WeightDecay != 0 && a.decoupled {
			scaleAll(p.p, lr.MulScalar(-a.o.WeightDecay).AddScalar(1))
		}
		avg, sq := a.moments(s, &p.group)
		denom := roots(s, sq)
		torch.CallMulti("aten::_foreach_div_.List", denom, pick(corrections, p.index))
		addAll(denom, a.o.Eps)
		change := fresh(s, "aten::_foreach_div.List", avg, denom)
		torch.CallMulti("aten::_foreach_mul_.List", change, pick(sizes, p.index))
		torch.CallMulti("aten::_foreach_sub_.List", p.p, change)
		undo()
	}
}

// keep copies what an update of p changes. The function that it returns puts that back where bad is true. To select is the
// only way that keeps every bit: NaN times 0 is NaN, and -0 plus 0 is 0.
func keep(s *torch.Scope, p *part, bad *torch.Tensor) func() {
	if bad == nil {
		return func() {}
	}
	var now, old list
	for _, l := range append([]list{p.p}, p.slots...) {
		for _, x := range l {
			now, old = append(now, x), append(old, s.Call("aten::clone", x))
		}
	}
	return func() {
		for i, x := range now {
			torch.CallMulti("aten::where.self_out", bad, old[i], x, x)
		}
	}
}
