package network

import (
	"errors"
	"fmt"
	"hash/crc32"
)

// Options say which form of the network is written.
type Options struct {
	// Training makes batch norms follow the module's mode, for a detector that is being trained; dropout is left out.
	// Without it they are literally in evaluation mode, so that nothing can put the module back into training.
	Training bool
	// Logits makes forward return a dict with "score" and "logits", as upstream's network does.
	Logits bool
	// Folded writes the network for computing only, whose tensors [Fold] makes of those of the others: batch norms are in the
	// convolutions before them; convolutions and both attentions compute in the type of their weights, with channels last;
	// what follows the means over a whole stage is float32, and so are the results. It excludes Training.
	Folded bool
}

// Text is a network as TorchScript: what its source finds as attributes of self, and the source.
//
// The methods take images [N, 3, H, W], float32 in [0, 1]:
//
//	forward(image)   the scores [N, 1] in [0, 1], 1 = real; with Options.Logits {"score": scores, "logits": [N, 2]}
//	logit(image)     the values [N, 1] before the sigmoid
//	heads(image)     both heads from one pass: (logit [N, 1], logits [N, 2]); column 0 = generated, 1 = real
//
// The logits of the classes lie in [-10, 10]: forward clamps them as upstream does. heads does not, because beyond the
// limits a clamp has no gradient.
type Text struct {
	Specs  []Spec
	Source string

	norms map[string]string // of a folded network: convolution -> the batch norm that is in it
	typed map[string]bool   // names of the tensors whose type a folded network computes in
}

// Version tells texts apart, for files made of them: whatever changes the source changes it.
func (t *Text) Version() string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(t.Source))) }

// Write returns the network of this size, or an error when there is none.
func (a Arch) Write(o Options) (*Text, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	if o.Folded && o.Training {
		return nil, errors.New("network: got a folded network that is trained vs one of both")
	}
	b := &builder{bn: "False", folded: o.Folded, norms: map[string]string{}, typed: map[string]bool{}}
	if o.Training {
		b.bn = "self.training"
	}
	f := a.Feature
	b.method("features(self, image: Tensor) -> Tensor")
	b.line("image = torch.clamp(2. * image - 1., -1., 1.)")
	if o.Folded {
		b.line("image = image.to(self.%s.dtype).contiguous(memory_format=2)", attr(stem+".weight")) // 2: channels last
	}
	b.backbone(a)
	if a.Mode == FullMode {
		b.fullFusion(f)
	} else {
		b.fastFusion(f)
	}
	b.line("return z")

	b.method("score_head(self, z: Tensor) -> Tensor")
	b.scoreHead(f)
	b.line("return h")

	b.method("class_head(self, z: Tensor) -> Tensor")
	b.classHead(f)
	b.line("return c")

	b.method("logit(self, image: Tensor) -> Tensor")
	b.line("return self.score_head(self.features(image))")

	b.method("heads(self, image: Tensor) -> Tuple[Tensor, Tensor]")
	b.line("z = self.features(image)")
	b.line("return self.score_head(z), self.class_head(z)")

	if o.Logits {
		b.method("forward(self, image: Tensor) -> Dict[str, Tensor]")
		b.line("z = self.features(image)")
		b.line("score = torch.clamp(torch.sigmoid(self.score_head(z)), 0., 1.)")
		b.line(`return {"score": score, "logits": torch.clamp(self.class_head(z), -10., 10.)}`)
	} else {
		b.method("forward(self, image: Tensor) -> Tensor")
		b.line("return torch.clamp(torch.sigmoid(self.logit(image)), 0., 1.)")
	}
	return &Text{Specs: b.specs, Source: b.text.String(), norms: b.norms, typed: b.typed}, nil
}
