// Package trainers trains image generators: pure loss functions, families of models, and the loop that they run in.
//
// Three types carry everything. A [Family] is a kind of generative model: it makes a step, draws pictures, and names its
// tensors. [NewGAN], [NewStyleGAN], [NewVAE] and [NewDiffusion] make those of the command line; a type of one's own is as
// good. [RunOptions] are the settings of [Run], the loop that feeds a family with batches, logs, draws sample pictures and
// writes snapshots. A [Sampler] draws pictures from a model; [LoadGAN] and its like make one of a snapshot,
// [ExportGAN] and its like TorchScript for other programs.
//
//	o := trainers.DefaultGANOptions()
//	o.Term = tigas.Term{Detector: det, Weight: sched.Constant{Value: 0.1}}
//	gan, err := trainers.NewGAN(root, nil, o, torch.CPU)
//	...
//	err = trainers.Run(ctx, gan, trainers.RunOptions{
//		Kimg: 100, Loader: loader, Out: run, Console: &monitor.Console{W: os.Stderr},
//	})
//
// # Losses
//
// A loss is a function of tensors and nothing else, so that it can be used in a loop of one's own:
//
//	d := trainers.WassersteinCritic(critic(real), critic(fake)).Add(trainers.GradientPenalty(critic, real, fake, o))
//	grads := torch.Grad(d, criticParams, torch.GradOptions{})
//
// Those of GANs, their penalties, [KL] and [Reconstruction], [DiffusionLoss] and what a [Prediction] says are such
// functions, and so are samplers' steps ([DDIMStep], [DDPMStep]), augmentations ([DiffAugmentPolicy]) and walks between
// latents ([Slerp], [LatentWalk]). What is from a paper names it. The TIGAS term is that of package tigas; the options of
// every family have a field for it.
//
// # Images
//
// Images are [N, 3, H, W] in [-1, 1] throughout, those of detectors [0, 1]. [Normalize], [Pixels] and [UnitImages] convert
// from and to bytes.
//
// # The loop
//
// A run is counted in thousands of real images shown (kimg). It ends when they are shown, when its context ends
// ([ErrInterrupted], after a snapshot), or when gradients stay not finite ([ErrDiverged], after returns to earlier snapshots
// with lower learning rates). With [RunOptions.Resume] it goes on bit for bit, on the same machine with the same number of
// threads. [Transfer] begins another run with a snapshot's weights.
//
// # Detectors
//
// [TrainDetector] trains one from batches of one's own, [RunDetector] from two sets of pictures, with validation and a
// card; [JudgeDetector] says whether a detector tells real pictures from generated ones and is of use as a loss.
//
// # Who owns memory
//
// Constructors take the scope that networks and optimisers live in as long as it does: in a sealed child, so that nothing
// else can end up there. A step has a scope of its own that the loop closes. What a loss or a sampler returns belongs to
// the scope of its arguments. Nothing of a run is left behind when [Run] returns, except the family, which is the caller's.
//
// # What panics, and what returns an error
//
// Constructors, loading, Validate and Parse functions, [Run] and Sample return errors. An error of options names the
// command line's flag. Losses and steps of samplers panic with [*torch.Error] on wrong shapes, as operations do; in a
// Family's Step such a panic becomes the error of [Run].
//
// # Goroutines
//
// [Run] stays on one operating-system thread, and the family is its own while it runs: sample from it when it has
// returned, or in OnTick. Pictures are decoded by goroutines of package data. Losses may be computed by several goroutines
// at once on tensors of their own; a family or a [Sampler] is used by one at a time.
package trainers
