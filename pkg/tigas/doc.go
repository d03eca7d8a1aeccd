// Package tigas scores images with a frozen TIGAS detector and makes the score a loss.
//
// A detector is a network that maps images to scores from 0 (generated) to 1 (real). 1 - mean(score) is differentiable: as
// a term of a generator's loss, with a small weight, it moves the generator towards what the detector takes for real. The
// package needs neither networks nor trainers of this module, so that a loop of one's own can import it alone.
//
// Three types carry everything. A [Detector] is the network: [Open] loads one, [Detector.Score] scores images,
// [Detector.Loss] is the loss, the one place where it is computed. [LossOptions] say of which function of the score, at
// which scales, for images in which [Range]. A [Term] adds when the loss applies: weight, warm-up, interval, and nothing in
// a step in which it is not finite.
//
//	det, err := tigas.Open(root, "detector.pt", tigas.OpenOptions{Device: torch.CUDA(0)})
//	...
//	fake := generator.Forward(z)                                             // [N, 3, H, W] in [-1, 1], from a tanh
//	term, score := det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric}) // 1 - mean(score), and the score to log
//	total := adversarial.Add(term.MulScalar(0.1))
//	grads := torch.Grad(total, params, torch.GradOptions{}) // of the generator: the detector has none
//	optimizer.Step(grads)
//
// # Detectors
//
// [Open] takes TorchScript, whoever exported it, and checkpoints of upstream's trainer, which become TorchScript without
// Python (package convert). It puts the network into evaluation mode, freezes every parameter, drops what is not the
// score, and proves that it can be a loss: finite scores in [0, 1] and a finite, non-zero gradient with respect to the
// images. A file that fails is refused when it is opened, with the reason. [Embedded] is the small detector that is part of
// the program, for the demo pictures. Package hub downloads the published one.
//
// # Images
//
// Images are [N, 3, H, W], RGB, of any size that the network takes; they are not resized, except by [LossOptions.Scales] and
// an [Augment].
// The detector's own range is [0, 1]; outside of it there is no gradient. [Range] says what the values of one's images
// mean, and they are converted in [Detector.Loss] only: [Detector.Score], [Blur] and [Compress] take [0, 1].
//
// # Who owns memory
//
// A Detector belongs to the scope that it was opened in, and is of no use once that is closed. A score or a loss belongs to
// the scope of the images and is freed with it, like the result of any operation; what is computed on the way is freed with
// the scope too, by [Term.Apply] when it returns. The detector's own tensors never require gradients and never change
// ([Detector.ParamsSHA256]).
//
// # What panics, and what returns an error
//
// Opening, parsing and the Validate and Check methods return errors that name what is wrong. Scoring and losses panic with
// [*torch.Error], as operations do: on another shape than [N, 3, H, W], on a size that the network cannot take, for options
// that do not validate. [LossOptions.Check] finds that out before training.
//
// # Goroutines
//
// A Detector is safe for concurrent use, each goroutine with tensors of its own. A [Term] and an [Augment] are used by one
// goroutine at a time: the latter draws random numbers. Scores are computed in float32, or in the type that
// [OpenOptions.DType] asks for, whatever autocast says, and the random numbers of a run do not depend on whether there is a
// detector.
package tigas
