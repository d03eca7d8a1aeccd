package torch_test

import (
	"fmt"
	"math"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// perceptron is a network with one hidden layer: y = w2 tanh(w1 x + b1) + b2.
type perceptron struct{ w1, b1, w2, b2 *torch.Tensor }

// newPerceptron makes the parameters in s, which is sealed then: no result of a formula can end up there.
func newPerceptron(s *torch.Scope, hidden int64) (*perceptron, error) {
	g, err := s.NewGenerator(torch.CPU, 1)
	if err != nil {
		return nil, err
	}
	p := &perceptron{w1: s.Randn(g, []int64{hidden, 1}), b1: s.Randn(g, []int64{hidden}),
		w2: s.Randn(g, []int64{1, hidden}).MulScalar_(1 / math.Sqrt(float64(hidden))), b2: s.Zeros([]int64{1})}
	for _, t := range p.params() {
		t.RequiresGrad(true)
	}
	s.Seal()
	return p, nil
}

func (p *perceptron) params() []*torch.Tensor { return []*torch.Tensor{p.w1, p.b1, p.w2, p.b2} }

// forward maps [N, 1] to [N, 1]; the result belongs to the scope of x.
func (p *perceptron) forward(x *torch.Tensor) *torch.Tensor {
	return x.Linear(p.w1, p.b1).Tanh().Linear(p.w2, p.b2)
}

// step moves every parameter against its gradient and returns the loss. All that it computes is freed when it returns.
func (p *perceptron) step(x, y *torch.Tensor, rate float64) (loss float64, err error) {
	err = x.Scope().Scoped(func(s *torch.Scope) error {
		l := p.forward(s.Use(x)).MSE(y)
		loss = l.Float64()
		for i, g := range torch.Grad(l, p.params(), torch.GradOptions{}) {
			torch.NoGrad(func() { p.params()[i].Sub_(g.MulScalar(rate)) })
		}
		return nil
	})
	return loss, err
}

// A whole training: a small network learns a sine. Packages nn and optim have layers and optimisers; nothing here needs
// them.
func Example_training() {
	root := torch.NewScope()
	defer root.Close()
	net, err := newPerceptron(root.Child(), 16)
	if err != nil {
		fmt.Println(err)
		return
	}
	x := root.Arange(0, 64, torch.Options{DType: torch.Float32}).Reshape(-1, 1).MulScalar(2 * math.Pi / 64).SubScalar(math.Pi)
	y := x.Sin()
	live := torch.LiveTensors()
	var first, last float64
	for i := range 1000 {
		if last, err = net.step(x, y, 0.1); err != nil {
			fmt.Println(err)
			return
		}
		if i == 0 {
			first = last
		}
	}
	fmt.Println("learned:", last < first/20, "- left behind:", torch.LiveTensors()-live)
	// Output: learned: true - left behind: 0
}
