package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// samplingFlags are the flags of how pictures are drawn that only one family has.
type samplingFlags struct {
	trunc  float64
	cutoff int64
	noise  string
	method string
	steps  int
	eta    float64
	given  func(flag string) bool
}

func (s *samplingFlags) register(f *pflag.FlagSet) {
	f.Float64Var(&s.trunc, "trunc", 1, "StyleGAN: truncation; 0.7 gives more usual pictures of less variety, 1 is none")
	f.Int64Var(&s.cutoff, "trunc-cutoff", -1, "StyleGAN: layers that are truncated, coarse ones first; below 0: all")
	f.StringVar(&s.noise, "noise-mode", "const", "StyleGAN: const, random or none")
	f.StringVar(&s.method, "sampler", "", "diffusion: ddim or ddpm (default that of the run)")
	f.IntVar(&s.steps, "steps", 0, "diffusion: evaluations of the network for a picture (default that of the run; for --sampler ddim 50, ddpm all)")
	f.Float64Var(&s.eta, "eta", 0, "diffusion: share of the noise that ddim adds again, 0 to 1 (default that of the run)")
}

// samplingFamilies are the families that have flags of their own.
var samplingFamilies = []struct {
	name  string
	flags []string
}{
	{"stylegan", []string{"trunc", "trunc-cutoff", "noise-mode"}},
	{"diffusion", []string{"sampler", "steps", "eta"}},
}

// apply sets a model up, and refuses flags of another family.
func (s *samplingFlags) apply(root *torch.Scope, run *loadedRun, seed int64) (err error) {
	seed++ // not that of the latents
	family := ""
	switch m := run.model.(type) {
	case *trainers.StyleSampler:
		family = "stylegan"
		if m.Noise.Generator, err = root.NewGenerator(run.device, seed); err == nil {
			err = s.style(m)
		}
	case *trainers.DenoisingSampler:
		family = "diffusion"
		if m.Noise, err = root.NewGenerator(torch.CPU, seed); err == nil {
			err = s.diffusion(m)
		}
	}
	for _, f := range samplingFamilies {
		for _, flag := range f.flags {
			if f.name != family && s.given(flag) {
				return &hinted{code: exitUsage, err: fmt.Errorf("--%s: it is for runs of %s, and this run is of another family", flag, f.name)}
			}
		}
	}
	return err
}

func (s *samplingFlags) style(m *trainers.StyleSampler) error {
	if err := finite("trunc", s.trunc); err != nil {
		return err
	}
	m.Trunc, m.Cutoff = s.trunc, s.cutoff
	switch s.noise {
	case "const":
	case "random":
		m.Noise.Mode = models.NoiseRandom
	case "none":
		m.Noise.Mode = models.NoiseNone
	default:
		return usagef("--noise-mode: got %q vs const, random or none", s.noise)
	}
	return nil
}

func (s *samplingFlags) diffusion(m *trainers.DenoisingSampler) error {
	if s.given("sampler") {
		m.Sampling = trainers.Sampling{Method: s.method, Steps: m.Timesteps()}
		if s.method == trainers.MethodDDIM {
			m.Sampling.Steps = min(50, m.Timesteps())
		}
	}
	if s.given("steps") {
		m.Sampling.Steps = s.steps
	}
	if s.given("eta") {
		m.Sampling.Eta = s.eta
	}
	if err := m.Sampling.Validate(m.Timesteps()); err != nil {
		return &hinted{code: exitUsage, err: err}
	}
	return nil
}
