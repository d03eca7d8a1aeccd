package main

import (
	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

func newVAE() *cobra.Command {
	v := trainers.DefaultVAEOptions()
	var (
		t        training
		lr       = lrFlags{Rate: 1e-3, Warmup: "100step", Decay: "cosine"} // without a warm-up the divergence overshoots at first
		klWarmup string
		steps    int64
	)
	cmd := &cobra.Command{
		Use:   "vae",
		Short: "Train a variational autoencoder, with the TIGAS score in its loss",
		Long: `Train a variational autoencoder. Its loss is the evidence lower bound, per value of an image,
plus a weight times 1 - mean(score) of a frozen TIGAS detector on reconstructions, on
pictures decoded from random latents, or on both. Without --data it trains on procedural demo pictures, with the
detector that is part of the program; the defaults are then --latent 64 --kimg 80 --threads 1,
which two cores finish in nine minutes.`,
		Example: `  tigas-train vae --tigas-weight 0.1
  tigas-train vae --data faces/ --resolution 64 --latent 128 --beta 1 --tigas-weight 0.1 --tigas-on both --out runs/vae
  tigas-train vae --data faces/ --recon bce --free-bits 0.25 --kl-warmup 10000step --steps 100000
  tigas-train sample runs/vae --n 64 --out grid.png
  tigas-train reconstruct runs/vae face.png --out both.png`,
		Args: noArgs,
		RunE: t.begun(func(cmd *cobra.Command) error {
			f := cmd.Flags()
			if err := noZero(f, "beta2"); err != nil {
				return err
			}
			var err error
			if t.own, err = t.nets.read(cmd, &t.keep, map[string][]string{"network": {"width"}, "encoder": {"width"}, "decoder": {"width"}}); err != nil {
				return err
			}
			if t.own != nil {
				if t.nets.given("network") == t.nets.given("encoder") || t.nets.given("encoder") != t.nets.given("decoder") {
					return usagef("--network, --encoder, --decoder: want --network alone, or the other two")
				}
				if t.nets.given("encoder") && t.own.Files["encoder"].SHA256 == t.own.Files["decoder"].SHA256 {
					return usagef("--encoder, --decoder: got the same network twice: one that is both goes to --network")
				}
				v.Resolution = t.data.Resolution
				if err = t.own.tryVAE(t.sys, t.sys.console(cmd.ErrOrStderr()), f, v); err != nil {
					return err
				}
			}
			if t.data.demo() {
				preset(f, originDemo, "kimg", 80)
				if t.own == nil {
					preset(f, originDemo, "latent", 64)
				}
				if v.Width <= 32 && t.own == nil {
					oneThread(f)
				}
			}
			if err := stepsToKimg(f, steps, v.Batch, &t.run.Kimg); err != nil {
				return err
			}
			if v.LR, err = lr.schedule(t.run.Kimg, v.Batch); err != nil {
				return err
			}
			if v.KLWarmup, err = parseKLWarmup(klWarmup, t.run.Kimg, v.Batch); err != nil {
				return err
			}
			v.Resolution = t.data.Resolution
			t.own.vae(&v)
			return t.train(cmd, family{
				name: "vae", batch: v.Batch, check: v.Validate, config: func(c *runConfig) { c.VAE = &v }, best: "mse",
				fixed: []string{"resolution", "latent", "width"},
				build: func(root *torch.Scope, term tigas.Term, d torch.Device) (trained, error) {
					v.Term, v.ChannelsLast = term, t.gpu.channelsLast(d)
					return trainers.NewVAE(root, nil, v, d)
				},
				advice: trainers.VAEWeightAdvice,
			})
		}),
	}
	f := cmd.Flags()
	t.data.register(f, "a power of two from 8 to 1024")
	t.nets.register(f, "symmetric, [-1, 1], unit, [0, 1], or raw: takes [-1, 1], and makes values without bounds that --recon squashes",
		[2]string{"network", "TorchScript of an autoencoder to train in place of the program's, with the methods encode, pictures [N, 3, R, R] to means and logarithms of variances [N, L], and decode"},
		[2]string{"encoder", "TorchScript of an encoder, with --decoder in place of --network"},
		[2]string{"decoder", "TorchScript of a decoder"})
	f.IntVar(&v.Latent, "latent", v.Latent, "length of the latent vector")
	f.IntVar(&v.Width, "width", v.Width, "channels of the first level; they double with each level, up to 16 times as many")
	f.StringVar((*string)(&v.Reconstruction), "recon", string(v.Reconstruction), "reconstruction loss: mse, l1 or bce")
	f.StringVar((*string)(&v.Reduction), "reduction", string(v.Reduction), "sum: over values and latent dimensions, the evidence lower bound; mean: means of both, as the recipe, which makes beta many times larger")
	f.Float64Var(&v.Beta, "beta", v.Beta, "weight of the KL term")
	f.StringVar(&klWarmup, "kl-warmup", "auto", "beta rises from 0 over this length: 10000step, 10epoch, 20kimg, 0, or auto: 10000step, at most a fifth of the run")
	f.Float64Var(&v.FreeBits, "free-bits", 0, "nats of each latent dimension that cost nothing; 0.25 to 0.5 keeps dimensions alive")
	lr.register(f)
	f.Float64Var(&v.Beta1, "beta1", v.Beta1, "Adam's beta1")
	f.Float64Var(&v.Beta2, "beta2", v.Beta2, "Adam's beta2")
	f.Float64Var(&v.ClipGrad, "clip-grad", 0, "largest norm of the gradient; 0: no limit")
	f.StringVar((*string)(&v.TermOn), "tigas-on", string(v.TermOn), "what the TIGAS term scores: recon, prior (decoded random latents) or both, half a batch each")
	f.Int64Var(&steps, "steps", 0, "length of the run in steps of a batch, instead of --kimg")
	t.registerRun(f, &v.Batch, 0.1)
	return cmd
}

// parseKLWarmup reads a length; auto is 10,000 steps, at most a fifth of the run.
func parseKLWarmup(text string, kimg float64, batch int) (sched.Span, error) {
	if text == "auto" {
		return sched.Span{N: min(10_000*float64(batch)/1000, kimg/5), Unit: sched.Kimg}, nil
	}
	s, err := sched.ParseSpan(text)
	if err != nil {
		return s, usagef("--kl-warmup: %s", err)
	}
	return s, nil
}
