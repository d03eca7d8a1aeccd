package tigas

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/tigas/internal/devicetest"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

// pictures are n demo pictures in [0, 1], as many fakes of noise, and as many pictures with noise on them.
func pictures(t *testing.T, s *torch.Scope, n int) map[string]*torch.Tensor {
	t.Helper()
	l, err := data.LoadImages(context.Background(), data.Range(data.NewDemo(embeddedSize, false), 0, n), embeddedSize, 0)
	require.NoError(t, err)
	demo := torch.FromSlice(s, l.Pixels, int64(n), 3, embeddedSize, embeddedSize).To(torch.Float32).DivScalar(255)
	g, err := s.NewGenerator(torch.CPU, 1)
	require.NoError(t, err)
	noise := s.Rand(g, demo.Shape())
	return map[string]*torch.Tensor{"demo": demo, "noise": noise, "both": demo.Lerp(noise, 0.2)}
}

// logitGradient is that of the sum of the values before the sigmoid, [N, 3 H W], which does not vanish where the detector is
// sure.
func logitGradient(d *Detector, x *torch.Tensor) *torch.Tensor {
	x = x.Detach().RequiresGrad(true)
	g := torch.Grad(d.run(d.logit, x).Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
	return g.Reshape(x.Size(0), -1)
}

// cosine is that of the angle between two gradients of a batch.
func cosine(a, b *torch.Tensor) float64 {
	return a.Mul(b).Sum().Float64() / (a.Norm().Float64() * b.Norm().Float64())
}

func largest(a, b *torch.Tensor) float64 {
	return a.Detach().ToDevice(torch.CPU).Sub(b.Detach().ToDevice(torch.CPU)).Abs().Max().Float64()
}

// Scores in bfloat16, which has 8 bits, against those in float32. Measured on a CPU over 64 pictures of each kind: the largest
// difference is 0.0026, the mean 0.0002; the cosine of the gradients of a batch is 0.977 for the demo pictures, 0.966 with
// noise on them and 0.85 for noise, where a pixel more or less moves the maxima and the kinks that gradients run through.
// The limits leave room for other kernels.
const (
	bfloat16Score    = 0.01
	bfloat16Gradient = 0.75
)

func TestEmbeddedInBFloat16(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	full, err := Embedded(s, OpenOptions{Logit: true})
	require.NoError(t, err)
	require.Equal(t, torch.Float32, full.DType)
	require.Zero(t, full.ScoreError)
	half, err := Embedded(s, OpenOptions{Logit: true, DType: torch.BFloat16})
	require.NoError(t, err)
	require.Equal(t, torch.BFloat16, half.DType)
	require.Greater(t, half.ScoreError, 0.0, "it rounds")
	require.Less(t, half.ScoreError, bfloat16Score)
	require.True(t, half.HasLogit())
	require.Zero(t, half.Calls())
	require.Equal(t, full.SHA256, half.SHA256)
	require.Equal(t, full.Output, half.Output)
	hash, err := half.ParamsSHA256()
	require.NoError(t, err)

	for name, x := range pictures(t, s, 16) {
		want, got := full.Score(x), half.Score(x)
		require.Equal(t, torch.Float32, got.DType())
		require.Less(t, largest(got, want), bfloat16Score, name)
		a, b := logitGradient(full, x), logitGradient(half, x)
		require.Equal(t, torch.Float32, b.DType())
		require.Greater(t, cosine(a, b), bfloat16Gradient, name)
		if name != "noise" { // of which one image in 16 has most of the gradient
			require.InDelta(t, 1, b.Norm().Float64()/a.Norm().Float64(), 0.2, name)
		}

		// Neither autocast nor the type of the images changes what is computed.
		torch.Autocast(torch.CPU, torch.BFloat16, func() {
			require.Equal(t, bits(got), bits(half.Score(x)))
		})
		narrow := x.To(torch.BFloat16)
		require.Equal(t, bits(half.Score(narrow.To(torch.Float32))), bits(half.Score(narrow)))
	}
	loss, _ := half.Loss(s.Rand(nil, []int64{2, 3, 32, 32}), LossOptions{Form: Logit, Scales: []float64{1, 0.5}})
	require.Equal(t, torch.Float32, loss.DType())
	after, err := half.ParamsSHA256()
	require.NoError(t, err)
	require.Equal(t, hash, after)

	// What is kept is the half network alone.
	large, err := full.score.Bytes()
	require.NoError(t, err)
	small, err := half.score.Bytes()
	require.NoError(t, err)
	require.Less(t, len(small), len(large)*7/10)
}

// Folding by itself: the same scores and gradients but for rounding, for trained weights.
func TestEmbeddedFoldedInFloat32(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	m, err := jit.LoadBytes(s, embedded, torch.CPU, "embedded")
	require.NoError(t, err)
	require.NoError(t, freeze(m))
	params, err := m.Parameters(s)
	require.NoError(t, err)
	buffers, err := m.Buffers(s)
	require.NoError(t, err)
	a, tensors, ok := network.Recognise(append(params, buffers...))
	require.True(t, ok)
	f, err := network.NewFolded(s, a, tensors, torch.Float32)
	require.NoError(t, err)
	for name, x := range pictures(t, s, 8) {
		want, err := scoresOf(m, x)
		require.NoError(t, err)
		got, err := scoresOf(f, x)
		require.NoError(t, err)
		require.InDeltaSlice(t, want, got, 1e-5, name) // float32, sums in another order
		x = x.Detach().RequiresGrad(true)
		wantGrad, err := gradient(func(x *torch.Tensor) *torch.Tensor { return m.MustCall("logit", x).(*torch.Tensor) }, x)
		require.NoError(t, err)
		gotGrad, err := gradient(func(x *torch.Tensor) *torch.Tensor { return f.MustCall("logit", x).(*torch.Tensor) }, x)
		require.NoError(t, err)
		require.Less(t, gotGrad.Sub(wantGrad).Norm().Float64(), 1e-4*wantGrad.Norm().Float64(), name)
	}
}

func TestOpenCheckpointInBFloat16(t *testing.T) {
	for _, mode := range []network.Mode{network.FastMode, network.FullMode} {
		t.Run(string(mode), func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			path, net := checkpoint(t, s, mode)
			kept := filepath.Join(t.TempDir(), "torchscript")
			x := s.Rand(nil, []int64{2, 3, 20, 12})
			want := net.ForwardTensor(x).Reshape(-1)
			for range 2 { // the second time from what was kept, which is float32
				live := torch.LiveTensors()
				d, err := Open(s, path, OpenOptions{Height: 16, DType: torch.BFloat16, Converted: kept})
				require.NoError(t, err)
				require.Equal(t, live, torch.LiveTensors())
				require.Equal(t, torch.BFloat16, d.DType)
				require.FileExists(t, d.Converted)
				require.False(t, d.HasLogit())
				require.Less(t, largest(d.Score(x).Detach(), want), 1e-3) // of random weights that say little
			}
		})
	}
}

