package tigas

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

func termOf(d *Detector, w float64, o LossOptions) *Term {
	return &Term{Detector: d, Options: o, Weight: sched.Constant{Value: w}}
}

// bits are the float32 elements, so that -0 and +0 differ and a NaN equals itself.
func bits(x *torch.Tensor) (b []uint32) {
	for _, v := range x.Detach().To(torch.Float32).Reshape(-1).Float32s() {
		b = append(b, math.Float32bits(v))
	}
	return b
}

// A finite term is the weight times the loss, value and gradient, to the last bit, though its gradient is taken apart.
func TestTermIsTheWeightTimesTheLoss(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d, err := Embedded(s, OpenOptions{Logit: true})
	require.NoError(t, err)
	z := s.Randn(nil, []int64{3, 3, 32, 32}).RequiresGrad(true)
	weights := s.FromFloat32s([]float32{0.5, 0, 2}, 3)
	for _, o := range []LossOptions{
		{Range: Symmetric}, {Range: Symmetric, Form: Log}, {Range: Symmetric, Form: Logit, Scales: []float64{1, 0.5}},
	} {
		for _, w := range []*torch.Tensor{nil, weights} {
			for _, form := range []func(x *torch.Tensor) *torch.Tensor{
				(*torch.Tensor).Tanh,
				func(x *torch.Tensor) *torch.Tensor { return x.Tanh().Transpose(2, 3) }, // not contiguous
			} {
				for _, dtype := range []torch.DType{torch.Float32, torch.Float64, torch.BFloat16} {
					if dtype == torch.BFloat16 && o.Scales != nil {
						continue // libtorch 1.13 cannot resize those
					}
					images := form(z).To(dtype)
					a := termOf(d, 0.3, o).ApplyWeighted(sched.Progress{}, images, w)
					raw, score := d.WeightedLoss(images, w, o)
					want := raw.MulScalar(0.3)
					require.Equal(t, want.DType(), a.Loss.DType())
					require.Equal(t, bits(want), bits(a.Loss))
					require.Equal(t, bits(raw), bits(a.Raw))
					require.Equal(t, bits(score), bits(a.Score))
					require.Zero(t, a.Dropped.Float64())
					require.False(t, a.Raw.IsGradRequired() || a.Score.IsGradRequired() || a.Dropped.IsGradRequired())
					g := func(loss *torch.Tensor) []uint32 {
						return bits(torch.Grad(loss, []*torch.Tensor{z}, torch.GradOptions{RetainGraph: true})[0])
					}
					require.Equal(t, g(want), g(a.Loss), "%v %v", o, dtype)
				}
			}
		}
	}
}

// undefined are detectors that are not finite, in value or gradient, where a pixel or an image is 0.
var undefined = map[string]string{
	"infinite gradient": "torch.sqrt(x).mean([1, 2, 3])",
	"NaN gradient":      "torch.sqrt(x * x).mean([1, 2, 3])", // infinity * 0
	"NaN":               "torch.sigmoid(x.mean([1, 2, 3]) / x.std([1, 2, 3]))",
	"infinity":          "0.1 * (x.mean([1, 2, 3]) + 0.1) / x.amax([1, 2, 3])",
}

// A term that is not finite adds nothing, to the last bit, whatever else the loss is; the next one is used again.
func TestTermThatIsNotFiniteIsDropped(t *testing.T) {
	for name, score := range undefined {
		t.Run(name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			d := open(t, s, script(t, "def forward(self, x: Tensor) -> Tensor:\n    return "+score+"\n"))
			z := s.Rand(nil, []int64{2, 3, 4, 4}).RequiresGrad(true)
			signs := s.FromFloat32s([]float32{0, float32(math.Copysign(0, -1)), 3, -2}, 4) // gradients of other terms
			gradient := func(loss *torch.Tensor) []uint32 {
				return bits(torch.Grad(loss, []*torch.Tensor{z}, torch.GradOptions{RetainGraph: true})[0])
			}
			bad := s.Ones([]int64{2, 1, 1, 1})
			torch.NoGrad(func() { bad.Narrow(0, 0, 1).Zero_() })
			for _, step := range []struct {
				images  *torch.Tensor
				dropped float64
			}{{z.Mul(bad), 1}, {z.AddScalar(0.1), 0}} {
				alone := step.images.Mul(signs).Sum()
				a := termOf(d, 0.3, LossOptions{}).Apply(sched.Progress{}, step.images)
				require.Equal(t, step.dropped, a.Dropped.Float64())
				both := alone.Add(a.Loss)
				if step.dropped == 1 {
					require.Zero(t, a.Loss.Float64())
					require.Zero(t, a.Raw.Float64())
					require.Zero(t, a.Score.Float64())
					require.Equal(t, bits(alone), bits(both))
					require.Equal(t, gradient(alone), gradient(both))
				} else {
					require.Positive(t, a.Score.Float64())
					require.NotEqual(t, gradient(alone), gradient(both))
				}
			}
			// The loss as a function is what it is.
			loss, _ := d.Loss(z.Mul(bad), LossOptions{})
			g := torch.Grad(loss, []*torch.Tensor{z}, torch.GradOptions{})[0]
			require.False(t, loss.IsFinite().Bool() && g.IsFinite().All().Bool())
		})
	}
}

