package customtraining

import (
	"context"
	"image"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// in runs a test with a scope and the embedded detector, and finds what was not freed.
func in(t *testing.T, f func(root *torch.Scope, det *tigas.Detector)) {
	t.Helper()
	require.NoError(t, torch.SetNumThreads(1))
	before := torch.LiveTensors()
	require.NoError(t, torch.Scoped(func(root *torch.Scope) error {
		det, err := tigas.Embedded(root, tigas.OpenOptions{Height: 32, Width: 32})
		require.NoError(t, err)
		f(root, det)
		return nil
	}))
	require.Equal(t, before, torch.LiveTensors())
}

func demo(t *testing.T, batch int) *data.Loader {
	t.Helper()
	l, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: batch, Seed: 1, Transform: data.Transform{Resolution: 32}})
	require.NoError(t, err)
	return l
}

var symmetric = tigas.LossOptions{Range: tigas.Symmetric}

// The ten lines raise the score of a network of either kind.
func TestTenLines(t *testing.T) {
	in(t, func(root *torch.Scope, det *tigas.Detector) {
		gen, err := root.NewGenerator(torch.CPU, 1)
		require.NoError(t, err)
		net, params, opt, err := Build(root, torch.CPU, 1)
		require.NoError(t, err)
		require.Len(t, params, 4+5, "two convolutions and a block")
		plain, forward := Plain(root)
		for _, c := range []struct {
			net    Layer
			params []*torch.Tensor
			opt    optim.Optimizer
		}{{net, params, opt}, {nn.Func(forward), plain, optim.NewAdam(root, plain, optim.DefaultAdamOptions())}} {
			noise := root.Randn(gen, []int64{8, 3, 32, 32})
			score := func() (v float64) {
				require.NoError(t, root.Scoped(func(s *torch.Scope) error {
					_, x := det.Loss(c.net.Forward(s.Use(noise)), symmetric)
					v = x.Float64()
					return nil
				}))
				return v
			}
			before, calls := score(), det.Calls()
			require.NoError(t, TenLines(root, det, c.net, c.params, c.opt,
				func(s *torch.Scope) *torch.Tensor { return s.Use(noise) },
				func(x *torch.Tensor) *torch.Tensor { return x.Mean().MulScalar(0) }, 20))
			require.EqualValues(t, 20, det.Calls()-calls)
			require.Greater(t, score(), before)
		}
	})
}

// The scheduled term has the weights that the comments say.
func TestScheduled(t *testing.T) {
	in(t, func(root *torch.Scope, det *tigas.Detector) {
		term, err := Scheduled(det)
		require.NoError(t, err)
		x, zero := root.Zeros([]int64{2, 3, 32, 32}), root.Scalar(0)
		for step, want := range map[int64]float64{0: 0, 400: 0, 500: 0, 1500: 4 * 0.05, 1501: 0, 2500: 0.4, 9000: 0.4, 9001: 0} {
			require.InDelta(t, want, term.Due(sched.Progress{Step: step}), 1e-12, "step %d", step)
			calls := det.Calls()
			total, score := Total(term, zero, x, step, 16, 1000)
			require.Equal(t, want != 0, det.Calls() > calls, "step %d", step)
			require.Equal(t, want != 0, score != 0, "step %d", step)
			require.InDelta(t, want*(1-score), total.Float64(), 1e-6, "float32, step %d", step)
		}
	})
}

// Scales, gradients of images, PyTorch's manner and mixed precision do what the page says.
func TestPieces(t *testing.T) {
	in(t, func(root *torch.Scope, det *tigas.Detector) {
		net, params, opt, err := Build(root, torch.CPU, 1)
		require.NoError(t, err)
		x := root.Randn(nil, []int64{4, 3, 32, 32})
		loss, err := Scales(det, x.Tanh())
		require.NoError(t, err)
		require.Positive(t, loss.Float64())

		_, before := det.Loss(x.Tanh(), symmetric)
		_, after := det.Loss(Ascend(det, x.Tanh(), 10), symmetric)
		require.Greater(t, after.Float64(), before.Float64())

		var was []float32
		torch.NoGrad(func() { was = root.Use(params[0]).Clone().Float32s() })
		WithBackward(root, net.Forward(x).Mean(), params, opt)
		require.NotEqual(t, was, root.Use(params[0]).Float32s())
		torch.ZeroGrad(params...)

		var fake *torch.Tensor
		critic := nn.Func(func(x *torch.Tensor) *torch.Tensor { fake = x; return x })
		mixed := Mixed(det, net, critic, x, torch.CPU)
		require.Equal(t, torch.BFloat16, fake.DType())
		require.Equal(t, torch.Float32, torch.Grad(mixed, params, torch.GradOptions{})[0].DType())

		pixels := x.Sigmoid().Float32s()
		scores, err := Scores(det, [][]float32{pixels, pixels[:3*32*32]}, 32, 32)
		require.NoError(t, err)
		require.Len(t, scores[0], 4)
		require.InDelta(t, scores[0][0], scores[1][0], 1e-5, "kernels for other batches")
	})
}

