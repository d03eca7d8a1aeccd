// Package models has reference networks: the DCGAN and ResNet pairs of a generator and a critic ([NewGAN]), StyleGAN2
// ([NewStyleGAN2]), a convolutional VAE ([NewVAE]) and the U-Net of diffusion models ([NewUNet]).
//
// They are defaults, not a cage: trainers use them through the interfaces [Generator], [Critic], [Autoencoder] and
// [Denoiser]. Images are [N, 3, R, R] in [-1, 1].
//
//	b := nn.Builder{Scope: root.Child(), Generator: init}
//	pair, err := models.NewGAN(b, "dcgan", models.Config{Resolution: 32, Latent: 128, Ngf: 64, Ndf: 64, CriticNorm: "none"})
//	...
//	b.Scope.Seal()
//	images := pair.Generator.Forward(s.Randn(nil, []int64{16, 128})) // [16, 3, 32, 32]
//	outputs := pair.Critic.Forward(images)                           // [16]
//	grads := torch.Grad(outputs.Mean(), nn.ParamList(pair.Generator), torch.GradOptions{})
//
// Tensors have the names that they have in PyTorch, so that weights move either way: those of PyTorch's own DCGAN example
// (main.0.weight, ...), of Mimicry's WGAN-GP networks (l1.weight, block2.c1.weight, ...), of StyleGAN2's checkpoints
// (mapping.fc0.weight, synthesis.b8.conv0.weight, ...), of PyTorch-VAE (encoder.0.0.weight, ...) and of diffusers'
// UNet2DModel (down_blocks.0.resnets.0.conv1.weight, ...).
//
// # Memory, panics and goroutines
//
// They are modules of package nn: parameters are made in the builder's scope, which the caller seals, and what Forward
// computes belongs to the scope of its input. Constructors return errors for sizes that cannot be; Forward panics with
// [*torch.Error] on images, latents or timesteps of another shape than it was built for. In evaluation mode ([nn.Train])
// Forward may run in several goroutines at once, each with inputs of its own; in training mode batch norms write.
package models
