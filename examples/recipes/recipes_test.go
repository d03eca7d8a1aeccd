package recipes

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// recorded is an optimiser that keeps the gradients that it is given.
type recorded struct {
	optim.Optimizer
	grads [][]float32
}

func (r *recorded) Step(grads []*torch.Tensor) {
	r.grads = nil
	for _, g := range grads {
		r.grads = append(r.grads, g.Float32s())
	}
}

const size = 16

// linear is a network of one matrix from n numbers to an image, squashed, or from an image to m numbers.
func linear(s *torch.Scope, gen *torch.Generator, n, m int64, image bool) (Network, *recorded) {
	w := s.Randn(gen, []int64{n, m}).MulScalar(1 / math.Sqrt(float64(n))).RequiresGrad(true)
	r := &recorded{}
	return Network{Params: []*torch.Tensor{w}, Optimizer: r, Forward: func(x *torch.Tensor) *torch.Tensor {
		y := x.Reshape(x.Size(0), -1).MatMul(w)
		if image {
			y = y.Reshape(-1, 3, size, size).Tanh()
		}
		return y
	}}, r
}

// Each recipe's term adds the weight times the gradient of the TIGAS loss to the gradient of what it trains, and nothing else.
func TestTermsAddTheirGradient(t *testing.T) {
	const weight = 0.3
	for name, run := range map[string]func(s *torch.Scope, gen *torch.Generator, term tigas.Term) *recorded{
		"generator": func(s *torch.Scope, gen *torch.Generator, term tigas.Term) *recorded {
			g, r := linear(s, gen, 8, 3*size*size, true)
			d, _ := linear(s, gen, 3*size*size, 1, false)
			Generator(term, sched.Progress{}, g, d, s.Randn(gen, []int64{4, 8}))
			return r
		},
		"style": func(s *torch.Scope, gen *torch.Generator, term tigas.Term) *recorded {
			g, r := linear(s, gen, 8, 6, false)
			synthesis, _ := linear(s, gen, 6, 3*size*size, true)
			d, _ := linear(s, gen, 3*size*size, 1, false)
			map3 := g.Forward
			g.Forward = func(x *torch.Tensor) *torch.Tensor { return map3(x).Unsqueeze(1) } // [N, L, D], as styles are
			StyleGenerator(term, sched.Progress{}, g, d, synthesis, s.Randn(gen, []int64{4, 8}), s.Randn(gen, []int64{4, 3, size, size}), s.Scalar(0))
			return r
		},
		"vae": func(s *torch.Scope, gen *torch.Generator, term tigas.Term) *recorded {
			e, r := linear(s, gen, 3*size*size, 2*5, false)
			d, _ := linear(s, gen, 5, 3*size*size, true)
			VAE(term, sched.Progress{}, e, d, s.Rand(gen, []int64{4, 3, size, size}), s.Randn(gen, []int64{4, 5}))
			return r
		},
		"diffusion": func(s *torch.Scope, gen *torch.Generator, term tigas.Term) *recorded {
			n, r := linear(s, gen, 3*size*size, 3*size*size, true)
			noise, err := sched.NewNoise(sched.CosineNoise, 1000)
			require.NoError(t, err)
			Diffusion(term, sched.Progress{}, func(xt, _ *torch.Tensor) *torch.Tensor { return n.Forward(xt) }, n,
				s.Rand(gen, []int64{4, 3, size, size}), s.Randn(gen, []int64{4, 3, size, size}), noise, []int{3, 900, 150, 250})
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, torch.Scoped(func(root *torch.Scope) error {
				det, err := tigas.Embedded(root, tigas.OpenOptions{})
				require.NoError(t, err)
				gradient := func(w float64) [][]float32 {
					s := root.Child()
					defer s.Close()
					gen, err := s.NewGenerator(torch.CPU, 1)
					require.NoError(t, err)
					return run(s, gen, tigas.Term{Detector: det, Weight: sched.Constant{Value: w}, Options: tigas.LossOptions{Range: tigas.Symmetric}}).grads
				}
				none, one, some := gradient(0), gradient(1), gradient(weight)
				require.NotEmpty(t, none)
				for i := range none {
					largest, differ := 0.0, false
					for k := range none[i] {
						largest = max(largest, math.Abs(float64(one[i][k])))
						differ = differ || one[i][k] != none[i][k]
					}
					require.True(t, differ, "the term has no gradient")
					for k := range none[i] {
						want := (1-weight)*float64(none[i][k]) + weight*float64(one[i][k])
						require.InDelta(t, want, some[i][k], 2e-6*largest, "float32 sums") // linear in the weight
					}
				}
				return nil
			}))
		})
	}
}

