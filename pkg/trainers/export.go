package trainers

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// Exported is a network of a run by itself, for use without this program.
type Exported struct {
	// Net is the network as a module of package nn, with a run's weights, in evaluation mode.
	Net any
	// Averaged tells whether the weights are the average of those that are trained.
	Averaged bool
	// Script is the network in TorchScript where that is what it came as, with the run's weights; else nil.
	Script *jit.Module

	methods []exportedMethod
	images  int64 // that a trace is made with
}

// exportedMethod is a method of the TorchScript module.
type exportedMethod struct {
	name    string
	args    []string
	shapes  [][]int64 // of the arguments, without the first dimension
	times   bool      // the second argument is timesteps, int64 [N]
	results int
	run     func(in []*torch.Tensor) []*torch.Tensor
}

// Which says which network of a run is meant, and with which weights. The zero value is the generator, or the only network,
// with averaged weights where there are any.
type Which struct {
	Critic  bool // the critic of a GAN or StyleGAN
	Decoder bool // of a VAE that came as two files in TorchScript; else the encoder
	Raw     bool // the weights that are trained, and not their average
}

// prefixes of the tensors of a snapshot.
func (w Which) prefixes(average string, net string) []string {
	if w.Raw {
		return []string{net}
	}
	return []string{average, net}
}

// ExportGAN builds the generator of a GAN run in a sealed child of root, or its critic, and fills it from a snapshot's tensors.
// In TorchScript forward(z) makes images [N, 3, R, R] in [-1, 1] of latents [N, L]; that of a critic maps such images to [N].
func ExportGAN(root *torch.Scope, o GANOptions, tensors map[string]*torch.Tensor, d torch.Device, w Which) (*Exported, error) {
	if w.Critic {
		net, err := load(root, d, tensors, func(b nn.Builder) (models.Critic, error) {
			p, err := o.pair(b)
			if err == nil && p.Critic == nil {
				err = fmt.Errorf("trainers: a run of the loss %s has no critic", o.Loss)
			}
			return p.Critic, err
		}, "D.")
		if err != nil {
			return nil, err
		}
		return exported(net, single("forward", "x", square(o.Resolution), net.Forward)), nil
	}
	net, err := load(root, d, tensors, o.generator, w.prefixes("G_ema.", "G.")...)
	if err != nil {
		return nil, err
	}
	return exported(net, single("forward", "z", []int64{int64(o.Latent)}, net.Forward)).averaged(w, tensors, "G_ema."), nil
}

// ExportStyleGAN is [ExportGAN] for a StyleGAN. Noise is constant and nothing is truncated; styles(z) makes styles [N, L, D] of
// latents, and synthesize(ws) images of those. A critic compares the images of a batch in groups of 4, or of another size that
// the options say: in TorchScript it takes batches that the group divides.
func ExportStyleGAN(root *torch.Scope, o StyleGANOptions, tensors map[string]*torch.Tensor, d torch.Device, w Which) (*Exported, error) {
	o.Net = o.Net.Resolve()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if w.Critic {
		net, err := load(root, d, tensors, func(b nn.Builder) (*models.StyleDiscriminator, error) {
			_, d, err := models.NewStyleGAN2(b, o.Net)
			return d, err
		}, "D.")
		if err != nil {
			return nil, err
		}
		e := exported(net, single("forward", "x", square(o.Net.Resolution), net.Forward))
		e.images = int64(o.Net.MbstdGroup)
		return e, nil
	}
	net, err := load(root, d, tensors, func(b nn.Builder) (*models.StyleGenerator, error) {
		return models.NewStyleGenerator(b, o.Net)
	}, w.prefixes("G_ema.", "G.")...)
	if err != nil {
		return nil, err
	}
	latent, y := []int64{net.LatentDim()}, net.Synthesis
	e := exported(net, single("forward", "z", latent, net.Forward),
		single("styles", "z", latent, func(z *torch.Tensor) *torch.Tensor { return y.Broadcast(net.Mapping.Forward(z)).Contiguous() }),
		single("synthesize", "ws", []int64{y.NumStyles(), int64(o.Net.StyleDim)}, func(ws *torch.Tensor) *torch.Tensor {
			return y.Forward(ws, models.StyleNoise{})
		}))
	return e.averaged(w, tensors, "G_ema."), nil
}

