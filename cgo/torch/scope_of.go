package torch

// ScopeOf is the scope that the result of an operation with these operands belongs to; nil tensors do not count. A function
// that works in a scope of its own, to free what it computed on the way, leaves its result there:
//
//	out := torch.ScopeOf("Attention", x, mask)
//	s := out.Child()
//	defer s.Close()
//	...
//	return out.Adopt(y)
//
// It panics as an operation with the name op does: when a tensor's scope is closed, when all of them are sealed, and when
// they are unrelated.
func ScopeOf(op string, ts ...*Tensor) *Scope {
	var in *Scope
	for _, t := range ts {
		if t != nil {
			t.handle(op)
			in = join(in, t.scope)
		}
	}
	(&operator{name: op}).wantScope(in, nil)
	return in
}
