package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// styleFlags are the flags of the family, most of which --cfg has the default of.
type styleFlags struct {
	cfg   string
	gamma string
	o     trainers.StyleGANOptions
}

func newStyleGAN() *cobra.Command {
	var (
		t training
		s styleFlags
	)
	cmd := &cobra.Command{
		Use:   "stylegan",
		Short: "Train StyleGAN2, with the TIGAS score in the generator's loss",
		Long: `Train StyleGAN2: non-saturating loss, lazy R1 and path-length regularisation, style mixing, an
averaged generator; plus a weight times 1 - mean(score) of a frozen TIGAS detector on the
generator's pictures. --cfg chooses settings, other flags change single ones. Without --data it
trains on procedural demo pictures, with the detector that is part of the program; the
defaults are then --latent 64 --style-dim 64 --channel-base 512 (16 channels at the full size) --channel-max 64
--batch 8 --gamma 1 --g-lr 0.01 --d-lr 0.01 --ema-kimg 2 --kimg 30 --threads 1, which two cores finish in about ten minutes.`,
		Example: `  tigas-train stylegan --tigas-weight 0.1
  tigas-train stylegan --data faces/ --resolution 256 --gamma auto --tigas-weight 0.1 --out runs/style
  tigas-train stylegan --data faces/ --resolution 256 --cfg paper256 --aug color,translation,cutout --device cuda
  tigas-train sample runs/style --n 64 --trunc 0.7 --out grid.png
  tigas-train interpolate runs/style --frames 60 --out walk.gif`,
		Args: noArgs,
		RunE: t.begun(func(cmd *cobra.Command) error {
			f := cmd.Flags()
			if err := noZero(f, "g-lr", "d-lr", "beta2", "batch", "latent", "style-dim", "map-depth", "channel-base",
				"channel-max", "mbstd-group"); err != nil {
				return err
			}
			if t.data.demo() {
				preset(f, originDemo, "kimg", 30)
			}
			demo := t.data.demo() && !f.Changed("cfg")
			if demo {
				preset(f, originDemo, "batch", 8)
				oneThread(f)
			}
			if err := s.preset(f, t.data.Resolution); err != nil {
				return err
			}
			if demo {
				small := models.DemoStyleConfig(t.data.Resolution)
				preset(f, originDemo, "latent", small.Latent, "style-dim", small.StyleDim, "channel-base", small.ChannelBase,
					"channel-max", small.ChannelMax, "gamma", 1, "g-lr", 0.01, "d-lr", 0.01, "ema-kimg", 2)
			}
			o, err := s.options()
			if err != nil {
				return err
			}
			return t.train(cmd, family{
				name: "stylegan", batch: o.Batch, check: o.Validate, config: func(c *runConfig) { c.StyleGAN = &o }, best: byScore(t.tigas.Weight),
				fixed: []string{"resolution", "latent", "style-dim", "map-depth", "channel-base", "channel-max", "cfg"},
				build: func(root *torch.Scope, term tigas.Term, d torch.Device) (trained, error) {
					o.Term, o.ChannelsLast = term, t.gpu.channelsLast(d)
					return trainers.NewStyleGAN(root, nil, o, d)
				},
				advice: trainers.WeightAdvice,
			})
		}),
	}
	f := cmd.Flags()
	t.data.register(f, "a power of two from 8 to 1024")
	s.register(f)
	t.registerRun(f, &s.o.Batch, 0.1)
	f.Lookup("batch").Usage += " (default by --cfg)"
	return cmd
}

func (s *styleFlags) register(f *pflag.FlagSet) {
	f.StringVar(&s.cfg, "cfg", "auto", "settings: "+strings.Join(trainers.StylePresets, ", "))
	f.StringVar(&s.gamma, "gamma", "", "weight of R1, or auto: 0.0002 * resolution^2 / batch (default by --cfg)")
	n := &s.o.Net
	f.IntVar(&n.Latent, "latent", 512, "length of the latent vector z")
	f.IntVar(&n.StyleDim, "style-dim", 512, "length of the style vector w")
	f.IntVar(&n.MappingLayers, "map-depth", 0, "layers from z to w (default by --cfg)")
	f.IntVar(&n.ChannelBase, "channel-base", 0, "width: min(channel-base / r, channel-max) channels at r x r (default by --cfg and resolution)")
	f.IntVar(&n.ChannelMax, "channel-max", 512, "largest number of channels")
	f.IntVar(&n.MbstdGroup, "mbstd-group", 0, "pictures that share a minibatch standard deviation (default by --cfg)")
	f.IntVar(&s.o.R1Every, "r1-every", 16, "steps between two updates for R1")
	f.Float64Var(&s.o.PLWeight, "pl-weight", 0, "weight of path-length regularisation; 0: none (default 2; cifar 0)")
	f.IntVar(&s.o.PLEvery, "pl-every", 4, "steps between two updates for path length")
	f.Float64Var(&s.o.Mixing, "mixing", 0, "probability of style mixing (default 0.9; cifar 0)")
	f.StringVar(&s.o.Augment, "aug", "none", "DiffAugment of what the discriminator sees: none, or color, translation, cutout with commas between them")
	f.Float64Var(&s.o.GenLR, "g-lr", 0, "learning rate of the generator (default by --cfg)")
	f.Float64Var(&s.o.CriticLR, "d-lr", 0, "learning rate of the discriminator (default by --cfg)")
	f.Float64Var(&s.o.Beta1, "beta1", 0, "Adam's beta1")
	f.Float64Var(&s.o.Beta2, "beta2", 0.99, "Adam's beta2")
	f.Float64Var(&s.o.EMAKimg, "ema-kimg", 0, "half-life of the averaged generator, in thousands of images; 0: none (default by --cfg)")
}

// preset takes what --cfg says where the command line says nothing. Some of it follows the resolution and the batch.
func (s *styleFlags) preset(f *pflag.FlagSet, resolution int) error {
	o, err := trainers.StylePreset(s.cfg, resolution, s.o.Batch)
	if err != nil {
		return &hinted{code: exitUsage, err: err}
	}
	preset(f, "--cfg "+s.cfg, "batch", o.Batch, "map-depth", o.Net.MappingLayers, "channel-base", o.Net.ChannelBase, "mbstd-group", o.Net.MbstdGroup,
		"pl-weight", o.PLWeight, "mixing", o.Mixing, "g-lr", o.GenLR, "d-lr", o.CriticLR, "ema-kimg", o.EMAKimg, "gamma", o.Gamma)
	s.o.Net.Resolution, s.o.EMARamp, s.o.PLShrink = resolution, o.EMARamp, o.PLShrink
	return nil
}

// options are what the flags say.
func (s *styleFlags) options() (trainers.StyleGANOptions, error) {
	o := s.o
	if o.Augment == "" {
		o.Augment = "none"
	}
	if s.gamma == "auto" {
		o.Gamma = trainers.R1Gamma(o.Net.Resolution, o.Batch)
		return o, nil
	}
	var err error
	if o.Gamma, err = strconv.ParseFloat(s.gamma, 64); err != nil || math.IsNaN(o.Gamma) {
		return o, usagef("--gamma: got %q vs auto or a number of at least 0", s.gamma)
	}
	return o, nil
}
