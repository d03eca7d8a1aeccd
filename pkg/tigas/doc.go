// Package tigas scores images with a frozen TIGAS detector and makes the score a loss.
//
// A detector is a network that maps images [N, 3, H, W] in [0, 1] to scores from 0 (generated) to 1 (real). [Open] loads
// one from TorchScript, freezes it and proves that it can be a loss: finite scores in [0, 1] and a finite, non-zero
// gradient with respect to the images. [Detector.Loss] is the term for a generator's loss, the one place where it is
// computed, and [Term] adds when it applies: weight, warm-up, interval, and nothing in a step in which it is not finite.
//
//	det, err := tigas.Open(root, "detector.pt", tigas.OpenOptions{Device: torch.CUDA(0)})
//	...
//	term, score := det.Loss(fake, tigas.LossOptions{Range: tigas.Symmetric}) // fake in [-1, 1], from a tanh
//	total := adversarial.Add(term.MulScalar(0.1))
//	grads := torch.Grad(total, params, torch.GradOptions{})
//
// The package needs neither networks nor trainers of this module, so that a loop of one's own can import it alone.
//
// A score or a loss belongs to the scope of the images and is freed with it. A Detector is safe for concurrent use, each
// goroutine with tensors of its own; a Term is used by one goroutine at a time.
package tigas