// Each way into a tensor gives the same picture.
func TestPictures(t *testing.T) {
	in(t, func(root *torch.Scope, _ *tigas.Detector) {
		const n, h, w = 1, 2, 3
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		planes, rgb, values := make([]byte, 3*h*w), make([]byte, 3*h*w), make([]float32, 3*h*w)
		for i := range h * w {
			for c := range 3 {
				v := byte(40*i + c)
				planes[c*h*w+i], rgb[3*i+c], values[c*h*w+i], img.Pix[4*i+c] = v, v, float32(v)/255, v
			}
			img.Pix[4*i+3] = 255
		}
		l, out := Tensors(root, planes, rgb, values, img, n, h, w)
		l[0] = tigas.Symmetric.ToUnit(l[0])
		for _, x := range l {
			require.Equal(t, []int64{1, 3, h, w}, x.Shape())
			require.InDeltaSlice(t, values, x.Float32s(), 1e-6, "float32")
		}
		require.Equal(t, img, out)
		batches := 0
		require.NoError(t, Load(root, "demo", func(x *torch.Tensor) bool {
			require.Equal(t, []int64{16, 3, 64, 64}, x.Shape())
			require.LessOrEqual(t, x.Abs().Max().Float64(), 1.0)
			require.Negative(t, x.Min().Float64())
			batches++
			return batches < 3
		}))
		require.Equal(t, 3, batches)
	})
}

// A training that was saved and read goes on as if nothing had been, to the last bit.
func TestResume(t *testing.T) {
	in(t, func(root *torch.Scope, det *tigas.Detector) {
		file := filepath.Join(t.TempDir(), "training.safetensors")
		begin := func() *Training {
			net, _, opt, err := Build(root, torch.CPU, 1)
			require.NoError(t, err)
			noise, err := root.NewGenerator(torch.CPU, 2)
			require.NoError(t, err)
			return &Training{Net: net, Opt: opt, Noise: noise, Loader: demo(t, 4)}
		}
		run := func(tr *Training, until int64) {
			for b, err := range tr.Loader.Batches(t.Context()) {
				require.NoError(t, err)
				require.NoError(t, root.Scoped(func(s *torch.Scope) error {
					x := torch.FromSlice(s, b.Pixels, 4, 3, 32, 32).To(torch.Float32).DivScalar(127.5).SubScalar(1)
					out := tr.Net.Forward(x.Add(s.Randn(tr.Noise, x.Shape()).MulScalar(0.3)))
					term, _ := det.Loss(out, symmetric)
					tr.Opt.Step(torch.Grad(out.MSE(x).Add(term.MulScalar(0.1)), nn.ParamList(tr.Net), torch.GradOptions{}))
					return nil
				}))
				if tr.Step++; tr.Step == until {
					return
				}
			}
		}
		weights := func(tr *Training) (l [][]float32) {
			for _, p := range nn.ParamList(tr.Net) {
				l = append(l, p.Float32s())
			}
			return l
		}
		whole := begin()
		run(whole, 3)
		require.NoError(t, root.Scoped(func(s *torch.Scope) error { return whole.Save(s, file) }))
		run(whole, 6)
		again := begin()
		require.NoError(t, root.Scoped(func(s *torch.Scope) error { return again.Load(s, file) }))
		require.EqualValues(t, 3, again.Step)
		run(again, 6)
		require.Equal(t, weights(whole), weights(again))

		path := filepath.Join(t.TempDir(), "w.safetensors")
		require.NoError(t, SaveWeights(whole.Net, path))
		other := begin()
		require.NotEqual(t, weights(whole), weights(other))
		require.NoError(t, LoadWeights(root, other.Net, path))
		require.Equal(t, weights(whole), weights(other))
	})
}

