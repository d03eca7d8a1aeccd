package trainers

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// Precision is the arithmetic of the networks that are trained. Their weights, gradients, optimisers and losses are float32
// in all of them, and so are passes whose gradient is differentiated again: gradient penalties, R1 and path lengths.
type Precision string

// The precisions of `--precision`.
const (
	FP32 Precision = "fp32" // float32 as it is
	TF32 Precision = "tf32" // matrix products and convolutions of a GPU round their factors to 10 bits; on a CPU it is FP32
	BF16 Precision = "bf16" // autocast: the passes through the networks in bfloat16, what is float32 in TF32
	// FP16 is BF16 in float16, which has three bits more of precision and a range that gradients fall out of: losses are scaled,
	// see [optim.GradScaler]. It is for GPUs.
	FP16 Precision = "fp16"
)

// Precisions lists them in the order of the help text.
var Precisions = []Precision{FP32, TF32, BF16, FP16}

// ParsePrecision reads one of the names in [Precisions]; for another one it returns an error that lists them.
func ParsePrecision(s string) (Precision, error) {
	if p := Precision(s); slices.Contains(Precisions, p) {
		return p, nil
	}
	return "", fmt.Errorf("trainers: got the precision %q vs one of %v", s, Precisions)
}

// DType is the type that autocast casts to, torch.DefaultDType for precisions without autocast.
func (p Precision) DType() torch.DType {
	switch p {
	case BF16:
		return torch.BFloat16
	case FP16:
		return torch.Float16
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
	if t == torch.DefaultDType || st.loop.uncast {
		return f()
	}
	torch.Autocast(st.loop.o.Device, t, func() { out = f() })
	return out.To(torch.Float32)
}

// check refuses float16 where nothing is gained by it.
func (p Precision) check(d torch.Device) error {
	if p == FP16 && !resident(d) {
		return fmt.Errorf("trainers: the precision fp16 wants a GPU, and this is %v: bf16 works on a CPU too", d)
	}
	return nil
}

// scalerPrefix begins the names of the scalers' state in a snapshot: loop.scaler.G.scale.
const scalerPrefix = loopPrefix + "scaler."

// scalers are those of a run in float16, by learner.
type scalers struct {
	scope *torch.Scope // of all of them
	by    map[string]*optim.GradScaler
}

// scaler is the one of a learner, new if there was none, and nil in a run of another precision.
func (l *loop) scaler(name string) *optim.GradScaler {
	if l.o.Precision != FP16 {
		return nil
	}
	if l.scalers.by == nil {
		l.scalers = scalers{l.scope.Child(), map[string]*optim.GradScaler{}}
	}
	g := l.scalers.by[name]
	if g == nil {
		g = optim.NewGradScaler(l.scalers.scope, l.o.Device, optim.GradScalerOptions{})
		l.scalers.by[name] = g
	}
	return g
}

// scalerStates is what a snapshot holds of the scalers.
func (l *loop) scalerStates() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		for _, name := range slices.Sorted(maps.Keys(l.scalers.by)) {
			for slot, t := range l.scalers.by[name].State() {
				if !yield(scalerPrefix+name+"."+slot, t) {
					return
				}
			}
		}
	}
}

// loadScalers restores them from a snapshot. Those that it has not, since its run had another precision or had just begun, begin
// anew. No graph may refer to those that there were.
func (l *loop) loadScalers(saved map[string]*torch.Tensor) error {
	if l.scalers.by != nil {
		l.scalers.scope.Close()
		l.scalers = scalers{}
	}
	if l.o.Precision != FP16 {
		return nil
	}
	states := map[string]map[string]*torch.Tensor{}
	for name, t := range saved {
		rest, ok := strings.CutPrefix(name, scalerPrefix)
		if dot := strings.LastIndexByte(rest, '.'); ok && dot > 0 {
			learner := rest[:dot]
			if states[learner] == nil {
				states[learner] = map[string]*torch.Tensor{}
			}
			states[learner][rest[dot+1:]] = t
		}
	}
	for name, state := range states {
		if err := l.scaler(name).LoadState(state); err != nil {
			return fmt.Errorf("scaler %s: %w", name, err)
		}
	}
	return nil
}

// scalePrefix begins the names of the scales in the log.
const scalePrefix = "scale_"

// reportScales adds them to the log as they are now.
func (l *loop) reportScales() error {
	return l.scope.Scoped(func(s *torch.Scope) error {
		for _, name := range slices.Sorted(maps.Keys(l.scalers.by)) {
			l.stats.add(scalePrefix+name, l.scalers.by[name].Value(s))
		}
		return nil
	})
}