// A dict as `detector convert --logits` writes it has the same tensors, and its score is computed alone.
func TestOpenDictInBFloat16(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	net, err := network.New(s, nil, network.Arch{Base: 8, Feature: 16, Blocks: []int{1, 2}}, torch.CPU)
	require.NoError(t, err)
	text, err := net.Arch.Write(network.Options{Logits: true})
	require.NoError(t, err)
	m, err := network.Define(s, net.Params, net.Buffers, text)
	require.NoError(t, err)
	file, err := m.Bytes()
	require.NoError(t, err)
	d, err := OpenBytes(s, file, "dict", OpenOptions{DType: torch.BFloat16, Logit: true})
	require.NoError(t, err)
	require.Equal(t, "dict", d.Output)
	require.Equal(t, torch.BFloat16, d.DType)
	require.True(t, d.HasLogit())
	require.Equal(t, []int64{2}, d.Score(s.Rand(nil, []int64{2, 3, 16, 16})).Shape())
}

// Networks of others stay in float32: those of other tensors, and those that compute something else with the same.
func TestForeignNetworksStayInFloat32(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d, err := Open(s, script(t, sigmoidOfMean), OpenOptions{Height: 16, DType: torch.BFloat16})
	require.NoError(t, err)
	require.Equal(t, torch.Float32, d.DType)
	require.Zero(t, d.ScoreError)

	net, err := network.New(s, nil, network.Arch{Base: 8, Feature: 16, Blocks: []int{1}}, torch.CPU)
	require.NoError(t, err)
	text, err := net.Arch.Write(network.Options{})
	require.NoError(t, err)
	for name, change := range map[string]string{
		"another score": "\ndef forward(self, image: Tensor) -> Tensor:\n    return 0.5 * torch.sigmoid(self.logit(image))\n",
		"no logit":      "\ndef forward(self, x: Tensor) -> Tensor:\n    return torch.sigmoid(x.mean([1, 2, 3]))\n",
	} {
		source := change
		if name == "another score" {
			i := len(text.Source) - len("def forward(self, image: Tensor) -> Tensor:\n    return torch.clamp(torch.sigmoid(self.logit(image)), 0., 1.)\n")
			source = text.Source[:i] + change
		}
		m, err := network.Define(s, net.Params, net.Buffers, &network.Text{Source: source})
		require.NoError(t, err)
		file, err := m.Bytes()
		require.NoError(t, err)
		d, err := OpenBytes(s, file, name, OpenOptions{DType: torch.BFloat16})
		require.NoError(t, err)
		require.Equal(t, torch.Float32, d.DType, name)
	}
}

