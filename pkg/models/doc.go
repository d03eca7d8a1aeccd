// Package models has reference networks: pairs of a generator and a critic for images of 32, 64 or 128 pixels.
//
// They are defaults, not a cage: trainers use the two interfaces [Generator] and [Critic]. Images are [N, 3, R, R] in
// [-1, 1].
//
// Tensors have the names that they have in PyTorch: those of PyTorch's own DCGAN example (main.0.weight, ...) and of
// Mimicry's WGAN-GP networks (l1.weight, block2.c1.weight, ...), so that weights move either way.
package models
