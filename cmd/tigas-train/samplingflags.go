package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// samplingFlags are the flags of how pictures are drawn that only one family has.
type samplingFlags struct {
	trunc    float64
	cutoff   int64
	sampling trainers.Sampling
	given    func(flag string) bool
}

func (s *samplingFlags) register(f *pflag.FlagSet) {
	f.Float64Var(&s.trunc, "trunc", 1, "StyleGAN: truncation; 0.7 gives more usual pictures of less variety, 1 is none")
	f.Int64Var(&s.cutoff, "trunc-cutoff", -1, "StyleGAN: layers that are truncated, coarse ones first (default all)")
	f.StringVar(&s.sampling.Method, "sampler", "ddim", "diffusion: ddim or ddpm")
	f.IntVar(&s.sampling.Steps, "steps", 50, "diffusion: evaluations of the network for a picture")
	f.Float64Var(&s.sampling.Eta, "eta", 0, "diffusion: share of the noise that ddim adds again, 0 to 1")
}

// apply sets a model up, and refuses flags of another family.
func (s *samplingFlags) apply(root *torch.Scope, m trainers.Sampler, seed int64) (err error) {
	style, diffusion := []string{"trunc", "trunc-cutoff"}, []string{"sampler", "steps", "eta"}
	switch m := m.(type) {
	case *trainers.StyleSampler:
		m.Trunc, m.Cutoff = s.trunc, s.cutoff
		if err := finite("trunc", s.trunc); err != nil {
			return err
		}
		style = nil
	case *trainers.DenoisingSampler:
		if m.Noise, err = root.NewGenerator(torch.CPU, seed+1); err != nil { // not that of the latents
			return err
		}
		if s.given("sampler") {
			m.Sampling.Method = s.sampling.Method
			if m.Sampling.Method == "ddpm" && !s.given("steps") {
				m.Sampling.Steps = m.Timesteps()
			}
		}
		if s.given("steps") || m.Sampling.Method == "ddim" {
			m.Sampling.Steps = min(s.sampling.Steps, m.Timesteps())
		}
		if s.given("eta") {
			m.Sampling.Eta = s.sampling.Eta
		}
		if err := m.Sampling.Validate(m.Timesteps()); err != nil {
			return &hinted{code: exitUsage, err: err}
		}
		diffusion = nil
	}
	for _, f := range []struct {
		flags  []string
		family string
	}{{style, "stylegan"}, {diffusion, "diffusion"}} {
		for _, flag := range f.flags {
			if s.given(flag) {
				return &hinted{code: exitUsage, err: fmt.Errorf("--%s: it is for runs of %s, and this run is of another family", flag, f.family)}
			}
		}
	}
	return nil
}