// The other steps run, and do what their names say.
func TestSteps(t *testing.T) {
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		det, err := tigas.Embedded(s, tigas.OpenOptions{})
		require.NoError(t, err)
		gen, err := s.NewGenerator(torch.CPU, 1)
		require.NoError(t, err)
		g, ofG := linear(s, gen, 8, 3*size*size, true)
		d, ofD := linear(s, gen, 3*size*size, 1, false)
		noise := s.Randn(gen, []int64{4, 8})

		require.True(t, Simple(det, g, noise).IsFinite().All().Bool())
		require.NotEmpty(t, ofG.grads)
		ofG.grads = nil
		adversarial, term := WithAdversary(det, g, d, noise)
		require.Positive(t, adversarial.Float64())
		require.Positive(t, term.Float64())
		require.NotEmpty(t, ofG.grads)
		require.Empty(t, ofD.grads, "the critic gets no gradient")
		Critic(g, d, s.Rand(gen, []int64{4, 3, size, size}), noise, gen)
		require.NotEmpty(t, ofD.grads)

		fake := g.Forward(noise)
		require.NoError(t, Clipped(g, fake.MulScalar(1e6).Sum()))
		norm := 0.0
		for _, v := range ofG.grads[0] {
			norm += float64(v) * float64(v)
		}
		require.InDelta(t, 1, math.Sqrt(norm), 1e-4)
		ofG.grads = nil
		require.ErrorContains(t, Clipped(g, g.Forward(noise).MulScalar(math.Inf(1)).Sum()), "gradient norm is")
		require.Empty(t, ofG.grads, "a step was made")

		at := func(term tigas.Term, p sched.Progress) float64 { return term.Due(p) }
		scheduled, err := Schedule(det)
		require.NoError(t, err)
		for epoch, want := range map[float64]float64{0: 0, 5: 0.05, 10: 0.1, 50: 0.1} {
			require.InDelta(t, want, at(scheduled, sched.Progress{Epoch: epoch}), 1e-12)
		}
		every, err := Every(det)
		require.NoError(t, err)
		sum := 0.0
		for step := range int64(100) {
			sum += at(every, sched.Progress{Step: step}) / 100
		}
		require.InDelta(t, 0.1, sum, 1e-12)

		x := g.Forward(noise).Detach().RequiresGrad(true)
		grad := torch.Grad(MultiScale(det, x), []*torch.Tensor{x}, torch.GradOptions{})[0]
		zero := 0
		for _, v := range grad.Float32s() {
			if v == 0 {
				zero++
			}
		}
		require.Less(t, zero, len(grad.Float32s())/100, "pixels without a gradient")
		path := filepath.Join(t.TempDir(), "p.png")
		require.NoError(t, Progression(det, g, noise, path))
		require.FileExists(t, path)
		return nil
	}))
}

var (
	marked = regexp.MustCompile(`(?s)\t// recipe: (\w+)\n(.*?)\t// end\n`)
	fenced = regexp.MustCompile("(?s)```go\n(.*?)```")
)

// The pages show this code and no other, in both languages.
func TestPagesShowThisCode(t *testing.T) {
	code, err := os.ReadFile("recipes.go")
	require.NoError(t, err)
	var want []string
	for _, m := range marked.FindAllSubmatch(code, -1) {
		var b bytes.Buffer
		for line := range bytes.Lines(m[2]) {
			b.Write(bytes.TrimPrefix(line, []byte("\t")))
		}
		want = append(want, strings.ReplaceAll(b.String(), "\t", "    "))
	}
	require.Len(t, want, 12)
	for _, page := range []string{"recipes.md", "recipes.ru.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
		require.NoError(t, err)
		var got []string
		for _, m := range fenced.FindAllSubmatch(text, -1) {
			got = append(got, string(m[1]))
		}
		require.Equal(t, want, got, page)
	}
}
