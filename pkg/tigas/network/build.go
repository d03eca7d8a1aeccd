package network

import (
	"fmt"
	"strings"
)

// builder collects tensors and source lines in one pass, so that neither can miss the other.
type builder struct {
	specs []Spec
	lines []string
	bn    string // the training argument of batch norms
}

func (b *builder) line(format string, args ...any) {
	b.lines = append(b.lines, "    "+fmt.Sprintf(format, args...))
}

func (b *builder) add(name string, init Init, buffer bool, shape ...int) string {
	s := Spec{Name: name, Init: init, Buffer: buffer}
	for _, d := range shape {
		s.Shape = append(s.Shape, int64(d))
	}
	b.specs = append(b.specs, s)
	return "self." + s.Attr()
}

// conv appends dst = conv(src), with a bias.
func (b *builder) conv(dst, src, name string, in, out, k, stride, pad int) {
	w := b.add(name+".weight", KaimingOut, false, out, in, k, k)
	bias := b.add(name+".bias", Zeros, false, out)
	b.line("%s = torch.conv2d(%s, %s, %s, [%d, %d], [%d, %d], [1, 1], 1)", dst, src, w, bias, stride, stride, pad, pad)
}

// norm appends x = batch_norm(x).
func (b *builder) norm(x, name string, c int) {
	w := b.add(name+".weight", Ones, false, c)
	bias := b.add(name+".bias", Zeros, false, c)
	mean := b.add(name+".running_mean", Zeros, true, c)
	v := b.add(name+".running_var", Ones, true, c)
	b.add(name+".num_batches_tracked", Counter, true)
	b.line("%s = torch.batch_norm(%s, %s, %s, %s, %s, %s, 0.1, 1e-5, False)", x, x, w, bias, mean, v, b.bn)
}

func (b *builder) relu(x string) { b.line("%s = torch.relu(%s)", x, x) }

func (b *builder) linear(dst, src, name string, in, out int) {
	w := b.add(name+".weight", Normal002, false, out, in)
	bias := b.add(name+".bias", Zeros, false, out)
	b.line("%s = torch.matmul(%s, %s.t()) + %s", dst, src, w, bias)
}

func (b *builder) layerNorm(x, name string, n int) {
	w := b.add(name+".weight", Ones, false, n)
	bias := b.add(name+".bias", Zeros, false, n)
	b.line("%s = torch.layer_norm(%s, [%d], %s, %s, 1e-5)", x, x, n, w, bias)
}

// gated appends a gated residual block on x.
func (b *builder) gated(name string, c int) {
	b.conv("y", "x", name+".conv1", c, c, 3, 1, 1)
	b.norm("y", name+".bn1", c)
	b.relu("y")
	b.conv("y", "y", name+".conv2", c, c, 3, 1, 1)
	b.norm("y", name+".bn2", c)
	b.conv("g", "torch.mean(y, [2, 3], True)", name+".gate.1", c, c, 1, 1, 0)
	b.line("x = torch.relu(y * torch.sigmoid(g) + x)")
}

// attention appends channel attention, then spatial attention, on x.
func (b *builder) attention(name string, c int) {
	r := c / 16
	w1 := b.add(name+".channel_attn.fc.0.weight", Normal002, false, r, c)
	w2 := b.add(name+".channel_attn.fc.2.weight", Normal002, false, c, r)
	b.line("a = torch.mean(x, [2, 3])")
	// The pooling whose gradient goes to the first of equal maxima; amax would share it among them.
	b.line("m = torch.flatten(torch.adaptive_max_pool2d(x, [1, 1])[0], 1)")
	b.line("a = torch.matmul(torch.relu(torch.matmul(a, %s.t())), %s.t())", w1, w2)
	b.line("m = torch.matmul(torch.relu(torch.matmul(m, %s.t())), %s.t())", w1, w2)
	b.line("x = x * torch.sigmoid(a + m).unsqueeze(2).unsqueeze(3)")
	b.conv("s", "x", name+".spatial_attn.conv1", c, r, 1, 1, 0)
	b.relu("s")
	b.conv("s", "s", name+".spatial_attn.conv2", r, r, 3, 1, 1)
	b.relu("s")
	b.conv("s", "s", name+".spatial_attn.conv3", r, 1, 1, 1, 0)
	b.line("x = x * torch.sigmoid(s)")
}

// Fast returns the tensors and the source of a fast-mode network. The source has two methods: logit(x) is the value
// [N, 1] before the sigmoid, forward(x) the score [N, 1].
//
// With training, batch norms follow the module's mode and dropout is left out, as for a detector of one's own that is
// being trained; without, they are literally in evaluation mode, so that nothing can put the module back into training.
func (a Arch) Fast(training bool) (specs []Spec, source string, err error) {
	if err = a.Validate(); err != nil {
		return nil, "", err
	}
	b := &builder{bn: "False"}
	if training {
		b.bn = "self.training"
	}
	f := a.Feature
	b.line("image = torch.clamp(2. * image - 1., -1., 1.)")

	const px = "perceptual_extractor."
	b.conv("x", "image", px+"stem.0", 3, a.Base, 3, 1, 1)
	b.norm("x", px+"stem.1", a.Base)
	b.relu("x")
	var pooled []string
	for i, n := range a.Blocks {
		stage, c := fmt.Sprintf("%sstage%d.", px, i+1), a.channels(i+1)
		b.conv("x", "x", stage+"0.0", a.channels(i), c, 3, 2, 1)
		b.norm("x", stage+"0.1", c)
		b.relu("x")
		for j := 1; j < n; j++ {
			b.gated(fmt.Sprintf("%s%d", stage, j), c)
		}
		b.attention(fmt.Sprintf("%s%d", stage, n), c)
		v := fmt.Sprintf("v%d", i+1)
		b.line("%s = torch.mean(x, [2, 3])", v)
		pooled = append(pooled, v)
	}
	b.linear("p", "torch.cat(["+strings.Join(pooled, ", ")+"], 1)", "perceptual_aggregator.0", a.pooled(), f)
	b.layerNorm("p", "perceptual_aggregator.1", f)
	b.relu("p")

	b.conv("u", "image", "aux_branch.0", 3, 32, 3, 2, 1)
	b.norm("u", "aux_branch.1", 32)
	b.relu("u")
	b.conv("u", "u", "aux_branch.3", 32, 64, 3, 2, 1)
	b.norm("u", "aux_branch.4", 64)
	b.relu("u")
	b.linear("q", "torch.mean(u, [2, 3])", "aux_branch.8", 64, f/2)

	b.linear("z", "torch.cat([p, q], 1)", "fast_fusion.0", f+f/2, f)
	b.layerNorm("z", "fast_fusion.1", f)
	b.relu("z")

	b.linear("h", "z", "regression_head.0", f, f/2)
	b.layerNorm("h", "regression_head.1", f/2)
	b.relu("h")
	b.linear("h", "h", "regression_head.4", f/2, f/4)
	b.layerNorm("h", "regression_head.5", f/4)
	b.relu("h")
	b.linear("h", "h", "regression_head.8", f/4, 1)
	b.line("return h")

	source = "def logit(self, image: Tensor) -> Tensor:\n" + strings.Join(b.lines, "\n") + `

def forward(self, image: Tensor) -> Tensor:
    return torch.clamp(torch.sigmoid(self.logit(image)), 0., 1.)
`
	return b.specs, source, nil
}
