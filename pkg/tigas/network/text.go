package network

import (
	"fmt"
	"strings"
)

// builder collects tensors and source lines in one pass, so that neither can miss the other.
type builder struct {
	specs []Spec
	text  strings.Builder
	bn    string // the training argument of batch norms

	folded bool
	last   string            // the convolution that was appended last
	norms  map[string]string // of a folded network: the name of the norm in each convolution
	typed  map[string]bool   // the tensors whose type a folded network computes in
}

// method begins a method; its body are the lines that follow.
func (b *builder) method(format string, args ...any) {
	if b.text.Len() > 0 {
		b.text.WriteByte('\n')
	}
	fmt.Fprintf(&b.text, "def "+format+":\n", args...)
}

func (b *builder) line(format string, args ...any) { fmt.Fprintf(&b.text, "    "+format+"\n", args...) }

func (b *builder) add(name string, init Init, buffer bool, shape ...int) string {
	s := Spec{Name: name, Init: init, Buffer: buffer}
	for _, d := range shape {
		s.Shape = append(s.Shape, int64(d))
	}
	b.specs = append(b.specs, s)
	return "self." + s.Attr()
}

// typedAdd is add for a parameter of what a folded network computes in its own type.
func (b *builder) typedAdd(name string, init Init, shape ...int) string {
	b.typed[name] = true
	return b.add(name, init, false, shape...)
}

// mean is the expression for the means [N, C] of x over the whole image: what a folded network computes in float32 begins
// here.
func (b *builder) mean(x string) string {
	if b.folded {
		return "torch.mean(" + x + ", [2, 3], False, dtype=6)" // the number of float32
	}
	return "torch.mean(" + x + ", [2, 3])"
}

// conv appends dst = conv(src), with a bias.
func (b *builder) conv(dst, src, name string, in, out, k, stride, pad int) {
	w := b.typedAdd(name+".weight", KaimingOut, out, in, k, k)
	bias := b.typedAdd(name+".bias", Zeros, out)
	b.last = name
	b.line("%s = torch.conv2d(%s, %s, %s, [%d, %d], [%d, %d], [1, 1], 1)", dst, src, w, bias, stride, stride, pad, pad)
}

// norm appends x = batch_norm(x), right after the convolution that made x. A folded network has it in the convolution.
func (b *builder) norm(x, name string, c int) {
	if b.folded {
		b.norms[b.last] = name
		return
	}
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
	b.line("%s = torch.linear(%s, %s, %s)", dst, src, w, bias)
}

func (b *builder) layerNorm(x, name string, n int) {
	w := b.add(name+".weight", Ones, false, n)
	bias := b.add(name+".bias", Zeros, false, n)
	b.line("%s = torch.layer_norm(%s, [%d], %s, %s, 1e-5)", x, x, n, w, bias)
}
