package torch_test

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// attention is softmax(q kᵀ / sqrt(D)) v for q, k and v [N, D]. Its intermediate results are freed when it returns; its
// result joins the operands' scope, as that of a method of Tensor would. Gradients flow through: what they need of the
// intermediate results is kept by the graph.
func attention(q, k, v *torch.Tensor) *torch.Tensor {
	out := torch.ScopeOf("attention", q, k, v)
	s := out.Child()
	defer s.Close()
	scores := s.Use(q).MatMul(s.Use(k).Transpose(0, 1)).DivScalar(math.Sqrt(float64(q.Size(1))))
	return out.Adopt(scores.Softmax(1).MatMul(v))
}

// A function that works in a scope of its own, and leaves its result where one would look for it.
func ExampleScopeOf() {
	s := torch.NewScope()
	defer s.Close()
	q := s.FromFloat32s([]float32{100, 0, 0, 100}, 2, 2).RequiresGrad(true)
	k := s.FromFloat32s([]float32{0, 1, 1, 0}, 2, 2)
	v := s.FromFloat32s([]float32{1, 2, 3, 4}, 2, 2)
	n := s.Len()
	y := attention(q, k, v)
	fmt.Printf("%.0f, %d tensor more\n", y.Float32s(), s.Len()-n) // each query finds the other one's key
	g := torch.Grad(y.Sum(), []*torch.Tensor{q}, torch.GradOptions{})[0]
	fmt.Println(g.Shape())
	// Output:
	// [3 4 1 2], 1 tensor more
	// [2 2]
}
