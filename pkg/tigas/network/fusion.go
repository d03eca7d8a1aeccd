package network

import "fmt"

// fastFusion appends the auxiliary branch on the image, whose widths are the same for every Base, and z.
func (b *builder) fastFusion(f int) {
	b.conv("u", "image", "aux_branch.0", 3, 32, 3, 2, 1)
	b.norm("u", "aux_branch.1", 32)
	b.relu("u")
	b.conv("u", "u", "aux_branch.3", 32, 64, 3, 2, 1)
	b.norm("u", "aux_branch.4", 64)
	b.relu("u")
	b.linear("q", b.mean("u"), "aux_branch.8", 64, f/2)

	b.linear("z", "torch.cat([p, q], 1)", "fast_fusion.0", f+f/2, f)
	b.layerNorm("z", "fast_fusion.1", f)
	b.relu("z")
}

// fullFusion appends what the published network does with p to get z, without the parts that cannot change it.
//
// The spectral and the statistical branch are only the queries of attentions whose keys and values are one token each, p. A
// softmax over one element is 1, so either attention is out(v(p)) whatever its query; and so is the self-attention over one
// token that follows the fusion, of which the rows of v in qkv are all that matters.
func (b *builder) fullFusion(f int) {
	for _, a := range [][2]string{{"a", "spectral_to_perceptual_attn"}, {"s", "stat_to_perceptual_attn"}} {
		b.linear(a[0], "p", a[1]+".v_proj", f, f)
		b.linear(a[0], a[0], a[1]+".out_proj", f, f)
	}
	w := b.add("feature_fusion.fusion_weights", AboutThird, false, 3)
	b.line("w = torch.softmax(%s, 0)", w)
	sum := ""
	for i, src := range []string{"p", "a", "s"} {
		t := fmt.Sprintf("t%d", i)
		b.linear(t, src, fmt.Sprintf("feature_fusion.transforms.%d.0", i), f, f)
		b.layerNorm(t, fmt.Sprintf("feature_fusion.transforms.%d.1", i), f)
		b.relu(t)
		if i > 0 {
			sum += " + "
		}
		sum += fmt.Sprintf("w[%d] * %s", i, t)
	}
	b.line("z = %s", sum)
	b.linear("z", "z", "feature_fusion.post_fusion.0", f, f)
	b.layerNorm("z", "feature_fusion.post_fusion.1", f)
	b.relu("z")
	qkv := b.add("self_attention.qkv.weight", Normal002, false, 3*f, f)
	bias := b.add("self_attention.qkv.bias", Zeros, false, 3*f)
	b.line("z = torch.linear(z, torch.narrow(%s, 0, %d, %d), torch.narrow(%s, 0, %d, %d))", qkv, 2*f, f, bias, 2*f, f)
	b.linear("z", "z", "self_attention.proj", f, f)
}

// scoreHead appends h, the value before the sigmoid, from z.
func (b *builder) scoreHead(f int) {
	b.linear("h", "z", "regression_head.0", f, f/2)
	b.layerNorm("h", "regression_head.1", f/2)
	b.relu("h")
	b.linear("h", "h", "regression_head.4", f/2, f/4)
	b.layerNorm("h", "regression_head.5", f/4)
	b.relu("h")
	b.linear("h", "h", "regression_head.8", f/4, 1)
}

// classHead appends c, the logits of the two classes, from z.
func (b *builder) classHead(f int) {
	b.linear("c", "z", "binary_classifier.0", f, f/2)
	b.relu("c")
	b.linear("c", "c", "binary_classifier.3", f/2, 2)
}
