package optim

import "github.com/tigas-train/tigas-train/cgo/torch"

// list is a list of tensors that is worked on in one call. Operators on lists take no empty ones.
type list = []*torch.Tensor

// x *= v
func mulAll(x list, v float64) { torch.CallMulti("aten::_foreach_mul_.Scalar", x, v) }

// x /= v
func divAll(x list, v float64) { torch.CallMulti("aten::_foreach_div_.Scalar", x, v) }

// x += v
func addAll(x list, v float64) { torch.CallMulti("aten::_foreach_add_.Scalar", x, v) }

// x += v*y
func addScaled(x, y list, v float64) { torch.CallMulti("aten::_foreach_add_.List", x, y, v) }

// x += y
func addLists(x, y list) { torch.CallMulti("aten::_foreach_add_.List", x, y) }

// x += v*a*b
func addProduct(x, a, b list, v float64) {
	torch.CallMulti("aten::_foreach_addcmul_.Scalar", x, a, b, v)
}

// x += v*a/b
func addQuotient(x, a, b list, v float64) {
	torch.CallMulti("aten::_foreach_addcdiv_.Scalar", x, a, b, v)
}

// sqrt(x), in s
func roots(s *torch.Scope, x list) list { return fresh(s, "aten::_foreach_sqrt", x) }

// x + v*y, in s
func sum(s *torch.Scope, x, y list, v float64) list {
	return fresh(s, "aten::_foreach_add.List", x, y, v)
}

func fresh(s *torch.Scope, op string, args ...any) list {
	return s.CallMulti(op, args...)[0].([]*torch.Tensor)
}

// lerpAll moves x by w towards y: x += w*(y - x), without a temporary. The form with two products, (1-w)*x + w*y, would
// not do for small w: 1-w rounded to float32 is off by up to 3e-8, which for w = 1e-4 pulls the fixed point away by
// 0.03 % of the weights. libtorch 1.13 does not have the call over lists.
func lerpAll(x, y list, w float64) {
	if len(x) == 0 {
		return
	}
	if torch.Has("aten::_foreach_lerp_.Scalar") {
		torch.CallMulti("aten::_foreach_lerp_.Scalar", x, y, w)
		return
	}
	for i := range x {
		x[i].Lerp_(y[i], w)
	}
}

// copyAll copies y to x, one call for each type where libtorch has it (2.1).
func copyAll(x, y list) {
	if torch.Has("aten::_foreach_copy_") {
		for _, index := range byType(x) {
			torch.CallMulti("aten::_foreach_copy_", pick(x, index), pick(y, index))
		}
		return
	}
	for i := range x {
		x[i].Copy_(y[i])
	}
}

// scaleAll multiplies x by the scalar c, one call for each type where libtorch has it (2.1).
func scaleAll(x list, c *torch.Tensor) {
	for _, index := range byType(x) {
		l := pick(x, index)
		c := c.To(l[0].DType())
		if torch.Has("aten::_foreach_mul_.Tensor") {
			torch.CallMulti("aten::_foreach_mul_.Tensor", l, c)
			continue
		}
		for _, t := range l {
			t.Mul_(c)
		}
	}
}

// byType returns the numbers of the tensors of each element type: calls over lists are one kernel on a GPU only for
// tensors of one type.
func byType(l list) [][]int {
	var out [][]int
	at := map[torch.DType]int{}
	for i, t := range l {
		d := t.DType()
		k, ok := at[d]
		if !ok {
			k = len(out)
			at[d] = k
			out = append(out, nil)
		}
		out[k] = append(out[k], i)
	}
	return out
}

func pick(l list, index []int) list {
	out := make(list, len(index))
	for k, i := range index {
		out[k] = l[i]
	}
	return out
}
