package trainers

import (
	"fmt"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// LoadGenerator builds the generator of a GAN run in a sealed child of root and fills it from a snapshot's tensors: the
// averaged weights G_ema.*, or G.* where there are none. It returns an error when they do not fit.
func LoadGenerator(root *torch.Scope, o GANOptions, tensors map[string]*torch.Tensor, d torch.Device) (models.Generator, error) {
	b := nn.Builder{Scope: root.Child(), Device: d}
	pair, err := models.NewGAN(b, o.Arch, o.config())
	if err != nil {
		return nil, err
	}
	b.Scope.Seal()
	weights := under(tensors, "G_ema.")
	if len(weights) == 0 {
		weights = under(tensors, "G.")
	}
	if len(weights) == 0 {
		return nil, fmt.Errorf("trainers: the snapshot has no generator: no tensors named G.* or G_ema.*")
	}
	nn.Train(pair.Generator, false)
	return pair.Generator, nn.Load(pair.Generator, weights, false)
}

// under returns the tensors whose names begin with prefix, without it.
func under(tensors map[string]*torch.Tensor, prefix string) map[string]*torch.Tensor {
	out := map[string]*torch.Tensor{}
	for name, t := range tensors {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			out[rest] = t
		}
	}
	return out
}
