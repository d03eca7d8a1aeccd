package main

import (
	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

func newGAN() *cobra.Command {
	g := trainers.DefaultGANOptions()
	var t training
	loss := string(g.Loss)
	cmd := &cobra.Command{
		Use:   "gan",
		Short: "Train a GAN, with the TIGAS score in the generator's loss",
		Long: `Train a GAN. The generator's loss is the adversarial loss plus a weight times
1 - mean(score) of a frozen TIGAS detector. Without --data it trains on procedural
demo pictures, with the detector that is part of the program; the defaults are then
--latent 64 --ngf 16 --ndf 16 --batch 32 --ema-kimg 2 --kimg 100 --threads 1, with --g-lr 2e-3
--d-lr 2e-3 for wgan-gp, which two cores finish in about two minutes.`,
		Example: `  tigas-train gan --tigas-weight 0.1
  tigas-train gan --data photos/ --resolution 64 --tigas-model detector.pt --tigas-weight 0.1 --kimg 200 --out runs/a
  tigas-train gan --loss nonsaturating --arch resnet --device cuda
  tigas-train gan --generator g.pt --discriminator d.pt --loss bce     networks from Python
  tigas-train gan --loss tigas-only --tigas-weight 1`,
		Args: noArgs,
		RunE: t.begun(func(cmd *cobra.Command) error {
			var err error
			if g.Loss, err = trainers.ParseGANLoss(loss); err != nil {
				return &hinted{code: exitUsage, err: err}
			}
			f := cmd.Flags()
			if err = noZero(f, "critic-steps", "g-lr", "d-lr", "beta2", "ngf", "ndf"); err != nil {
				return err
			}
			if t.own, err = t.nets.read(cmd, &t.keep, map[string][]string{"generator": {"ngf"}, "discriminator": {"ndf"}}); err != nil {
				return err
			}
			if t.data.demo() {
				small := demoGAN(g)
				preset(f, originDemo, "latent", small.Latent, "ngf", small.GenWidth, "ndf", small.CriticWidth, "batch", small.Batch,
					"g-lr", small.GenLR, "d-lr", small.CriticLR, "ema-kimg", small.EMAKimg, "kimg", demoKimg)
				if g.GenWidth <= 16 && t.own == nil {
					oneThread(f)
				}
			}
			if t.own != nil {
				if err = t.own.tryGAN(t.sys, t.sys.console(cmd.ErrOrStderr()), f, g, t.data.Resolution); err != nil {
					return err
				}
			}
			g.Resolution = t.data.Resolution
			t.own.gan(&g)
			g = g.Resolve()
			return t.train(cmd, family{
				name: "gan", batch: g.Batch, check: g.Validate, config: func(c *runConfig) { c.GAN = &g }, best: byScore(t.tigas.Weight),
				fixed: []string{"resolution", "arch", "latent", "ngf", "ndf"},
				build: func(root *torch.Scope, term tigas.Term, d torch.Device) (trained, error) {
					g.Term, g.ChannelsLast = term, t.gpu.channelsLast(d)
					return trainers.NewGAN(root, nil, g, d)
				},
				advice: func(weight float64, atStart bool) string {
					if g.Loss == trainers.TIGASOnly {
						return ""
					}
					return trainers.WeightAdvice(weight, atStart)
				},
			})
		}),
	}
	f := cmd.Flags()
	t.data.register(f, "32, 64 or 128")
	f.StringVar(&g.Arch, "arch", g.Arch, "networks: dcgan or resnet")
	t.nets.register(f, "symmetric, [-1, 1], or unit, [0, 1]",
		[2]string{"generator", "TorchScript of a generator to train in place of --arch's: latents [N, L] or [N, L, 1, 1] to pictures [N, 3, R, R]"},
		[2]string{"discriminator", "TorchScript of a critic or discriminator: pictures [N, 3, R, R] to logits [N], [N, 1] or, of patches, [N, 1, H, W]"})
	f.IntVar(&g.Latent, "latent", g.Latent, "length of the latent vector")
	f.IntVar(&g.GenWidth, "ngf", g.GenWidth, "width of the generator, in channels (default by architecture: 64; resnet at 32: 256)")
	f.IntVar(&g.CriticWidth, "ndf", g.CriticWidth, "width of the critic, in channels (default by architecture: 64; resnet at 32: 128)")
	f.Float64Var(&g.EMAKimg, "ema-kimg", g.EMAKimg, "half-life of the averaged generator, in thousands of images; 0: none")

	f.StringVar(&loss, "loss", loss, "wgan-gp, wgan-clip, nonsaturating, hinge, bce or tigas-only")
	f.IntVar(&g.CriticSteps, "critic-steps", 0, "critic updates for each generator update (default 5 for wgan-*, 1 else)")
	f.Float64Var(&g.GPLambda, "gp-lambda", g.GPLambda, "weight of the gradient penalty of wgan-gp")
	f.Float64Var(&g.Clip, "clip", g.Clip, "limit on the critic's weights of wgan-clip")
	f.Float64Var(&g.GenLR, "g-lr", 0, "learning rate of the generator (default by loss: wgan-gp 1e-4, wgan-clip 5e-5, else 2e-4)")
	f.Float64Var(&g.CriticLR, "d-lr", 0, "learning rate of the critic (default by loss, as --g-lr)")
	f.Float64Var(&g.Beta1, "beta1", g.Beta1, "Adam's beta1 (default by loss: wgan-gp 0, else 0.5)")
	f.Float64Var(&g.Beta2, "beta2", 0, "Adam's beta2 (default by loss: wgan-gp 0.9, else 0.999)")
	f.Float64Var(&g.ClipGrad, "clip-grad", 0, "largest norm of the generator's gradient; 0: no limit")
	t.registerRun(f, &g.Batch, 0.1)
	return cmd
}

const demoKimg = 100

// demoGAN puts the demo's settings in place of the defaults. They are for 32 x 32 and a Wasserstein loss with penalty; the
// other losses keep the rates of their papers.
func demoGAN(g trainers.GANOptions) trainers.GANOptions {
	g.Latent, g.GenWidth, g.CriticWidth, g.Batch, g.EMAKimg = 64, 16, 16, 32, 2
	if g.Loss == trainers.WGANGP {
		g.GenLR, g.CriticLR = 2e-3, 2e-3
	}
	return g
}
