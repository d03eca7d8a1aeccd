// Package models has reference networks: pairs of a generator and a critic for images of 32, 64 or 128 pixels.
//
// They are defaults, not a cage: trainers use the two interfaces [Generator] and [Critic]. Images are [N, 3, R, R] in
// [-1, 1]. Names of tensors are those that PyTorch gives to the same networks written as nn.Sequential.
package models
