package jit_test

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// A module is made of tensors and source text, without Python.
func ExampleDefine() {
	err := torch.Scoped(func(s *torch.Scope) error {
		m, err := jit.Define(s, []jit.Named{
			{Name: "weight", Tensor: s.FromFloat32s([]float32{2, 3}, 1, 2)},
			{Name: "bias", Tensor: s.FromFloat32s([]float32{1})},
		}, nil, `
def forward(self, x: Tensor) -> Tensor:
    return torch.linear(x, self.weight, self.bias)
`)
		if err != nil {
			return err
		}
		y := m.ForwardTensor(s.FromFloat32s([]float32{10, 20}))
		fmt.Println(torch.Slice[float32](y))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: [81]
}

// Frozen, a network is a function: its parameters are constants, gradients flow to its input only, and many goroutines
// may call it.
func ExampleModule_Freeze() {
	s := torch.NewScope()
	defer s.Close()
	m, err := jit.Define(s, []jit.Named{{Name: "scale", Tensor: s.Scalar(3)}}, nil, `
def forward(self, x: Tensor) -> Tensor:
    return (x * x).sum() * self.scale
`)
	if err == nil {
		err = m.Train(false)
	}
	if err == nil {
		m, err = m.Freeze(s)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	x := s.FromFloat32s([]float32{1, 2}).RequiresGrad(true)
	g := torch.Grad(m.ForwardTensor(x), []*torch.Tensor{x}, torch.GradOptions{})[0]
	fmt.Println(torch.Slice[float32](g))
	// Output: [6 12]
}

// A call may return more than a tensor.
func ExampleModule_Call() {
	s := torch.NewScope()
	defer s.Close()
	m, err := jit.Define(s, nil, nil, `
def describe(self, x: Tensor, name: str) -> Tuple[str, int, Tensor]:
    return name, x.numel(), x.mean()
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := m.Call("describe", s.Ones([]int64{2, 3}), "ones")
	if err != nil {
		fmt.Println(err)
		return
	}
	r := out.(jit.Tuple)
	fmt.Println(r[0], r[1], r[2].(*torch.Tensor).Float64())
	// Output: ones 6 1
}

func ExampleLoadBytes() {
	s := torch.NewScope()
	defer s.Close()
	_, err := jit.LoadBytes(s, []byte("not a network"), torch.CPU, "net.pt")
	fmt.Println(err)
	// Output: jit: load net.pt: got neither a TorchScript archive nor a checkpoint; want a TorchScript file, as torch.jit.save writes it
}

// A network that is written in Go becomes a module that Python loads, with the names of a state dict.
func ExampleTrace() {
	err := torch.Scoped(func(s *torch.Scope) error {
		w, b := s.FromFloat32s([]float32{2, 3}, 1, 2), s.FromFloat32s([]float32{1})
		net := func(x *torch.Tensor) *torch.Tensor { return x.MatMul(w.Transpose(0, 1)).Add(b) }

		m, err := jit.Trace(s, []jit.Named{{Name: "fc.weight", Tensor: w}, {Name: "fc.bias", Tensor: b}}, nil, jit.Method{
			Name: "forward", Args: []jit.Named{{Name: "x", Tensor: s.Zeros([]int64{1, 2})}},
			Run: func(in []*torch.Tensor) []*torch.Tensor { return []*torch.Tensor{net(in[0])} },
		})
		if err != nil {
			return err
		}
		archive, err := m.Bytes() // or m.Save("net.pt")
		if err != nil {
			return err
		}
		loaded, err := jit.LoadBytes(s, archive, torch.CPU, "net.pt")
		if err != nil {
			return err
		}
		params, err := loaded.Parameters(s)
		fmt.Println(params[0].Name, params[1].Name)
		fmt.Println(torch.Slice[float32](loaded.ForwardTensor(s.FromFloat32s([]float32{10, 20, 1, 1}, 2, 2))))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// fc.weight fc.bias
	// [81 6]
}
