package optim

import "github.com/tigas-train/tigas-train/cgo/torch"

// list is a list of tensors that is worked on in one call.
type list = []*torch.Tensor

func mulAll(x list, v float64)       { torch.CallMulti("aten::_foreach_mul_.Scalar", x, v) }
func addAll(x list, v float64)       { torch.CallMulti("aten::_foreach_add_.Scalar", x, v) }
func addScaled(x, y list, v float64) { torch.CallMulti("aten::_foreach_add_.List", x, y, v) }
func addProduct(x, a, b list, v float64) {
	torch.CallMulti("aten::_foreach_addcmul_.Scalar", x, a, b, v)
}
func addQuotient(x, a, b list, v float64) {
	torch.CallMulti("aten::_foreach_addcdiv_.Scalar", x, a, b, v)
}
func roots(s *torch.Scope, x list) list { return fresh(s, "aten::_foreach_sqrt", x) }
func sum(s *torch.Scope, x, y list, v float64) list {
	return fresh(s, "aten::_foreach_add.List", x, y, v)
}

func fresh(s *torch.Scope, op string, args ...any) list {
	return s.CallMulti(op, args...)[0].([]*torch.Tensor)
}
