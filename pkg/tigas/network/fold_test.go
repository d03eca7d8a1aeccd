package network

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
)

func TestMain(m *testing.M) {
	if err := torch.SetNumThreads(1); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// The versions are names of files that were kept: a plain text that changes makes every conversion anew. These are of before
// there was a folded form.
func TestPlainTextsAreAsTheyWere(t *testing.T) {
	for _, c := range []struct {
		arch    Arch
		options Options
		want    string
	}{
		{Published(FastMode), Options{}, "5c05182f"},
		{Published(FastMode), Options{Training: true}, "d6fe441f"},
		{Published(FastMode), Options{Logits: true}, "0cdfc623"},
		{Published(FullMode), Options{}, "a24c6c13"},
		{Published(FullMode), Options{Training: true}, "1073181f"},
		{Published(FullMode), Options{Logits: true}, "26a034a5"},
		{Arch{FastMode, 8, 16, []int{1, 2}}, Options{}, "16c47a19"},
	} {
		text, err := c.arch.Write(c.options)
		require.NoError(t, err)
		require.Equal(t, c.want, text.Version(), "%v %v", c.arch, c.options)
	}
}

// randomNet is a network whose every tensor is random: weights as they start, but larger in the attentions and heads, so that
// they do something; statistics and affine parameters of norms far from 0 and 1.
func randomNet(t *testing.T, s *torch.Scope, a Arch) (*jit.Module, map[string]*torch.Tensor) {
	t.Helper()
	g, err := s.NewGenerator(torch.CPU, 7)
	require.NoError(t, err)
	n, err := New(s, g, a, torch.CPU)
	require.NoError(t, err)
	tensors := map[string]*torch.Tensor{}
	torch.NoGrad(func() {
		for _, p := range append(n.Params, n.Buffers...) {
			tensors[p.Name] = p.Tensor
			switch shape := p.Tensor.Shape(); {
			case p.Tensor.DType() == torch.Int64:
			case strings.HasSuffix(p.Name, ".running_var"):
				p.Tensor.Uniform_(0.3, 2, g)
			case len(shape) == 1 && strings.HasSuffix(p.Name, ".weight"): // of norms
				p.Tensor.Uniform_(0.5, 1.5, g)
			case len(shape) == 1:
				p.Tensor.Normal_(0, 0.2, g)
			case len(shape) == 2:
				p.Tensor.Normal_(0, 1/math.Sqrt(float64(shape[1])), g)
			}
		}
	})
	m, err := n.Export(s)
	require.NoError(t, err)
	return m, tensors
}

// scored are the scores of images, and the gradient of their sum.
func scored(t *testing.T, m *jit.Module, x *torch.Tensor) (score, grad *torch.Tensor) {
	t.Helper()
	x = x.Detach().RequiresGrad(true)
	score = m.ForwardTensor(x)
	require.Equal(t, torch.Float32, score.DType())
	grad = torch.Grad(score.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
	require.Equal(t, torch.Float32, grad.DType())
	return score.Detach(), grad
}

var smallArchs = []Arch{{FastMode, 8, 16, []int{2, 3, 4, 3}}, {FullMode, 8, 16, []int{2, 3, 4, 3}}, {FastMode, 16, 12, []int{1, 3}},
	{FullMode, 16, 12, []int{3}}}

func TestFoldedInFloat32(t *testing.T) {
	for _, a := range smallArchs {
		s := torch.NewScope()
		m, tensors := randomNet(t, s, a)
		f, err := NewFolded(s, a, tensors, torch.Float32)
		require.NoError(t, err)
		g, err := s.NewGenerator(torch.CPU, 8)
		require.NoError(t, err)
		for _, shape := range [][]int64{{3, 3, 32, 32}, {2, 3, 20, 44}, {1, 3, 33, 17}} {
			x := s.Rand(g, shape)
			want, wantGrad := scored(t, m, x)
			require.Greater(t, wantGrad.Norm().Float64(), 1e-4, "a gradient that says something")
			for range 3 { // the interpreter optimises from the second call on
				got, grad := scored(t, f, x)
				// float32 has 6e-8; some 20 layers of sums of up to a thousand products, in another order.
				require.InDeltaSlice(t, want.Reshape(-1).Float32s(), got.Reshape(-1).Float32s(), 1e-5, "%v %v", a, shape)
				require.Less(t, grad.Sub(wantGrad).Norm().Float64(), 1e-5*wantGrad.Norm().Float64()+1e-7, "%v %v", a, shape)
			}
		}
		heads, err := f.Call("heads", s.Rand(g, []int64{2, 3, 16, 16}))
		require.NoError(t, err)
		require.Equal(t, []int64{2, 2}, heads.(jit.Tuple)[1].(*torch.Tensor).Shape())
		s.Close()
	}
}

// The sensitivity of the test above: one of the folded quantities left out shows.
func TestFoldNeedsEveryPartOfANorm(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	a := Arch{FastMode, 8, 16, []int{1, 2}}
	m, tensors := randomNet(t, s, a)
	x := s.Rand(nil, []int64{2, 3, 16, 16})
	_, want := scored(t, m, x)
	for _, part := range []string{"weight", "bias", "running_mean", "running_var"} {
		name := "perceptual_extractor.stage1.0.1." + part
		kept := tensors[name]
		tensors[name] = kept.AddScalar(0.3).Detach()
		f, err := NewFolded(s, a, tensors, torch.Float32)
		require.NoError(t, err)
		tensors[name] = kept
		_, got := scored(t, f, x)
		require.Greater(t, got.Sub(want).Norm().Float64(), 1e-3*want.Norm().Float64(), part)
	}
}

func TestFoldTypes(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	a := Arch{FullMode, 8, 16, []int{2, 3}}
	_, tensors := randomNet(t, s, a)
	params, text, err := Fold(s, a, tensors, torch.BFloat16)
	require.NoError(t, err)
	require.Len(t, params, len(text.Specs))
	require.NotContains(t, text.Source, "batch_norm")
	for i, p := range params {
		require.Equal(t, text.Specs[i].Name, p.Name)
		require.Equal(t, text.Specs[i].Shape, p.Tensor.Shape())
		require.False(t, p.Tensor.IsGradRequired())
		want := torch.Float32
		if strings.HasPrefix(p.Name, "perceptual_extractor.") || strings.HasPrefix(p.Name, "aux_branch.0") || strings.HasPrefix(p.Name, "aux_branch.3") {
			want = torch.BFloat16
		}
		require.Equal(t, want, p.Tensor.DType(), p.Name)
	}
	// What was folded is rounded once: half a unit in the last of 8 bits.
	exact, _, err := Fold(s, a, tensors, torch.Float32)
	require.NoError(t, err)
	for i, p := range params {
		e := exact[i].Tensor
		require.True(t, p.Tensor.To(torch.Float32).Sub(e).Abs().Sub(e.Abs().MulScalar(1./256)).Max().Float64() <= 1e-12, p.Name)
	}

	_, _, err = Fold(s, a, tensors, torch.Float64)
	require.EqualError(t, err, "network: fold: got the type float64 vs float32, bfloat16 or float16")
	_, _, err = Fold(s, Arch{}, tensors, torch.Float32)
	require.ErrorContains(t, err, "network: got")
	const norm = "perceptual_extractor.stem.1.weight"
	gamma := tensors[norm]
	tensors[norm] = gamma.MulScalar(1e6).Detach()
	_, _, err = Fold(s, a, tensors, torch.Float16)
	require.EqualError(t, err, "network: fold: got numbers in perceptual_extractor.stem.0.weight that float16 cannot hold")
	delete(tensors, norm)
	_, _, err = Fold(s, a, tensors, torch.Float16)
	require.ErrorContains(t, err, "1 missing: "+norm)
	_, err = a.Write(Options{Folded: true, Training: true})
	require.ErrorContains(t, err, "folded")
}

func TestRecognise(t *testing.T) {
	for _, a := range append(smallArchs, Published(FullMode)) {
		s := torch.NewScope()
		n, err := New(s, nil, a, torch.CPU)
		require.NoError(t, err)
		tensorsOf := func(m *jit.Module) []jit.Named {
			params, err := m.Parameters(s)
			require.NoError(t, err)
			buffers, err := m.Buffers(s)
			require.NoError(t, err)
			return append(params, buffers...)
		}
		m, err := n.Export(s)
		require.NoError(t, err)
		all := tensorsOf(m)
		found, tensors, ok := Recognise(all)
		require.True(t, ok)
		require.Equal(t, a, found)
		require.Len(t, tensors, len(all))
		require.NotNil(t, tensors["perceptual_extractor.stem.0.weight"])

		refused := func(l []jit.Named, why string) {
			_, _, ok := Recognise(l)
			require.False(t, ok, why)
		}
		refused(nil, "nothing")
		refused(append([]jit.Named{{Name: "x", Tensor: s.Scalar(1)}}, all...), "one more")
		for i, p := range all {
			refused(append(append([]jit.Named{}, all[:i]...), all[i+1:]...), "without "+p.Name)
			if i%10 == 0 {
				l := append([]jit.Named{}, all...)
				l[i].Tensor = p.Tensor.To(torch.Float16)
				refused(l, p.Name+" of another type")
				l[i].Tensor = p.Tensor.Unsqueeze(0)
				refused(l, p.Name+" of another shape")
			}
		}
		s.Close()
	}
}