// ExportVAE builds the network of a VAE run in a sealed child of root and fills it from a snapshot's tensors. In TorchScript
// encode(x) maps images [N, 3, R, R] in [-1, 1] to means and logarithms of variances [N, L], decode(z) latents [N, L] to such
// images, and forward(x) does both with the means: (images, means, logarithms).
func ExportVAE(root *torch.Scope, o VAEOptions, tensors map[string]*torch.Tensor, d torch.Device, w Which) (*Exported, error) {
	v, err := LoadVAE(root, o, tensors, d)
	if err != nil {
		return nil, err
	}
	if a, ok := v.net.(*models.ScriptAutoencoder); ok {
		part := a.Encoder
		if w.Decoder {
			part = a.Decoder
		}
		return exported(part), nil
	}
	encode := func(in []*torch.Tensor) []*torch.Tensor {
		mu, logvar := v.net.Encode(in[0])
		return []*torch.Tensor{mu, logvar}
	}
	decode := func(z *torch.Tensor) *torch.Tensor { return v.images(v.net.Decode(z)) }
	image := [][]int64{square(o.Resolution)}
	return exported(v.net,
		exportedMethod{name: "forward", args: []string{"x"}, shapes: image, results: 3, run: func(in []*torch.Tensor) []*torch.Tensor {
			means := encode(in)
			return append([]*torch.Tensor{decode(means[0])}, means...)
		}},
		exportedMethod{name: "encode", args: []string{"x"}, shapes: image, results: 2, run: encode},
		single("decode", "z", []int64{int64(o.Latent)}, decode)), nil
}

// ExportDiffusion builds the network of a diffusion run in a sealed child of root and fills it from a snapshot's tensors. In
// TorchScript forward(x, t) maps noisy images [N, 3, R, R] and timesteps int64 [N] to predictions, of what the run's options
// say.
func ExportDiffusion(root *torch.Scope, o DiffusionOptions, tensors map[string]*torch.Tensor, d torch.Device, w Which) (*Exported, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	net, err := load(root, d, tensors, o.network, w.prefixes("net_ema.", "net.")...)
	if err != nil {
		return nil, err
	}
	e := exported(net, exportedMethod{name: "forward", args: []string{"x", "t"}, shapes: [][]int64{square(o.Resolution), nil}, times: true, results: 1,
		run: func(in []*torch.Tensor) []*torch.Tensor { return []*torch.Tensor{net.Forward(in[0], in[1])} }})
	return e.averaged(w, tensors, "net_ema."), nil
}

// single is a method of one argument and one result.
func single(name, arg string, shape []int64, f func(*torch.Tensor) *torch.Tensor) exportedMethod {
	return exportedMethod{name: name, args: []string{arg}, shapes: [][]int64{shape}, results: 1,
		run: func(in []*torch.Tensor) []*torch.Tensor { return []*torch.Tensor{f(in[0])} }}
}

// square is the shape of an image.
func square(resolution int) []int64 { return []int64{3, int64(resolution), int64(resolution)} }

func exported(net any, methods ...exportedMethod) *Exported {
	e := &Exported{Net: net, methods: methods, images: 2}
	if s, ok := net.(interface{ Module() *jit.Module }); ok {
		e.Script = s.Module()
	}
	return e
}

// averaged notes whether the tensors of the average were taken.
func (e *Exported) averaged(w Which, tensors map[string]*torch.Tensor, prefix string) *Exported {
	e.Averaged = !w.Raw && len(under(tensors, prefix)) > 0
	return e
}

// Tensors are the parameters and buffers with the names of PyTorch's state dict.
func (e *Exported) Tensors() iter.Seq2[string, *torch.Tensor] { return nn.StateDict(e.Net) }

