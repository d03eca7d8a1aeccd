// Package models has reference networks: the DCGAN and ResNet pairs of a generator and a critic ([NewGAN]), StyleGAN2
// ([NewStyleGAN2]), a convolutional VAE ([NewVAE]) and the U-Net of diffusion models ([NewUNet]).
//
// They are defaults, not a cage: trainers of GANs use the two interfaces [Generator] and [Critic]. Images are [N, 3, R, R]
// in [-1, 1].
//
// Tensors have the names that they have in PyTorch, so that weights move either way: those of PyTorch's own DCGAN example
// (main.0.weight, ...), of Mimicry's WGAN-GP networks (l1.weight, block2.c1.weight, ...), of StyleGAN2's checkpoints
// (mapping.fc0.weight, synthesis.b8.conv0.weight, ...), of PyTorch-VAE (encoder.0.0.weight, ...) and of diffusers'
// UNet2DModel (down_blocks.0.resnets.0.conv1.weight, ...).
package models
