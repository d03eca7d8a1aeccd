package customtraining

import (
	"encoding/json"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// SaveWeights writes the weights of a network.
func SaveWeights(net any, path string) error {
	// block: save
	if err := checkpoint.Save(path, nn.StateDict(net), nil); err != nil {
		return err
	}
	// end
	return nil
}

// LoadWeights reads them into a network of the same architecture.
func LoadWeights(root *torch.Scope, net any, path string) error {
	// block: load
	err := root.Scoped(func(s *torch.Scope) error {
		weights, _, err := checkpoint.Load(s, path, torch.CPU)
		if err != nil {
			return err
		}
		return nn.Load(net, weights, false) // copies; the error lists all that does not fit
	})
	// end
	return err
}

// block: resume

// Training is all that a loop needs to go on.
type Training struct {
	Net    nn.Sequential
	Opt    optim.Optimizer
	Noise  *torch.Generator // what Randn draws from
	Loader *data.Loader
	Step   int64
}

// position is what is no tensor.
type position struct {
	Step   int64
	Loader data.State
}

// Save writes it to one file, in one step: a crash leaves the old one.
func (t *Training) Save(s *torch.Scope, path string) error {
	noise, err := t.Noise.State(s)
	if err != nil {
		return err
	}
	at, err := json.Marshal(position{t.Step, t.Loader.State()})
	if err != nil {
		return err
	}
	tensors := func(yield func(string, *torch.Tensor) bool) {
		for name, x := range nn.StateDict(t.Net) {
			if !yield("net."+name, x) {
				return
			}
		}
		for name, x := range t.Opt.State() {
			if !yield("optimizer."+name, x) {
				return
			}
		}
		yield("noise", noise)
	}
	return checkpoint.Save(path, tensors, map[string]string{"position": string(at)})
}

// Load goes on from such a file; call it before Loader.Batches.
func (t *Training) Load(s *torch.Scope, path string) error {
	all, metadata, err := checkpoint.Load(s, path, torch.CPU)
	if err != nil {
		return err
	}
	var at position
	if err := json.Unmarshal([]byte(metadata["position"]), &at); err != nil {
		return err
	}
	net, opt := map[string]*torch.Tensor{}, map[string]*torch.Tensor{}
	for name, x := range all {
		if rest, ok := strings.CutPrefix(name, "net."); ok {
			net[rest] = x
		} else if rest, ok := strings.CutPrefix(name, "optimizer."); ok {
			opt[rest] = x
		}
	}
	if err := nn.Load(t.Net, net, false); err != nil {
		return err
	}
	if err := t.Opt.LoadState(opt); err != nil {
		return err
	}
	if err := t.Noise.SetState(all["noise"]); err != nil {
		return err
	}
	t.Loader.Restore(at.Loader)
	t.Step = at.Step
	return nil
}

// end
