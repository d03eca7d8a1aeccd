package customtraining

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// The page's numbers of scores in the wrong range, and of pixels without a gradient.
func TestRange(t *testing.T) {
	in(t, func(root *torch.Scope, det *tigas.Detector) {
		pix, err := demo(t, 4).Sample(64)
		require.NoError(t, err)
		x := torch.FromSlice(root, pix, 64, 3, 32, 32).To(torch.Float32)
		for _, c := range []struct {
			images          *torch.Tensor
			unit, symmetric float64
		}{{x.DivScalar(255), 0.97, 0.25}, {x.DivScalar(127.5).SubScalar(1), 0.68, 0.97}, {x, 0.16, 0.16}} {
			_, unit := det.Loss(c.images, tigas.LossOptions{})
			_, symmetric := det.Loss(c.images, symmetric)
			require.InDelta(t, c.unit, unit.Float64(), 0.05, "other pictures than those of the page")
			require.InDelta(t, c.symmetric, symmetric.Float64(), 0.05)
		}
		without := func(o tigas.LossOptions) float64 {
			x := root.Randn(nil, []int64{16, 3, 32, 32}).Tanh().RequiresGrad(true)
			loss, _ := det.Loss(x, o)
			return torch.Grad(loss, []*torch.Tensor{x}, torch.GradOptions{})[0].EqScalar(0).To(torch.Float32).Mean().Float64()
		}
		require.InDelta(t, 0.5, without(tigas.LossOptions{}), 0.02, "49,152 pixels, of which half are negative") // 9 standard deviations
		require.Less(t, without(symmetric), 0.001)
	})
}

var made = regexp.MustCompile(` \(made at [^)]*\)`)