// Images that are not finite themselves make no other value of a term that is dropped.
func TestTermOfNaNImages(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d := open(t, s, script(t, sigmoidOfMean))
	x := s.Full([]int64{1, 3, 4, 4}, math.NaN()).RequiresGrad(true)
	a := termOf(d, 1, LossOptions{}).Apply(sched.Progress{}, x)
	require.Zero(t, a.Loss.Float64())
	require.EqualValues(t, 1, a.Dropped.Float64())
	require.Zero(t, torch.Grad(a.Loss, []*torch.Tensor{x}, torch.GradOptions{})[0].Norm().Float64())
}

// Without gradients the term only scores; it is dropped all the same.
func TestTermOfImagesWithoutGradient(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d := open(t, s, script(t, "def forward(self, x: Tensor) -> Tensor:\n    return "+undefined["NaN"]+"\n"))
	term := termOf(d, 0.5, LossOptions{})
	x := s.Rand(nil, []int64{2, 3, 4, 4})
	loss, score := d.Loss(x, LossOptions{})
	check := func(x *torch.Tensor) {
		a := term.Apply(sched.Progress{}, x)
		require.False(t, a.Loss.IsGradRequired())
		require.Equal(t, bits(loss.MulScalar(0.5)), bits(a.Loss))
		require.Equal(t, bits(score), bits(a.Score))
		require.Zero(t, a.Dropped.Float64())
	}
	check(x)
	torch.NoGrad(func() { check(x.Clone().RequiresGrad(true)) })
	a := term.Apply(sched.Progress{}, x.ZerosLike())
	require.EqualValues(t, 1, a.Dropped.Float64())
	require.Zero(t, a.Loss.Float64())
}

// What is computed on the way is freed; the results belong where those of an operation would.
func TestTermLeavesItsResults(t *testing.T) {
	root := torch.NewScope()
	defer root.Close()
	d := open(t, root, script(t, sigmoidOfMean))
	params := root.Child()
	x := params.Rand(nil, []int64{2, 3, 8, 8}).RequiresGrad(true)
	params.Seal()
	s := root.Child()
	weights := s.Ones([]int64{2})
	term := termOf(d, 1, LossOptions{Scales: []float64{1, 0.5}})
	before := torch.LiveTensors()
	a := term.ApplyWeighted(sched.Progress{}, x, weights)
	require.Equal(t, before+4, torch.LiveTensors())
	require.Same(t, s, a.Loss.Scope())
	require.ErrorIs(t, torch.Try(func() { term.Apply(sched.Progress{}, x) }), torch.ErrSealed)
	grey := s.Zeros([]int64{2, 1, 8, 8})
	require.ErrorContains(t, torch.Try(func() { term.Apply(sched.Progress{}, grey) }), "vs [N 3 H W]")
	require.ErrorContains(t, torch.Try(func() { term.ApplyWeighted(sched.Progress{}, x, weights.RequiresGrad(true)) }),
		"weights that require a gradient vs constants")
	require.Equal(t, before+5, torch.LiveTensors(), "a panic leaves tensors behind")
}

// The term is linear: who differentiates it twice by itself is told so.
func TestTermHasNoSecondDerivative(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	d := open(t, s, script(t, sigmoidOfMean))
	x := s.Rand(nil, []int64{2, 3, 8, 8}).RequiresGrad(true)
	a := termOf(d, 1, LossOptions{}).Apply(sched.Progress{}, x)
	g := torch.Grad(a.Loss, []*torch.Tensor{x}, torch.GradOptions{CreateGraph: true})[0]
	require.False(t, g.IsGradRequired())
	require.ErrorContains(t, torch.Try(func() { torch.Grad(g.Sum(), []*torch.Tensor{x}, torch.GradOptions{}) }), "does not require grad")
	loss, _ := d.Loss(x, LossOptions{})
	g = torch.Grad(loss, []*torch.Tensor{x}, torch.GradOptions{CreateGraph: true})[0]
	require.True(t, g.IsGradRequired())
}
