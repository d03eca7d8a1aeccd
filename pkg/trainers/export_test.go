package trainers

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// exportable is a network of each kind with the weights of one that was just made.
func exportable(t *testing.T, root *torch.Scope) map[string]*Exported {
	t.Helper()
	out := map[string]*Exported{}
	add := func(name string, e *Exported, err error) {
		require.NoError(t, err, name)
		out[name] = e
	}
	for _, arch := range models.Archs {
		o := DefaultGANOptions()
		o.Arch, o.Latent, o.GenWidth, o.CriticWidth, o.Loss = arch, 8, 8, 8, BCE
		g, err := NewGAN(root, nil, o, torch.CPU)
		require.NoError(t, err)
		weights := weightsOf(g)
		for _, w := range []Which{{}, {Raw: true}, {Critic: true}} {
			e, err := ExportGAN(root, g.Options(), weights, torch.CPU, w)
			add(fmt.Sprint(arch, w), e, err)
		}
	}
	s, err := StylePreset("auto", 16, 4)
	require.NoError(t, err)
	s.Net = models.StyleConfig{Resolution: 16, Latent: 8, StyleDim: 8, ChannelBase: 64, ChannelMax: 8}
	style, err := NewStyleGAN(root, nil, s, torch.CPU)
	require.NoError(t, err)
	e, err := ExportStyleGAN(root, s, weightsOf(style), torch.CPU, Which{})
	add("stylegan", e, err)
	e, err = ExportStyleGAN(root, s, weightsOf(style), torch.CPU, Which{Critic: true})
	add("stylegan critic", e, err)
	v := DefaultVAEOptions()
	v.Resolution, v.Latent, v.Width = 16, 4, 8
	vae, err := NewVAE(root, nil, v, torch.CPU)
	require.NoError(t, err)
	e, err = ExportVAE(root, v, weightsOf(vae), torch.CPU, Which{})
	add("vae", e, err)
	d := DefaultDiffusionOptions()
	d.Resolution = 16
	d.UNet, err = models.UNetPreset("demo", 16)
	require.NoError(t, err)
	d.UNet.Dropout = 0.5
	diffusion, err := NewDiffusion(root, nil, d, torch.CPU)
	require.NoError(t, err)
	e, err = ExportDiffusion(root, d, weightsOf(diffusion), torch.CPU, Which{})
	add("diffusion", e, err)
	return out
}

func weightsOf(f Family) map[string]*torch.Tensor {
	m := map[string]*torch.Tensor{}
	for name, t := range f.Tensors() {
		m[name] = t
	}
	return m
}

// Loaded again, the module computes what the network does for another number of images, in both modes; its tensors have the
// names and values of the network's, of which making it changes nothing.
func TestExportTorchScript(t *testing.T) {
	root := torch.NewScope()
	defer root.Close()
	require.NoError(t, torch.Seed(1))
	for name, e := range exportable(t, root) {
		t.Run(name, func(t *testing.T) {
			before := sums(e.Net)
			live := torch.LiveTensors()
			s := torch.NewScope()
			m, err := e.TorchScript(s)
			require.NoError(t, err)
			archive, err := m.Bytes()
			require.NoError(t, err)
			require.Equal(t, before, sums(e.Net))
			m, err = jit.LoadBytes(s, archive, torch.CPU, name)
			require.NoError(t, err)
			training, err := m.IsTraining()
			require.NoError(t, err)
			require.False(t, training)
			names := map[string]bool{}
			for n := range nn.StateDict(e.Net) {
				names[n] = true
			}
			if f, ok := e.Net.(models.FixedTensors); ok {
				for n := range f.FixedTensors() {
					names[n] = true
				}
			}
			params, err := m.Parameters(s)
			require.NoError(t, err)
			buffers, err := m.Buffers(s)
			require.NoError(t, err)
			require.Len(t, names, len(params)+len(buffers))
			for _, p := range append(params, buffers...) {
				require.Contains(t, names, p.Name)
			}
			for _, training := range []bool{false, true} {
				require.NoError(t, m.Train(training))
				for _, x := range e.methods {
					in := x.inputs(s, 3*e.images)
					args := []any{}
					for _, a := range in {
						args = append(args, a)
					}
					torch.NoGrad(func() {
						nn.Train(e.Net, training)
						require.NoError(t, torch.Seed(2)) // of dropout
						want := x.run(in)
						nn.Train(e.Net, false)
						require.NoError(t, torch.Seed(2))
						got := []any{m.MustCall(x.name, args...)}
						if l, ok := got[0].(jit.Tuple); ok {
							got = l
						}
						require.Len(t, got, len(want))
						for i, w := range want {
							// The same operators on the same numbers: what differs is which ones libtorch fuses.
							require.InDelta(t, 0, got[i].(*torch.Tensor).Sub(w).Abs().Max().Float64(), 1e-5, "%s, training %v", x.name, training)
						}
					})
				}
			}
			graph := ""
			for _, x := range e.methods {
				g, err := m.Graph(x.name)
				require.NoError(t, err)
				graph += g
			}
			// It must run where its tensors are moved to.
			require.NotContains(t, graph, `="cpu"`)
			require.NotRegexp(t, `: (Tensor|Float|Long|Double)\b[^\n]* = prim::Constant`, graph)
			s.Close()
			require.LessOrEqual(t, torch.LiveTensors(), live) // others may be collected meanwhile
		})
	}
}

// sums are the sums of all tensors of a network.
func sums(net any) (l []float64) {
	s := torch.NewScope()
	defer s.Close()
	for _, t := range nn.StateDict(net) {
		l = append(l, s.Use(t).Detach().To(torch.Float64).Sum().Float64())
	}
	return l
}