// Each mistake of the page, under its name there, says what the page has.
func TestMistakes(t *testing.T) {
	in(t, func(root *torch.Scope, det *tigas.Detector) {
		b := nn.Builder{Scope: root.Child()}
		net := nn.Sequential{nn.NewConv2d(b, 3, 3, 3, nn.Conv2dOptions{Padding: 1}), nn.Tanh}
		b.Scope.Seal()
		params := nn.ParamList(net)
		noise := func(s *torch.Scope) *torch.Tensor { return s.Randn(nil, []int64{2, 3, 32, 32}) }
		score := func(shape ...int64) func(*torch.Scope) error {
			return func(s *torch.Scope) error { det.Loss(s.Rand(nil, shape), symmetric); return nil }
		}
		grad := func(loss *torch.Tensor, of []*torch.Tensor) { torch.Grad(loss, of, torch.GradOptions{}) }
		open := func(path string) func(*torch.Scope) error {
			return func(s *torch.Scope) error { _, err := tigas.Open(s, path, tigas.OpenOptions{}); return err }
		}
		notes := filepath.Join(t.TempDir(), "notes.txt")
		require.NoError(t, os.WriteFile(notes, []byte("hello"), 0o600))
		var kept *torch.Tensor
		require.NoError(t, root.Scoped(func(s *torch.Scope) error { kept = s.Ones(nil); return nil }))

		mistakes := map[string]func(s *torch.Scope) error{
			"images in another range":                   score(2, 3, 32, 32), // see TestRange
			"a picture without a batch":                 score(3, 32, 32),
			"grey images":                               score(2, 1, 32, 32),
			"pixels interleaved, as a decoder has them": score(2, 32, 32, 3),
			"bytes into a network": func(s *torch.Scope) error {
				net.Forward(torch.FromSlice(s, make([]byte, 3*32*32), 1, 3, 32, 32))
				return nil
			},
			"too few numbers": func(s *torch.Scope) error { torch.FromSlice(s, make([]byte, 10), 1, 3, 2, 2); return nil },
			"a scale that leaves no pixel": func(s *torch.Scope) error {
				det.Loss(noise(s), tigas.LossOptions{Scales: []float64{1, 0.01}})
				return nil
			},
			"`fake` made in `NoGrad`": func(s *torch.Scope) error {
				var fake *torch.Tensor
				torch.NoGrad(func() { fake = net.Forward(noise(s)) })
				loss, _ := det.Loss(fake, symmetric)
				grad(loss, params)
				return nil
			},
			"`det.Loss(fake.Detach(), ...)` added to another loss": func(s *torch.Scope) error {
				fake := net.Forward(noise(s))
				term, _ := det.Loss(fake.Detach(), symmetric)
				require.False(t, term.IsGradRequired())
				grad(fake.Mean().Add(term), params)
				return nil
			},
			"two gradients of one loss": func(s *torch.Scope) error {
				loss, _ := det.Loss(net.Forward(noise(s)), symmetric)
				grad(loss, params)
				grad(loss, params)
				return nil
			},
			"a parameter that the loss does not depend on": func(s *torch.Scope) error {
				loss, _ := det.Loss(noise(s).RequiresGrad(true), symmetric)
				grad(loss, params)
				return nil
			},
			"the critic's step between `critic.Forward(fake)` and its gradient": func(s *torch.Scope) error {
				b := nn.Builder{Scope: s}
				critic := nn.Sequential{nn.NewConv2d(b, 3, 4, 3, nn.Conv2dOptions{}), nn.ReLU, nn.NewConv2d(b, 4, 1, 3, nn.Conv2dOptions{})}
				ofD := nn.ParamList(critic)
				fake := net.Forward(noise(s))
				judged := critic.Forward(fake)
				optim.NewAdam(s, ofD, optim.DefaultAdamOptions()).Step(torch.Grad(critic.Forward(fake.Detach()).Mean(), ofD, torch.GradOptions{}))
				grad(judged.Mean().Neg(), params)
				return nil
			},
			"a loss that is no scalar": func(s *torch.Scope) error { grad(net.Forward(noise(s)), params); return nil },
			"gradients of another network": func(s *torch.Scope) error {
				optim.NewAdam(s, params, optim.DefaultAdamOptions()).Step(nil)
				return nil
			},
			"nothing but parameters as operands": func(*torch.Scope) error { params[0].Mul(params[0]); return nil },
			"a result of the last step":          func(*torch.Scope) error { kept.AddScalar(1); return nil },
			"no `Seal`, and a result of parameters alone": func(s *torch.Scope) error {
				w := nn.NewConv2d(nn.Builder{Scope: s}, 3, 3, 3, nn.Conv2dOptions{}).Weight
				before := torch.LiveTensors()
				err := s.Scoped(func(*torch.Scope) error { w.Mul(w); return nil })
				require.EqualValues(t, 1, torch.LiveTensors()-before)
				return err
			},
			"`loss.Add(a.Loss)` without asking whether it is nil": func(s *torch.Scope) error {
				a := (&tigas.Term{Detector: det, Weight: sched.Constant{}}).Apply(sched.Progress{}, noise(s))
				s.Ones(nil).Add(a.Loss)
				return nil
			},
			"a schedule in epochs, `Progress{Step: step}`": func(*torch.Scope) error {
				term := tigas.Term{Detector: det, Weight: sched.Linear{To: 0.1, Over: sched.Span{N: 1, Unit: sched.FracEpoch}}}
				require.Zero(t, term.Due(sched.Progress{Step: 1e6}))
				require.Positive(t, term.Due(sched.NewProgress(1e6, 1e7, 1000)))
				return nil
			},
			"weights of another network": func(s *torch.Scope) error {
				return nn.Load(net, map[string]*torch.Tensor{"0.weight": s.Zeros([]int64{4, 3, 3, 3})}, false)
			},
			"no such detector":    open("missing.pt"),
			"a file that is none": open(notes),
			"no pictures there":   func(*torch.Scope) error { _, err := data.Open("nowhere", 32); return err },
			"no resolution": func(*torch.Scope) error {
				_, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 16})
				return err
			},
			"the detector's scope is closed": func(s *torch.Scope) error {
				var gone *tigas.Detector
				if err := s.Scoped(func(s *torch.Scope) (err error) { gone, err = tigas.Embedded(s, tigas.OpenOptions{}); return }); err != nil {
					return err
				}
				gone.Score(noise(s))
				return nil
			},
			"an operation outside of `Scoped` and `Try`": func(*torch.Scope) error {
				require.PanicsWithError(t, "torch: FromSlice: got 10 element(s) vs shape [3]", func() { torch.FromSlice(root, make([]byte, 10), 3) })
				return nil
			},
		}
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", "custom-training.md"))
		require.NoError(t, err)
		_, table, found := strings.Cut(string(page), "| mistake | what it says | instead |\n|---|---|---|\n")
		require.True(t, found)
		rows := 0
		for line := range strings.Lines(table) {
			cells := strings.Split(strings.TrimSpace(line), " | ")
			if len(cells) < 2 {
				break
			}
			rows++
			name := strings.TrimPrefix(cells[0], "| ")
			make, ok := mistakes[name]
			require.True(t, ok, "%s is on the page only", name)
			err := root.Scoped(make)
			if err != nil {
				err = errors.New(made.ReplaceAllString(err.Error(), "")) // the invariants build says more
			}
			if text, quoted := strings.CutPrefix(cells[1], "`"); quoted {
				text, _, _ = strings.Cut(text, "`")
				require.ErrorContains(t, err, text, name)
			} else {
				require.NoError(t, err, name)
			}
		}
		require.Len(t, mistakes, rows, "one is not on the page")
	})
}
