package models_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// script reads one of the networks that testdata/make_script.py made.
func script(t testing.TB, name string) models.ScriptFile {
	t.Helper()
	f, err := models.ReadScript(filepath.Join("testdata", "script", name+".pt"))
	require.NoError(t, err)
	return f
}

func scriptBuilder(t testing.TB) nn.Builder {
	t.Helper()
	before := torch.LiveTensors()
	root := torch.NewScope()
	t.Cleanup(func() {
		root.Close()
		require.LessOrEqual(t, torch.LiveTensors(), before) // those of others may be collected meanwhile
	})
	return nn.Builder{Scope: root.Child()}
}

// What a generator wants is found out, and what it makes is in [-1, 1]; the tensors are those of the file, untouched by trying.
func TestScriptGenerators(t *testing.T) {
	for _, c := range []struct {
		name            string
		unit            bool
		params, buffers int
		advice          string
	}{
		{"linear", false, 4, 0, ""},
		{"sigmoid", true, 4, 0, ""},
		{"sigmoid", false, 4, 0, "give --net-range unit"},
		{"linear", true, 4, 0, "--net-range unit is for [0, 1]"},
		{"dcgan", false, 7, 6, ""},
		{"traced", false, 7, 6, ""},
		{"half", false, 7, 6, ""},
		{"average", false, 7, 6, ""},
		{"partly", false, 6, 7, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := scriptBuilder(t)
			f := script(t, c.name)
			g, err := models.NewScriptGenerator(b, f, models.ScriptOptions{Unit: c.unit})
			require.NoError(t, err)
			require.EqualValues(t, []int64{5, 16}, []int64{g.LatentDim(), g.Resolution()})
			require.Len(t, nn.ParamList(g), c.params)
			require.Len(t, nn.BufferList(g), c.buffers)
			require.Equal(t, c.name+".pt", g.String())
			s := b.Scope.Child()
			plain, err := jit.LoadBytes(s, f.Data, torch.CPU, c.name)
			require.NoError(t, err)
			require.NoError(t, plain.To(torch.CPU, torch.Float32))
			tensors, err := plain.Parameters(s)
			require.NoError(t, err)
			buffers, err := plain.Buffers(s)
			require.NoError(t, err)
			dict := map[string]*torch.Tensor{}
			for _, n := range append(tensors, buffers...) {
				dict[n.Name] = n.Tensor
			}
			for name, x := range nn.StateDict(g) {
				require.Contains(t, []torch.DType{torch.Float32, torch.Int64}, x.DType())
				require.Zero(t, x.Detach().Sub(dict[name].Detach()).Abs().Sum().Float64(), name)
			}
			b.Scope.Seal()
			work := torch.NewScope()
			defer work.Close()
			z := work.Randn(nil, []int64{7, 5})
			in := z
			if !strings.Contains("linear sigmoid", c.name) {
				in = z.Reshape(7, 5, 1, 1)
			}
			nn.Train(g, false)
			require.NoError(t, plain.Train(false))
			x, want := g.Forward(z), plain.ForwardTensor(in)
			if c.unit {
				want = want.MulScalar(2).AddScalar(-1)
			}
			require.EqualValues(t, []int64{7, 3, 16, 16}, x.Shape())
			require.Zero(t, x.Sub(want).Abs().Max().Float64())
			if advice := g.Advice(nn.Builder{Scope: work}); c.advice == "" {
				require.Empty(t, advice)
			} else {
				require.Contains(t, advice, c.advice)
			}
		})
	}
}

