package metric

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Stats are the mean and covariance of features, accumulated in float64. They belong to the scope given to [NewStats].
type Stats struct {
	n          int64
	sum, outer *torch.Tensor // [D], [D, D]
}

// NewStats starts an empty accumulation of features of width d.
func NewStats(s *torch.Scope, d int64) *Stats {
	o := torch.Options{DType: torch.Float64}
	return &Stats{sum: s.Zeros([]int64{d}, o), outer: s.Zeros([]int64{d, d}, o)}
}

// Add takes features [N, D]. It panics on another width.
func (st *Stats) Add(features *torch.Tensor) {
	s := torch.NewScope()
	defer s.Close()
	torch.NoGrad(func() {
		f := s.Use(features).Detach().ToDevice(torch.CPU).To(torch.Float64)
		st.n += f.Size(0)
		st.sum.Add_(f.SumDim([]int64{0}, false))
		st.outer.Add_(f.Transpose(0, 1).MatMul(f))
	})
}

// N is the number of feature vectors so far.
func (st *Stats) N() int64 { return st.n }

// moments returns the mean [D] and the covariance [D, D], divided by N-1 as numpy.cov does, in s.
func (st *Stats) moments(s *torch.Scope) (mean, cov *torch.Tensor) {
	n := float64(st.n)
	mean = s.Use(st.sum).DivScalar(n)
	outer := mean.Unsqueeze(1).MatMul(mean.Unsqueeze(0))
	return mean, s.Use(st.outer).Sub(outer.MulScalar(n)).DivScalar(n - 1)
}

// Frechet is the squared Fréchet distance of two Gaussians with the moments of a and b (Heusel et al. 2017, arXiv
// 1706.08500):
//
//	|m1 - m2|² + tr C1 + tr C2 - 2 tr (C1 C2)^½
//
// The last trace is the sum of the roots of the eigenvalues of R C2 R with R = C1^½, which is symmetric: a general matrix
// root can come out complex for nearly singular covariances. It returns an error for fewer than two vectors.
func Frechet(a, b *Stats) (distance float64, err error) {
	if a.n < 2 || b.n < 2 {
		return 0, fmt.Errorf("metric: got %d and %d feature vectors vs at least 2 each", a.n, b.n)
	}
	err = torch.Scoped(func(s *torch.Scope) error {
		m1, c1 := a.moments(s)
		m2, c2 := b.moments(s)
		eig := torch.CallMulti("aten::linalg_eigh", c1)
		values, vectors := eig[0].(*torch.Tensor), eig[1].(*torch.Tensor)
		root := vectors.Mul(values.ClampMin(0).Sqrt()).MatMul(vectors.Transpose(0, 1))
		mixed := torch.Call("aten::linalg_eigvalsh", root.MatMul(c2).MatMul(root))
		trace := mixed.ClampMin(0).Sqrt().Sum()
		d := m1.Sub(m2).Square().Sum()
		traces := torch.Call("aten::trace", c1).Add(torch.Call("aten::trace", c2))
		distance = d.Add(traces).Sub(trace.MulScalar(2)).Float64()
		return nil
	})
	return distance, err
}