// The family of the page runs, is interrupted, and goes on: the same weights as without.
func TestFamily(t *testing.T) {
	in(t, func(root *torch.Scope, _ *tigas.Detector) {
		dir := t.TempDir()
		whole, parts := filepath.Join(dir, "whole"), filepath.Join(dir, "parts")
		train := func(ctx context.Context, dir string, resume bool) error {
			return root.Scoped(func(s *torch.Scope) error { return Train(ctx, s, dir, 0.08, resume, io.Discard) })
		}
		require.NoError(t, train(t.Context(), whole, false))
		ctx, stop := context.WithCancel(t.Context())
		stop() // after one step
		require.ErrorIs(t, train(ctx, parts, false), trainers.ErrInterrupted)
		require.NoError(t, train(t.Context(), parts, true))
		weights := func(dir string) map[string]*torch.Tensor {
			run, err := checkpoint.Open(dir)
			require.NoError(t, err)
			file, err := run.Latest()
			require.NoError(t, err)
			l, _, err := checkpoint.LoadSome(root, file, torch.CPU, trainers.IsWeight)
			require.NoError(t, err)
			return l
		}
		a, b := weights(whole), weights(parts)
		require.Len(t, a, 12)
		for name := range a {
			require.Equal(t, a[name].Float32s(), b[name].Float32s(), name)
		}

		for _, pattern := range []string{"samples/scores*.png", "events*"} {
			files, err := filepath.Glob(filepath.Join(whole, pattern))
			require.NoError(t, err)
			require.NotEmpty(t, files, pattern)
		}
		log, err := os.ReadFile(filepath.Join(whole, "log.jsonl"))
		require.NoError(t, err)
		for _, name := range []string{"score", "tigas_weight", "G_grad_norm", "lr_D"} {
			require.Contains(t, string(log), `"`+name+`"`)
		}
		require.ErrorIs(t, train(t.Context(), whole, false), checkpoint.ErrExists)
	})
}

// A loss that is not finite is left out, and ends the run when it stays so.
func TestFamilyDiverges(t *testing.T) {
	in(t, func(root *torch.Scope, _ *tigas.Detector) {
		h := NewHinge(root, nil, tigas.Term{})
		torch.NoGrad(func() { nn.ParamList(h.nets.D)[0].Fill_(3e38) }) // its outputs overflow
		out, err := checkpoint.Create(filepath.Join(t.TempDir(), "r"))
		require.NoError(t, err)
		err = trainers.Run(t.Context(), h, trainers.RunOptions{Kimg: 10, Loader: demo(t, 4), Out: out, Console: &monitor.Console{W: io.Discard}})
		require.ErrorIs(t, err, trainers.ErrDiverged)
	})
}

// recorder keeps the gradients of the last step, and moves nothing.
type recorder struct {
	optim.Optimizer
	grads []*torch.Tensor
	keep  *torch.Scope
}

func (r *recorder) Step(grads []*torch.Tensor) {
	r.grads = nil
	for _, g := range grads {
		r.grads = append(r.grads, g.MoveTo(r.keep))
	}
}

// The gradient of the ten lines is that of the loss and the weight times that of the detector, and nothing else.
func TestTermAddsItsGradient(t *testing.T) {
	in(t, func(root *torch.Scope, det *tigas.Detector) {
		params, forward := Plain(root)
		net := nn.Func(forward)
		x := root.Randn(nil, []int64{4, 3, 32, 32})
		adversarial := func(x *torch.Tensor) *torch.Tensor { return x.Square().Mean() }
		var r recorder
		r.keep = root
		require.NoError(t, TenLines(root, det, net, params, &r, func(s *torch.Scope) *torch.Tensor { return s.Use(x) }, adversarial, 1))
		alone := torch.Grad(adversarial(net.Forward(x)), params, torch.GradOptions{})
		term, _ := det.Loss(net.Forward(x), symmetric)
		own := torch.Grad(term, params, torch.GradOptions{})
		for i, g := range r.grads {
			want := alone[i].Add(own[i].MulScalar(0.1))
			require.Positive(t, own[i].Norm().Float64())
			// Sums of float32 in another order.
			require.Less(t, g.Sub(want).Norm().Float64(), 1e-5*(1e-6+want.Norm().Float64()))
		}
		require.Len(t, r.grads, len(params))
	})
}

func TestFromPython(t *testing.T) {
	in(t, func(root *torch.Scope, det *tigas.Detector) {
		_, err := FromPython(root, "../../pkg/models/testdata/script/dcgan.pt", torch.CPU)
		require.EqualError(t, err, "trainers: got a generator for latents of 5 and images of 16 vs --latent 100, --resolution 64")
		_, err = FromPython(root, "none.pt", torch.CPU)
		require.ErrorContains(t, err, "none.pt")
	})
}
