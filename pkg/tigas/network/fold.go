package network

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

// normEpsilon is what batch norms add to the variance.
const normEpsilon = 1e-5

// channelsLast is the number of that memory format in libtorch.
const channelsLast = 2

// Fold returns the folded form of a network ([Options.Folded]): its tensors in s, for [Define] as parameters, and its text.
//
// tensors are those of the network by their names in PyTorch's state dict, of the shapes of Arch.Write's specs, as [Recognise]
// returns them; they are left alone. A convolution with the batch norm after it becomes
//
//	weight * gamma / sqrt(variance + 1e-5)    [out, in, k, k]
//	(bias - mean) * gamma / sqrt(variance + 1e-5) + beta    [out]
//
// computed in float64 and rounded once to dtype: Float32, BFloat16 or Float16. The weights of the channel attention have that
// type too; all other tensors keep theirs and share their memory with those that were given. Weights of convolutions have
// channels last.
//
// It returns an error for another type, for tensors that are missing or have another shape, and for a folded weight that dtype
// cannot hold: float16 ends at 65504.
func Fold(s *torch.Scope, a Arch, tensors map[string]*torch.Tensor, dtype torch.DType) ([]jit.Named, *Text, error) {
	if dtype != torch.Float32 && dtype != torch.BFloat16 && dtype != torch.Float16 {
		return nil, nil, fmt.Errorf("network: fold: got the type %s vs float32, bfloat16 or float16", dtype)
	}
	plain, err := a.Write(Options{})
	if err != nil {
		return nil, nil, err
	}
	if err = fits(plain, tensors); err != nil {
		return nil, nil, err
	}
	text, err := a.Write(Options{Folded: true})
	if err != nil {
		return nil, nil, err
	}
	var out []jit.Named
	for _, sp := range text.Specs {
		err = s.Scoped(func(w *torch.Scope) (err error) {
			torch.NoGrad(func() {
				t := folded(w, text, sp.Name, tensors)
				if text.typed[sp.Name] {
					if t = t.To(dtype); !t.IsFinite().All().Bool() {
						err = fmt.Errorf("network: fold: got numbers in %s that %s cannot hold", sp.Name, dtype)
						return
					}
				}
				if len(sp.Shape) == 4 {
					t = torch.Call("aten::contiguous", t, channelsLast)
				}
				out = append(out, jit.Named{Name: sp.Name, Tensor: s.Adopt(t)})
			})
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return out, text, nil
}

// folded is the tensor of that name in w, with the batch norm that is in it.
func folded(w *torch.Scope, text *Text, name string, tensors map[string]*torch.Tensor) *torch.Tensor {
	t := w.Use(tensors[name]).Detach()
	i := strings.LastIndexByte(name, '.')
	norm, ok := text.norms[name[:max(i, 0)]]
	if !ok {
		return t
	}
	of := func(part string) *torch.Tensor { return w.Use(tensors[norm+part]).Detach().To(torch.Float64) }
	scale := of(".weight").Div(of(".running_var").AddScalar(normEpsilon).Sqrt())
	t = t.To(torch.Float64)
	if name[i:] == ".weight" {
		return t.Mul(scale.Reshape(-1, 1, 1, 1))
	}
	return t.Sub(of(".running_mean")).Mul(scale).Add(of(".bias"))
}

// fits returns a [*KeyError] when the text's tensors are not there with their shapes.
func fits(text *Text, tensors map[string]*torch.Tensor) error {
	var e KeyError
	for _, sp := range text.Specs {
		switch t := tensors[sp.Name]; {
		case t == nil:
			e.Missing = append(e.Missing, sp.Name)
		case !slices.Equal(t.Shape(), sp.Shape):
			e.Misshapen = append(e.Misshapen, fmt.Sprintf("%s %v vs %v", sp.Name, t.Shape(), sp.Shape))
		}
	}
	if e.Missing != nil || e.Misshapen != nil {
		return &e
	}
	return nil
}

var attentionAttr = regexp.MustCompile(`^p_perceptual_extractor_stage([1-9])_(\d{1,3})_channel_attn_fc_0_weight$`)

// Recognise finds the network that a module's parameters and buffers belong to, by the names that [Define] gives them, and
// returns them by their names in PyTorch's state dict. It is false for a module of something else: one whose tensors have other
// names or shapes, are more or fewer, or are not all float32. What the module computes with them it cannot know.
func Recognise(module []jit.Named) (a Arch, tensors map[string]*torch.Tensor, ok bool) {
	by := make(map[string]*torch.Tensor, len(module))
	blocks := map[int]int{}
	for _, n := range module {
		by[n.Name] = n.Tensor
		if m := attentionAttr.FindStringSubmatch(n.Name); m != nil {
			k, _ := strconv.Atoi(m[1])
			at, _ := strconv.Atoi(m[2])
			blocks[k] = max(blocks[k], at)
		}
	}
	width := func(name string) int {
		if t := by[attr(name)]; t != nil && len(t.Shape()) > 0 {
			return int(t.Size(0))
		}
		return 0
	}
	a = Arch{Base: width(stem + ".weight"), Feature: width("perceptual_aggregator.0.weight")}
	switch fast, full := width("aux_branch.0.weight") > 0, width("feature_fusion.fusion_weights") > 0; {
	case fast == full:
		return Arch{}, nil, false
	case fast:
		a.Mode = FastMode
	default:
		a.Mode = FullMode
	}
	for k := 1; blocks[k] > 0; k++ {
		a.Blocks = append(a.Blocks, blocks[k])
	}
	text, err := a.Write(Options{})
	if err != nil || len(text.Specs) != len(module) {
		return Arch{}, nil, false
	}
	tensors = make(map[string]*torch.Tensor, len(module))
	for _, sp := range text.Specs {
		want := torch.Float32
		if sp.Init == Counter {
			want = torch.Int64
		}
		t := by[sp.Attr()]
		if t == nil || t.DType() != want {
			return Arch{}, nil, false
		}
		tensors[sp.Name] = t
	}
	if fits(text, tensors) != nil {
		return Arch{}, nil, false
	}
	return a, tensors, true
}

// NewFolded is [Fold] as a module in s, in evaluation mode, nothing requiring gradients.
func NewFolded(s *torch.Scope, a Arch, tensors map[string]*torch.Tensor, dtype torch.DType) (*jit.Module, error) {
	work := torch.NewScope() // the module keeps what it was made of
	defer work.Close()
	params, text, err := Fold(work, a, tensors, dtype)
	if err != nil {
		return nil, err
	}
	m, err := Define(s, params, nil, text)
	if err != nil {
		return nil, err
	}
	return m, m.Train(false)
}
