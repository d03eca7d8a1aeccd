package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

func newDiffusion() *cobra.Command {
	d := trainers.DefaultDiffusionOptions()
	var (
		t       training
		lr      = lrFlags{Rate: 1e-4, Warmup: "500step", Decay: "none"}
		steps   int64
		arch    string
		weight  string
		dropout float64
	)
	cmd := &cobra.Command{
		Use:   "diffusion",
		Short: "Train a diffusion model, with the TIGAS score in its loss",
		Long: `Train a denoising diffusion model. Its loss is the squared error of the prediction plus
a weight times 1 - mean(score) of a frozen TIGAS detector, on the pictures that the
predictions stand for, where their timestep is below a limit. Without --data it trains on
procedural demo pictures, with the detector that is part of the program; the defaults are
then --arch demo --lr 2e-3 --lr-decay cosine --batch 32 --ema 0.995 --sample-steps 20
--kimg 60 --threads 1, which two cores finish in about six minutes.`,
		Example: `  tigas-train diffusion --tigas-weight 0.05
  tigas-train diffusion --data faces/ --resolution 64 --predict v --schedule cosine --tigas-weight 0.05 --tigas-max-timestep 200
  tigas-train diffusion --data cifar/ --arch ddpm-cifar10 --predict eps --schedule linear --loss-weight none --device cuda
  tigas-train sample runs/diffusion --n 64 --sampler ddim --steps 50 --out grid.png`,
		Args: noArgs,
		RunE: t.begun(func(cmd *cobra.Command) error {
			f := cmd.Flags()
			if err := noZero(f, "beta2", "tigas-max-timestep"); err != nil {
				return err
			}
			var err error
			if t.own, err = t.nets.read(cmd, &t.keep, map[string][]string{"network": {"arch", "dropout"}}); err != nil {
				return err
			}
			switch {
			case t.data.demo() && (f.Changed("arch") || t.own != nil):
				preset(f, originDemo, "kimg", 60)
			case t.data.demo():
				preset(f, originDemo, "arch", "demo", "lr", 2e-3, "lr-decay", "cosine", "batch", 32, "ema", 0.995, "sample-steps", 20, "kimg", 60)
				oneThread(f)
			}
			if err = stepsToKimg(f, steps, d.Batch, &t.run.Kimg); err != nil {
				return err
			}
			if d.LR, err = lr.schedule(t.run.Kimg, d.Batch); err != nil {
				return err
			}
			if weight == "" {
				d.LossWeight = trainers.DefaultLossWeight(d.Predict)
			} else {
				d.LossWeight = trainers.LossWeight(weight)
			}
			if f.Changed("snr-gamma") && d.LossWeight != trainers.MinSNR {
				return usagef("--snr-gamma: it is for --loss-weight min-snr, and this is %s", d.LossWeight)
			}
			if !f.Changed("sample-steps") {
				d.Sampling.Steps = max(1, min(d.Sampling.Steps, d.Timesteps))
			}
			d.Resolution = t.data.Resolution
			if t.own != nil {
				if err = t.own.tryDiffusion(t.sys, t.sys.console(cmd.ErrOrStderr()), d); err != nil {
					return err
				}
				t.own.diffusion(&d)
			} else if d.UNet, err = models.UNetPreset(arch, d.Resolution); err != nil {
				return (&hinted{code: exitUsage, err: fmt.Errorf("--arch: %w", err)}).withHint("see tigas-train diffusion --help")
			}
			if f.Changed("dropout") {
				d.UNet.Dropout = dropout
			}
			return t.train(cmd, family{
				name: "diffusion", batch: d.Batch, check: d.Validate, config: func(c *runConfig) { c.Diffusion = &d }, best: "mse",
				fixed: []string{"resolution", "arch", "predict", "timesteps"},
				build: func(root *torch.Scope, term tigas.Term, dev torch.Device) (trained, error) {
					d.Term, d.ChannelsLast = term, t.gpu.channelsLast(dev)
					return trainers.NewDiffusion(root, nil, d, dev)
				},
				advice: func(weight float64, _ bool) string {
					noise, err := sched.NewNoise(d.Schedule, d.Timesteps)
					if err != nil {
						return ""
					}
					usual := d
					usual.MaxTimestep = 0
					return trainers.DiffusionWeightAdvice(weight, d.TermLimit(noise), usual.TermLimit(noise))
				},
			})
		}),
	}
	f := cmd.Flags()
	t.data.register(f, "2^(levels-1) of the network divides it")
	f.StringVar(&arch, "arch", "small", "network: "+strings.Join(models.UNetPresets, ", "))
	t.nets.register(f, "", [2]string{"network", "TorchScript of a denoiser to train in place of --arch: noisy pictures [N, 3, R, R] and timesteps [N] to predictions [N, 3, R, R]"})
	f.Float64Var(&dropout, "dropout", 0, "probability of dropout in the residual blocks (default by network)")
	f.StringVar((*string)(&d.Predict), "predict", string(d.Predict), "what the network predicts: v, eps (the noise) or x0 (the image)")
	f.StringVar(&d.Schedule, "schedule", d.Schedule, "of the noise: cosine, linear or sigmoid")
	f.IntVar(&d.Timesteps, "timesteps", d.Timesteps, "steps of the noise")
	f.StringVar(&weight, "loss-weight", "", "weight of timesteps: min-snr, none, or eps-equiv (what none is for eps) (default none for eps, else min-snr)")
	f.Float64Var(&d.SNRGamma, "snr-gamma", d.SNRGamma, "largest signal-to-noise ratio that counts for min-snr")
	lr.register(f)
	f.Float64Var(&d.Beta1, "beta1", d.Beta1, "AdamW's beta1")
	f.Float64Var(&d.Beta2, "beta2", d.Beta2, "AdamW's beta2")
	f.Float64Var(&d.WeightDecay, "weight-decay", d.WeightDecay, "AdamW's weight decay")
	f.Float64Var(&d.ClipGrad, "clip-grad", d.ClipGrad, "largest norm of the gradient; 0: no limit")
	f.Float64Var(&d.EMA, "ema", d.EMA, "decay of the averaged network for one step, after a warm-up; 0: none")
	f.StringVar(&d.Sampling.Method, "sampler", d.Sampling.Method, "of the sample pictures: ddim or ddpm")
	f.IntVar(&d.Sampling.Steps, "sample-steps", d.Sampling.Steps, "evaluations of the network for a sample picture")
	f.Float64Var(&d.Sampling.Eta, "eta", 0, "share of the noise that ddim adds again, 0 to 1")
	f.IntVar(&d.MaxTimestep, "tigas-max-timestep", 0, "score only pictures with a timestep below this (default by --schedule and --predict; for cosine and v 664 of 1000)")
	f.Int64Var(&steps, "steps", 0, "length of the run in steps of a batch, instead of --kimg")
	t.registerRun(f, &d.Batch, 0.05)
	return cmd
}