func TestScriptsThatDoNotFit(t *testing.T) {
	b := scriptBuilder(t)
	generator := func(name string, o models.ScriptOptions) error {
		_, err := models.NewScriptGenerator(b, script(t, name), o)
		return err
	}
	critic := func(name string, resolution int) error {
		_, err := models.NewScriptCritic(b, script(t, name), models.ScriptOptions{Resolution: resolution})
		return err
	}
	vae := func(encoder, decoder string) error {
		d := models.ScriptFile{} // one for both
		if decoder != encoder {
			d = script(t, decoder)
		}
		_, err := models.NewScriptAutoencoder(b, script(t, encoder), d, models.ScriptOptions{Resolution: 16}, false)
		return err
	}
	denoiser := func(name string) error {
		_, err := models.NewScriptDenoiser(b, script(t, name), 16, 1000)
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{generator("frozen", models.ScriptOptions{}), "frozen.pt has no parameters to train: save it with torch.jit.script(net).save(...), before any torch.jit.freeze"},
		{generator("gray", models.ScriptOptions{}), "gray.pt: latents [2 5]: got a result float32[2 1 16 16] cpu vs images float32 [2 3 R R]"},
		{generator("linear", models.ScriptOptions{Resolution: 32}), "vs images float32 [2 3 32 32]"},
		{generator("linear", models.ScriptOptions{Latent: 8}), "linear.pt: latents [2 8]: torch: jit: linear.pt: forward: mat1 and mat2 shapes cannot be multiplied (2x8 and 5x768)"},
		{generator("critic", models.ScriptOptions{}), "critic.pt: no length of its latents among [3 4"},
		{generator("detached", models.ScriptOptions{}), "its result does not depend on its parameters: is there a torch.no_grad or a detach in it"},
		{generator("replaced", models.ScriptOptions{}), "its forward replaces count by another tensor: change it in place, as in self.x.copy_(...)"},
		{critic("critic_plain", 8), "critic_plain.pt: torch: jit: critic_plain.pt: forward: Calculated padded input size"},
		{critic("linear", 16), "linear.pt: torch: jit: linear.pt: forward: "},
		{vae("only_forward", "only_forward"), "only_forward.pt: got the methods [forward] vs encode and decode: mark them with @torch.jit.export"},
		{vae("encoder", "dcgan"), ""},
		{vae("decoder", "encoder"), "decoder.pt and encoder.pt: torch: jit: decoder.pt: forward: "},
		{vae("encoder", "gray"), "gray.pt: torch: Script: forward: got a result float32[2 1 16 16] cpu vs images float32 [2 3 16 16]"},
		{generator("odd_inplace", models.ScriptOptions{}), "odd_inplace.pt: torch: Script: forward: it changes its argument in place, which is the data: begin with a copy"},
		{generator("odd_graph", models.ScriptOptions{}), "its buffer mean is changed by values that have a gradient: detach them"},
		{generator("odd_double", models.ScriptOptions{}), "got a result float64[2 3 16 16] cpu vs images float32 [2 3 R R]"},
		{generator("odd_fixed", models.ScriptOptions{}), "odd_fixed.pt: torch: jit: odd_fixed.pt: forward: shape '[2, 3, 16, 16]' is invalid for input of size 2304"},
		{generator("odd_complex", models.ScriptOptions{}), "odd_complex.pt: torch: Script: waves has numbers of a type that cannot be trained or saved here"},
		{critic("critic_blind", 16), "critic_blind.pt: torch: Script: its result does not depend on the images"},
		{critic("critic_classes", 16), "got a result float32[2 2] cpu vs numbers float32 [2], [2 1], [2 1 1 1] or of patches [2 1 H W], for images [2 3 16 16]"},
		{critic("critic_groups", 16), "critic_groups.pt: torch: jit: critic_groups.pt: forward: shape '[4, -1]' is invalid for input of size 2"},
		{denoiser("denoiser_short"), "denoiser_short.pt: torch: jit: denoiser_short.pt: forward: index out of range in self"},
		{denoiser("vae"), "vae.pt: torch: jit: vae.pt: forward"},
	} {
		if c.want == "" {
			require.NoError(t, c.err)
			continue
		}
		require.ErrorContains(t, c.err, c.want)
		require.NotContains(t, c.err.Error(), "\n")
		require.Less(t, len(c.err.Error()), 600)
	}
	_, err := models.ReadScript(t.TempDir())
	require.ErrorContains(t, err, "is not a regular file")
	_, err = models.NewScriptGenerator(b, models.ScriptFile{Path: "x.pt", Data: []byte("PK")}, models.ScriptOptions{})
	require.ErrorContains(t, err, "x.pt")
}

func TestScriptCritics(t *testing.T) {
	for name, c := range map[string]struct {
		n      int64
		norm   bool
		advice string
	}{
		"critic": {1, true, ""}, "critic_plain": {1, false, ""}, "critic_patches": {16, true, ""},
		"critic_sigmoid": {1, false, "critic_sigmoid.pt seems to end with a sigmoid: losses here want logits"},
	} {
		b := scriptBuilder(t)
		d, err := models.NewScriptCritic(b, script(t, name), models.ScriptOptions{Resolution: 16})
		require.NoError(t, err)
		b.Scope.Seal()
		s := torch.NewScope()
		y := d.Forward(s.Randn(nil, []int64{6, 3, 16, 16}))
		require.EqualValues(t, []int64{6 * c.n}, y.Shape(), name)
		require.Equal(t, c.norm, d.Uses("forward", "aten::batch_norm"), name)
		require.Equal(t, c.advice, strings.TrimSuffix(d.Advice(nn.Builder{Scope: s}), ", so take it away"), name)
		s.Close()
	}
}

