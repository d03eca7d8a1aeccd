package nn

import (
	"iter"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// StateDict yields parameters and buffers with PyTorch's names, in the order of registration. A tensor that is shared by
// two modules comes under both names.
func StateDict(m any) iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		w := walker{tensor: func(e entry) bool { return yield(e.name, e.tensor) }}
		w.walk(m)
	}
}

// Params yields the parameters, each once: a shared one under its first name.
func Params(m any) iter.Seq2[string, *torch.Tensor] { return only(m, false) }

// Buffers yields the buffers, running statistics and counters, each once.
func Buffers(m any) iter.Seq2[string, *torch.Tensor] { return only(m, true) }

func only(m any, buffers bool) iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		seen := map[*torch.Tensor]bool{} // an optimiser must not update a shared parameter twice
		w := walker{tensor: func(e entry) bool {
			if e.buffer != buffers || seen[e.tensor] {
				return true
			}
			seen[e.tensor] = true
			return yield(e.name, e.tensor)
		}}
		w.walk(m)
	}
}

// ParamList is the parameters as a list, for optimisers and [torch.Grad].
func ParamList(m any) []*torch.Tensor { return list(Params(m)) }

// BufferList is the buffers as a list.
func BufferList(m any) []*torch.Tensor { return list(Buffers(m)) }

func list(seq iter.Seq2[string, *torch.Tensor]) []*torch.Tensor {
	var l []*torch.Tensor
	for _, t := range seq {
		l = append(l, t)
	}
	return l
}

// CountParams is the number of elements of all parameters.
func CountParams(m any) int64 {
	var n int64
	for _, p := range Params(m) {
		n += p.Numel()
	}
	return n
}

// RequireGrad says whether gradients are wanted for the parameters of m. A frozen network passes gradients on to its
// input all the same.
func RequireGrad(m any, on bool) {
	for _, p := range Params(m) {
		p.RequiresGrad(on)
	}
}

// Trainable is a layer that behaves differently in training.
type Trainable interface{ SetTraining(on bool) }

// Train sets training mode, or evaluation mode when on is false, for m and every [Trainable] in it.
func Train(m any, on bool) {
	w := walker{module: func(layer any) {
		if t, ok := layer.(Trainable); ok {
			t.SetTraining(on)
		}
	}}
	w.walk(m)
}
