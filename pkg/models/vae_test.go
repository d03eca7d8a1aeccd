package models_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// vaeFile is testdata/vae.json, from make_vae.py.
type vaeFile struct {
	Sizes []struct {
		Resolution int   `json:"resolution"`
		Latent     int   `json:"latent"`
		Width      int   `json:"width"`
		Parameters int64 `json:"parameters"`
	} `json:"sizes"`
	Cases []struct {
		Resolution int     `json:"resolution"`
		Train      bool    `json:"train"`
		VAE        netCase `json:"vae"`
	} `json:"cases"`
}

func readVAEFile(t *testing.T) (f vaeFile) {
	t.Helper()
	data, err := os.ReadFile("testdata/vae.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &f))
	return f
}

// autoencoder is a VAE as make_vae.py runs it: a layer, with a formula for noise.
type autoencoder struct{ *models.VAE }

func (a autoencoder) Forward(x *torch.Tensor) *torch.Tensor {
	mu, logvar := a.Encode(x)
	noise := numbers(x.Scope(), 52, mu.Shape()).To(x.DType())
	return a.Decode(mu.Add(logvar.MulScalar(0.5).Exp().Mul(noise)))
}

// Names, outputs, gradients and running statistics are those of the same network in PyTorch.
func TestVAEMatchesPyTorch(t *testing.T) {
	for _, c := range readVAEFile(t).Cases {
		t.Run(fmt.Sprint(c.Resolution, c.Train), func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			b := nn.Builder{Scope: s.Child()}
			v, err := models.NewVAE(b, models.VAEConfig{Resolution: c.Resolution, Latent: 6, Width: 2})
			require.NoError(t, err)
			b.Scope.Seal()
			r := int64(c.Resolution)
			c.VAE.check(t, s, autoencoder{v}, numbers(s, 51, []int64{2, 3, r, r}), c.Train)
		})
	}
}

// The counts are PyTorch's. That of 64 pixels with the defaults is VanillaVAE's own.
func TestVAESizes(t *testing.T) {
	sizes := readVAEFile(t).Sizes
	require.NotEmpty(t, sizes)
	for _, c := range sizes {
		s := torch.NewScope()
		v, err := models.NewVAE(nn.Builder{Scope: s},
			models.VAEConfig{Resolution: c.Resolution, Latent: c.Latent, Width: c.Width})
		require.NoError(t, err)
		require.Equal(t, c.Parameters, nn.CountParams(v), "%+v", c)
		require.Equal(t, []int64{int64(c.Latent), int64(c.Resolution)}, []int64{v.LatentDim(), v.Resolution()})
		s.Close()
	}
	s := torch.NewScope()
	defer s.Close()
	v, err := models.NewVAE(nn.Builder{Scope: s}, models.VAEConfig{Resolution: 64})
	require.NoError(t, err)
	require.Equal(t, sizes[0].Parameters, nn.CountParams(v))
}

func TestNewVAEErrors(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	for _, c := range []struct {
		c    models.VAEConfig
		want string
	}{
		{models.VAEConfig{}, "models: vae: got resolution 0 vs a power of two from 8 to 1024"},
		{models.VAEConfig{Resolution: 4}, "models: vae: got resolution 4 vs a power of two from 8 to 1024"},
		{models.VAEConfig{Resolution: 48}, "models: vae: got resolution 48 vs a power of two from 8 to 1024"},
		{models.VAEConfig{Resolution: 2048}, "models: vae: got resolution 2048 vs a power of two from 8 to 1024"},
		{models.VAEConfig{Resolution: 32, Latent: -1}, "models: vae: got latent -1, width 32 vs positive numbers"},
		{models.VAEConfig{Resolution: 32, Width: -2}, "models: vae: got latent 128, width -2 vs positive numbers"},
	} {
		_, err := models.NewVAE(nn.Builder{Scope: s}, c.c)
		require.EqualError(t, err, c.want)
	}
	closed := torch.NewScope()
	closed.Close()
	_, err := models.NewVAE(nn.Builder{Scope: closed}, models.VAEConfig{Resolution: 32})
	require.ErrorIs(t, err, torch.ErrClosed)

	v, err := models.NewVAE(nn.Builder{Scope: s}, models.VAEConfig{Resolution: 16, Latent: 3, Width: 2})
	require.NoError(t, err)
	require.Error(t, torch.Try(func() { v.Encode(s.Ones([]int64{2, 3, 32, 32})) }), "a larger image must not pass")
	require.Error(t, torch.Try(func() { v.Decode(s.Ones([]int64{2, 4})) }), "a longer latent must not pass")
}

// Fifty steps leave nothing behind.
func TestVAETrainingKeepsMemoryFlat(t *testing.T) {
	root := torch.NewScope()
	defer root.Close()
	g, err := root.NewGenerator(torch.CPU, 5)
	require.NoError(t, err)
	b := nn.Builder{Scope: root.Child(), Generator: g}
	v, err := models.NewVAE(b, models.VAEConfig{Resolution: 16, Latent: 4, Width: 2})
	require.NoError(t, err)
	b.Scope.Seal()
	params := nn.ParamList(v)
	opt := optim.NewAdam(root, params, optim.DefaultAdamOptions())
	step := func(s *torch.Scope) error {
		x := s.Randn(g, []int64{4, 3, 16, 16}).Tanh()
		mu, logvar := v.Encode(x)
		z := mu.Add(logvar.MulScalar(0.5).Exp().Mul(s.Randn(g, []int64{4, 4})))
		loss := v.Decode(z).Tanh().Sub(x).Square().Mean().Add(mu.Square().Add(logvar.Exp()).Sub(logvar).Mean())
		opt.Step(torch.Grad(loss, params, torch.GradOptions{}))
		return nil
	}
	leavesNothing(t, root, 50, step, params)
}
