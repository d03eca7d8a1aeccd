package network

import (
	"fmt"
	"strings"
)

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
	w1 := b.typedAdd(name+".channel_attn.fc.0.weight", Normal002, r, c)
	w2 := b.typedAdd(name+".channel_attn.fc.2.weight", Normal002, c, r)
	b.line("a = torch.mean(x, [2, 3])")
	// The pooling whose gradient goes to the first of equal maxima; amax would share it among them.
	if b.folded {
		b.line("m = torch.max(torch.flatten(x, 2), 2)[0]") // the same, and many threads of a GPU work on an image
	} else {
		b.line("m = torch.flatten(torch.adaptive_max_pool2d(x, [1, 1])[0], 1)")
	}
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

// stem is the name of the first convolution.
const stem = "perceptual_extractor.stem.0"

// backbone appends the stem and the stages on image, and p, the aggregated features [N, Feature].
func (b *builder) backbone(a Arch) {
	b.conv("x", "image", stem, 3, a.Base, 3, 1, 1)
	const px = "perceptual_extractor."
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
		b.line("%s = %s", v, b.mean("x"))
		pooled = append(pooled, v)
	}
	b.linear("p", "torch.cat(["+strings.Join(pooled, ", ")+"], 1)", "perceptual_aggregator.0", a.pooled(), a.Feature)
	b.layerNorm("p", "perceptual_aggregator.1", a.Feature)
	b.relu("p")
}
