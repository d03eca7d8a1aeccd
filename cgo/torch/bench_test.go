package torch_test

import (
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// BenchmarkAdd is the cost of one small operation with its result freed: the floor of everything else. To compare:
//
//	python3 -m timeit -s 'import torch; x = torch.ones(8, 8)' 'x + x'
func BenchmarkAdd(b *testing.B) {
	s := torch.NewScope()
	defer s.Close()
	x := s.Ones([]int64{8, 8})
	b.ReportAllocs()
	for b.Loop() {
		x.Add(x).Free()
	}
}

// BenchmarkAddGrad is BenchmarkAdd with recording.
func BenchmarkAddGrad(b *testing.B) {
	s := torch.NewScope()
	defer s.Close()
	x := s.Ones([]int64{8, 8}).RequiresGrad(true)
	b.ReportAllocs()
	for b.Loop() {
		x.Add(x).Free()
	}
}

func BenchmarkMulScalar(b *testing.B) {
	s := torch.NewScope()
	defer s.Close()
	x := s.Ones([]int64{8, 8})
	b.ReportAllocs()
	for b.Loop() {
		x.MulScalar(1.5).Free()
	}
}

// BenchmarkConv is a convolution with a nine-entry argument list on a small picture.
func BenchmarkConv(b *testing.B) {
	s := torch.NewScope()
	defer s.Close()
	x, w := s.Randn(nil, []int64{1, 3, 32, 32}), s.Randn(nil, []int64{8, 3, 3, 3})
	b.ReportAllocs()
	for b.Loop() {
		x.Conv2d(w, nil, torch.ConvOptions{Padding: 1}).Free()
	}
}

func BenchmarkScoped(b *testing.B) {
	root := torch.NewScope()
	defer root.Close()
	b.ReportAllocs()
	for b.Loop() {
		_ = root.Scoped(func(*torch.Scope) error { return nil })
	}
}

// BenchmarkScopedStep is a scope with twenty results, as a small step has it.
func BenchmarkScopedStep(b *testing.B) {
	root := torch.NewScope()
	defer root.Close()
	x := root.Ones([]int64{8, 8})
	b.ReportAllocs()
	for b.Loop() {
		_ = root.Scoped(func(s *torch.Scope) error {
			y := s.Use(x)
			for range 20 {
				y = y.Add(x)
			}
			return nil
		})
	}
}

func BenchmarkNoGrad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		torch.NoGrad(func() {})
	}
}

// BenchmarkForeach updates 200 tensors in one call, as an optimiser does.
func BenchmarkForeach(b *testing.B) {
	s := torch.NewScope()
	defer s.Close()
	var l []*torch.Tensor
	for range 200 {
		l = append(l, s.Ones([]int64{64}))
	}
	b.ReportAllocs()
	for b.Loop() {
		torch.CallMulti("aten::_foreach_mul_.Scalar", l, 1.0)
	}
}
