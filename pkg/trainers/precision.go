package trainers

import (
	"fmt"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Precision is the arithmetic of the networks that are trained. Their weights, gradients, optimisers and losses are float32
// in all of them, and so are passes whose gradient is differentiated again: gradient penalties, R1 and path lengths.
type Precision string

// The precisions of `--precision`.
const (
	FP32 Precision = "fp32" // float32 as it is
	TF32 Precision = "tf32" // matrix products and convolutions of a GPU round their factors to 10 bits; on a CPU it is FP32
	BF16 Precision = "bf16" // autocast: the passes through the networks in bfloat16, what is float32 in TF32
)

// Precisions lists them in the order of the help text.
var Precisions = []Precision{FP32, TF32, BF16}

// ParsePrecision reads one of the names in [Precisions]; for another one it returns an error that lists them.
func ParsePrecision(s string) (Precision, error) {
	if p := Precision(s); slices.Contains(Precisions, p) {
		return p, nil
	}
	return "", fmt.Errorf("trainers: got the precision %q vs one of %v", s, Precisions)
}

// DType is the type that autocast casts to, torch.DefaultDType for precisions without autocast.
func (p Precision) DType() torch.DType {
	if p == BF16 {
		return torch.BFloat16
	}
	return torch.DefaultDType
}

// Switch sets what is the same for a whole process: TF32 in cuBLAS and cuDNN. A program calls it once, before it trains on a GPU;
// on a CPU it changes nothing.
func (p Precision) Switch(d torch.Device) error {
	if !d.IsCUDA() {
		return nil
	}
	w, err := cuda.ReadSwitches()
	if err != nil {
		return err
	}
	w.MatmulTF32, w.CuDNNTF32 = p != FP32, p != FP32
	return cuda.SetSwitches(w)
}

// Autocast runs a pass through a network in the run's precision, and returns its result in float32: images, or the numbers that
// losses are made of. Without autocast it only calls f. Passes whose gradient is differentiated again stay outside.
func (st *Step) Autocast(f func() *torch.Tensor) (out *torch.Tensor) {
	t := st.loop.o.Precision.DType()
	if t == torch.DefaultDType {
		return f()
	}
	torch.Autocast(st.loop.o.Device, t, func() { out = f() })
	return out.To(torch.Float32)
}