func TestTypesThatADetectorCannotHave(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	before := torch.LiveTensors()
	_, err := Embedded(s, OpenOptions{DType: torch.Float64})
	require.EqualError(t, err, "tigas: detector embedded: got the type float64 vs float32, bfloat16 or float16")
	d, err := Embedded(s, OpenOptions{DType: torch.Float32})
	require.NoError(t, err)
	require.Equal(t, torch.Float32, d.DType)
	half, err := Embedded(s, OpenOptions{DType: torch.Float16, Logit: true})
	if err != nil { // libtorch before 2.2 has no convolution of that type on the CPU
		require.ErrorContains(t, err, "tigas: detector embedded: cannot compute in float16 on cpu: ")
		require.NotContains(t, err.Error(), "\n")
	}
	require.Equal(t, before, torch.LiveTensors())
	if half == nil {
		return
	}
	require.Less(t, half.ScoreError, 0.003) // three more bits than bfloat16 has
	full, err := Embedded(s, OpenOptions{Logit: true})
	require.NoError(t, err)
	for name, x := range pictures(t, s, 8) {
		require.Less(t, largest(half.Score(x), full.Score(x)), 0.003, name)
		c := cosine(logitGradient(full, x), logitGradient(half, x))
		t.Logf("%s: cosine of the gradients %.4f", name, c)
		require.Greater(t, c, 0.9, name)
	}
}

// In float16 gradients are scaled on their way through the network, which must not show.
func TestScaledGradients(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := s.Rand(nil, []int64{2, 3, 8, 16}).RequiresGrad(true)
	inside := 0.0
	f := func(x *torch.Tensor) *torch.Tensor { return x.Square().Add(x).SumDim([]int64{1, 2, 3}, false) }
	want := torch.Grad(f(x).Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
	y := scaled(func(x *torch.Tensor) *torch.Tensor {
		out := f(x)
		inside = torch.Grad(withGradient(f(x), 128).Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0].Norm().Float64()
		return out
	}, x)
	require.Equal(t, bits(f(x)), bits(y))
	got := torch.Grad(y.Sum(), []*torch.Tensor{x}, torch.GradOptions{})[0]
	require.Equal(t, bits(want.Reshape(-1)), bits(got.Reshape(-1)), "a power of two: the same bits")
	require.InEpsilon(t, 128*want.Norm().Float64(), inside, 1e-6)
	torch.NoGrad(func() { require.Equal(t, bits(f(x)), bits(scaled(f, x.Detach()))) })
}

func TestDetectorOnCUDA(t *testing.T) {
	gpu := devicetest.GPU(t)
	devicetest.ExactFloat32(t)
	s := torch.NewScope()
	defer s.Close()
	want, err := Embedded(s, OpenOptions{Logit: true})
	require.NoError(t, err)
	for _, c := range []struct {
		dtype        torch.DType
		score, angle float64 // the score's difference, and the least cosine
	}{
		{torch.Float32, 1e-4, 0.9999}, // float32 in another order
		{torch.BFloat16, 0.03, bfloat16Gradient},
		{torch.Float16, 0.01, 0.9}, // eight times as fine
	} {
		d, err := Embedded(s, OpenOptions{Device: gpu, DType: c.dtype, Logit: true})
		require.NoError(t, err)
		require.Equal(t, c.dtype, d.DType)
		require.Less(t, d.ScoreError, c.score)
		for name, x := range pictures(t, s, 64) {
			y := x.ToDevice(gpu)
			for range 3 { // the interpreter optimises from the second call on
				require.Less(t, largest(d.Score(y), want.Score(x)), c.score, "%s %s", c.dtype, name)
				a, b := logitGradient(want, x), logitGradient(d, y).ToDevice(torch.CPU)
				require.Greater(t, cosine(a, b), c.angle, "%s %s", c.dtype, name)
				if c.dtype == torch.Float32 {
					// A ReLU or maximum at its kink may fall to the other side: then the gradient jumps, a little.
					require.Less(t, b.Sub(a).Norm().Float64(), 1e-3*a.Norm().Float64(), name)
				}
			}
		}
	}
}
