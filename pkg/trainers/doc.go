// Package trainers trains image generators: pure loss functions, one file per family, and the loop that they run in.
//
// A loss is a function of tensors and nothing else, so that it can be used in a loop of one's own:
//
//	d := trainers.WassersteinCritic(critic(real), critic(fake)).Add(trainers.GradientPenalty(critic, real, fake, o))
//	grads := torch.Grad(d, criticParams, torch.GradOptions{})
//
// [Run] is the loop of the command line: it feeds a [Family] with batches, logs, draws sample pictures and writes
// snapshots. [NewGAN] is the family of `tigas-train gan`. Images are [N, 3, H, W] in [-1, 1] throughout.
package trainers