// One module with two methods and a sigmoid, and two files with a decoder that has no last activation.
func TestScriptAutoencoders(t *testing.T) {
	b := scriptBuilder(t)
	one, err := models.NewScriptAutoencoder(b, script(t, "vae"), models.ScriptFile{}, models.ScriptOptions{Resolution: 16, Unit: true}, false)
	require.NoError(t, err)
	two, err := models.NewScriptAutoencoder(b, script(t, "encoder"), script(t, "decoder"), models.ScriptOptions{Resolution: 16}, true)
	require.NoError(t, err)
	b.Scope.Seal()
	s := torch.NewScope()
	defer s.Close()
	x := s.Rand(nil, []int64{4, 3, 16, 16}).MulScalar(2).AddScalar(-1)
	for _, a := range []*models.ScriptAutoencoder{one, two} {
		require.EqualValues(t, 5, a.LatentDim())
		mu, logvar := a.Encode(x)
		require.EqualValues(t, []int64{4, 5}, mu.Shape())
		require.EqualValues(t, []int64{4, 5}, logvar.Shape())
		y := a.Decode(mu)
		require.EqualValues(t, x.Shape(), y.Shape())
		require.Equal(t, a == one, a.IsBounded())
		grads := torch.Grad(y.Square().Sum().Add(logvar.Sum()), nn.ParamList(a), torch.GradOptions{})
		require.Len(t, grads, len(nn.ParamList(a)))
	}
	mu, _ := one.Encode(x)
	y := one.Decode(mu)
	require.GreaterOrEqual(t, y.Min().Float64(), -1.0)
	require.Less(t, y.Min().Float64(), 0.0, "a sigmoid's values are moved to [-1, 1]")
	var names []string
	for n := range nn.Params(two) {
		names = append(names, n)
	}
	require.Equal(t, "encoder.0.weight encoder.0.bias encoder.3.weight encoder.3.bias decoder.0.weight decoder.0.bias decoder.2.weight decoder.2.bias", strings.Join(names, " "))
	require.Equal(t, "vae.pt encoder.pt and decoder.pt", one.String()+" "+two.String())
}

// Timesteps go as integers, or as float32 where the network can take only those.
func TestScriptDenoisers(t *testing.T) {
	for _, name := range []string{"denoiser", "denoiser_float"} {
		b := scriptBuilder(t)
		d, err := models.NewScriptDenoiser(b, script(t, name), 16, 1000)
		require.NoError(t, err)
		b.Scope.Seal()
		s := torch.NewScope()
		x := s.Randn(nil, []int64{3, 3, 16, 16})
		y := d.Forward(x, torch.FromSlice(s, []int64{0, 5, 999}, 3))
		require.EqualValues(t, x.Shape(), y.Shape())
		change := d.Forward(x, torch.FromSlice(s, []int64{0, 6, 999}, 3)).Sub(y).Abs().SumDim([]int64{1, 2, 3}, false).Float32s()
		require.Zero(t, change[0]+change[2])
		require.NotZero(t, change[1])
		s.Close()
	}
}

// A parameter of two names is trained once, and saved under both.
func TestTiedParametersAreOne(t *testing.T) {
	b := scriptBuilder(t)
	g, err := models.NewScriptGenerator(b, script(t, "tied"), models.ScriptOptions{})
	require.NoError(t, err)
	names, all := map[string]*torch.Tensor{}, 0
	for name, x := range nn.StateDict(g) {
		names[name] = x
		all++
	}
	require.Equal(t, 8, all)
	require.Same(t, names["a.weight"], names["b.weight"])
	require.Len(t, nn.ParamList(g), 7)
}

// A critic that takes whole groups only is tried with a batch.
func TestCriticOfGroups(t *testing.T) {
	b := scriptBuilder(t)
	d, err := models.NewScriptCritic(b, script(t, "critic_groups"), models.ScriptOptions{Resolution: 16, Batch: 8})
	require.NoError(t, err)
	require.EqualValues(t, []int64{8}, d.Forward(b.Scope.Randn(nil, []int64{8, 3, 16, 16})).Shape())
}

func TestAdviceOnState(t *testing.T) {
	b := scriptBuilder(t)
	for name, want := range map[string]bool{"odd_counter": true, "dcgan": false} {
		g, err := models.NewScriptGenerator(b, script(t, name), models.ScriptOptions{})
		require.NoError(t, err)
		require.Equal(t, want, strings.Contains(g.Advice(b), "snapshots have its parameters and buffers only"), g.Advice(b))
	}
}
