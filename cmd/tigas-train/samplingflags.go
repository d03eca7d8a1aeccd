package main

import (
	"fmt"
	"slices"
	"strings"

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
	s.registerSteady(f)
	f.Lookup("noise-mode").Usage = "StyleGAN: const, random or none"
	f.Lookup("steps").Usage += "; for --sampler ddim 50, ddpm all"
	f.StringVar(&s.method, "sampler", "", "diffusion: ddim or ddpm (default that of the run)")
	f.Float64Var(&s.eta, "eta", 0, "diffusion: share of the noise that ddim adds again, 0 to 1 (default that of the run)")
}

// registerSteady leaves out what draws new noise for every picture, in which an animation would flicker.
func (s *samplingFlags) registerSteady(f *pflag.FlagSet) {
	f.Float64Var(&s.trunc, "trunc", 1, "StyleGAN: truncation; 0.7 gives more usual pictures of less variety, 1 is none")
	f.Int64Var(&s.cutoff, "trunc-cutoff", -1, "StyleGAN: layers that --trunc is for, coarse ones first; below 0: all")
	f.StringVar(&s.noise, "noise-mode", "const", "StyleGAN: const or none")
	f.IntVar(&s.steps, "steps", 0, "diffusion: evaluations of the network for a picture; default that of the run")
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
func (s *samplingFlags) apply(root *torch.Scope, run *loadedRun, seed int64) error {
	if err := s.refuse(run.config.Command); err != nil {
		return err
	}
	return s.set(root, run, seed)
}

// refuse returns an error when a flag is given that none of the families has.
func (s *samplingFlags) refuse(families ...string) error {
	for _, f := range samplingFamilies {
		for _, flag := range f.flags {
			if !slices.Contains(families, f.name) && s.given(flag) {
				return &hinted{code: exitUsage, err: fmt.Errorf("--%s: it is for runs of %s, and this is one of %s", flag, f.name, strings.Join(families, ", "))}
			}
		}
	}
	return nil
}

// set sets a model up with the flags that its family has.
func (s *samplingFlags) set(root *torch.Scope, run *loadedRun, seed int64) (err error) {
	seed++ // not that of the latents
	switch m := run.model.(type) {
	case *trainers.StyleSampler:
		if m.Noise.Generator, err = root.NewGenerator(run.device, seed); err == nil {
			err = s.style(m)
		}
	case *trainers.DenoisingSampler:
		if m.Noise, err = root.NewGenerator(torch.CPU, seed); err == nil {
			err = s.diffusion(m)
		}
	}
	return err
}

func (s *samplingFlags) style(m *trainers.StyleSampler) error {
	if err := finite("trunc", s.trunc); err != nil {
		return err
	}
	if s.given("trunc-cutoff") && s.trunc == 1 {
		return usagef("--trunc-cutoff: it does nothing while --trunc is 1, which is no truncation: give both")
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
		if s.method != trainers.MethodDDIM && s.method != trainers.MethodDDPM {
			return usagef("--sampler: got %q vs ddim or ddpm", s.method)
		}
		m.Sampling = trainers.Sampling{Method: s.method, Steps: m.Timesteps()}
		if s.method == trainers.MethodDDIM {
			m.Sampling.Steps = min(50, m.Timesteps())
		}
	}
	if s.given("steps") {
		if s.steps < 1 || s.steps > m.Timesteps() {
			return usagef("--steps: got %d vs 1 to %d", s.steps, m.Timesteps())
		}
		m.Sampling.Steps = s.steps
	}
	if s.given("eta") {
		if !(s.eta >= 0 && s.eta <= 1) {
			return usagef("--eta: got %v vs 0 to 1", s.eta)
		}
		if s.eta > 0 && m.Sampling.Method == trainers.MethodDDPM {
			return usagef("--eta: it is for ddim; ddpm has noise of its own")
		}
		m.Sampling.Eta = s.eta
	}
	return nil
}