// TorchScript returns the network as a module in s, in evaluation mode, that shares its tensors. In training mode batch norms
// and dropout are those of training. Before it returns it has tried the module on other inputs than it was made with.
func (e *Exported) TorchScript(s *torch.Scope) (m *jit.Module, err error) {
	if e.Script != nil {
		return e.Script, e.Script.Train(false)
	}
	var params, buffers []jit.Named
	for name, t := range nn.Params(e.Net) {
		params = append(params, jit.Named{Name: name, Tensor: t})
	}
	for name, t := range nn.Buffers(e.Net) {
		buffers = append(buffers, jit.Named{Name: name, Tensor: t})
	}
	if f, ok := e.Net.(models.FixedTensors); ok {
		fixed := f.FixedTensors()
		for _, name := range slices.Sorted(maps.Keys(fixed)) {
			buffers = append(buffers, jit.Named{Name: name, Tensor: fixed[name]})
		}
	}
	dual, err := e.modesDiffer(params, buffers)
	if err != nil {
		return nil, err
	}
	work := torch.NewScope()
	defer work.Close()
	if m, err = e.trace(s, work, params, buffers, dual); err != nil {
		return nil, err
	}
	defer nn.Train(e.Net, false)
	defer keep(work, buffers)()
	for _, training := range []bool{true, false} {
		nn.Train(e.Net, training)
		if err = m.Train(training); err == nil {
			err = e.compare(m)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// trace makes a module of all methods. If they differ by mode there are two of each, and one in source that chooses.
func (e *Exported) trace(s, work *torch.Scope, params, buffers []jit.Named, dual bool) (*jit.Module, error) {
	var methods []jit.Method
	source := ""
	for _, x := range e.methods {
		m := jit.Method{Name: x.name, Run: x.run}
		for i, t := range x.inputs(work, e.images) {
			m.Args = append(m.Args, jit.Named{Name: x.args[i], Tensor: t})
		}
		if !dual {
			methods = append(methods, m)
			continue
		}
		training := m
		m.Name, training.Name = "eval_"+x.name, "train_"+x.name
		training.Run = func(in []*torch.Tensor) []*torch.Tensor {
			nn.Train(e.Net, true)
			defer nn.Train(e.Net, false)
			return x.run(in)
		}
		methods = append(methods, m, training)
		source += x.source()
	}
	defer keep(work, buffers)() // training mode moves running statistics
	m, err := jit.Trace(s, params, buffers, methods...)
	if err == nil && dual {
		err = m.Add(source)
	}
	if err != nil {
		return nil, fmt.Errorf("trainers: export: %w", err)
	}
	return m, nil
}

// source chooses between the two forms of a method.
func (x exportedMethod) source() string {
	result := "Tensor"
	if x.results > 1 {
		result = "Tuple[" + strings.Join(strings.Fields(strings.Repeat("Tensor ", x.results)), ", ") + "]"
	}
	args := strings.Join(x.args, ", ")
	return fmt.Sprintf("def %[1]s(self, %[2]s: Tensor) -> %[3]s:\n    if self.training:\n        return self.train_%[1]s(%[4]s)\n    return self.eval_%[1]s(%[4]s)\n",
		x.name, strings.Join(x.args, ": Tensor, "), result, args)
}

// modesDiffer tells whether the network computes otherwise in training mode.
func (e *Exported) modesDiffer(params, buffers []jit.Named) (bool, error) {
	work := torch.NewScope()
	defer work.Close()
	graphs := map[bool]string{}
	for _, training := range []bool{true, false} {
		err := func() error {
			nn.Train(e.Net, training)
			defer nn.Train(e.Net, false)
			m, err := e.trace(work, work, params, buffers, false)
			if err != nil {
				return err
			}
			for _, x := range e.methods {
				g, err := m.Graph(x.name)
				if err != nil {
					return err
				}
				graphs[training] += g
			}
			return nil
		}()
		if err != nil {
			return false, err
		}
	}
	return graphs[true] != graphs[false], nil
}

// keep returns what puts the values of tensors back.
func keep(work *torch.Scope, list []jit.Named) (undo func()) {
	was := make([]*torch.Tensor, len(list))
	torch.NoGrad(func() {
		for i, n := range list {
			was[i] = work.Use(n.Tensor).Clone()
		}
	})
	return func() {
		torch.NoGrad(func() {
			for i, n := range list {
				n.Tensor.Copy_(was[i])
			}
		})
	}
}

// inputs are arguments for n images: noise, and timesteps from 0.
func (x exportedMethod) inputs(s *torch.Scope, n int64) (in []*torch.Tensor) {
	for i, shape := range x.shapes {
		if x.times && i == 1 {
			in = append(in, s.Arange(0, n, torch.Options{DType: torch.Int64}))
			continue
		}
		in = append(in, s.Randn(nil, append([]int64{n}, shape...)))
	}
	return in
}

// compare runs the network and the module on other noise for another number of images.
func (e *Exported) compare(m *jit.Module) error {
	const most = 1e-4 // the same operators in the same order; what libtorch fuses may differ in the last bits
	for _, x := range e.methods {
		err := torch.Scoped(func(s *torch.Scope) (err error) {
			torch.NoGrad(func() {
				in := x.inputs(s, 2*e.images)
				var random *torch.Tensor // of dropout
				if random, err = s.RNGState(torch.CPU); err != nil {
					return
				}
				want := x.run(in)
				if err = torch.SetRNGState(torch.CPU, random); err != nil {
					return
				}
				args := make([]any, len(in))
				for i, t := range in {
					args[i] = t
				}
				got := []any{m.MustCall(x.name, args...)}
				if t, ok := got[0].(jit.Tuple); ok {
					got = t
				}
				for i, w := range want {
					g, ok := got[i].(*torch.Tensor)
					if !ok || !slices.Equal(g.Shape(), w.Shape()) {
						err = fmt.Errorf("got %v vs %v", got[i], w)
						return
					}
					if d := g.Sub(w).Abs().Max().Float64(); !(d <= most*(1+w.Abs().Max().Float64())) {
						err = fmt.Errorf("got a result that differs by %g", d)
						return
					}
				}
			})
			return err
		})
		if err != nil {
			return fmt.Errorf("trainers: export: %s of other images in TorchScript: %w", x.name, err)
		}
	}
	return nil
}
