package trainers

import "github.com/tigas-train/tigas-train/cgo/torch"

// stats sums reported values on the device, so that nothing waits for it between two log lines.
type stats struct {
	scope *torch.Scope
	names []string // in the order of the first report
	sums  map[string]*torch.Tensor
	count map[string]int64
}

func newStats(s *torch.Scope) *stats {
	return &stats{scope: s, sums: map[string]*torch.Tensor{}, count: map[string]int64{}}
}

func (st *stats) add(name string, v *torch.Tensor) {
	sum, ok := st.sums[name]
	if !ok {
		sum = st.scope.Zeros([]int64{}, torch.Options{DType: torch.Float64, Device: v.Device()})
		st.sums[name] = sum
		st.names = append(st.names, name)
	}
	torch.NoGrad(func() { sum.Add_(v) })
	st.count[name]++
}

// take returns the means since the last call and starts anew. Names without a report in between are left out.
func (st *stats) take() []NamedValue {
	var out []NamedValue
	for _, name := range st.names {
		n := st.count[name]
		if n == 0 {
			continue
		}
		out = append(out, NamedValue{name, st.sums[name].Float64() / float64(n)})
		st.sums[name].Zero_()
		st.count[name] = 0
	}
	return out
}
