package trainers

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave"
)

// LoadDetectorNet returns the network of a file in s, on a device, ready to be trained on: of a checkpoint of upstream's, of
// a detector that was made here (TorchScript with a card), or of a run's snapshots/last.safetensors. The error says what is
// wrong with the file.
func LoadDetectorNet(s *torch.Scope, path string, d torch.Device) (*network.Net, error) {
	work := torch.NewScope()
	defer work.Close()
	arch, weights, err := detectorWeights(work, path, d)
	if err != nil {
		return nil, err
	}
	g, err := work.NewGenerator(d, 0) // what it draws is overwritten
	if err != nil {
		return nil, err
	}
	net, err := network.New(s, g, arch, d)
	if err != nil {
		return nil, err
	}
	for _, t := range append(slices.Clone(net.Params), net.Buffers...) {
		from := weights[network.Spec{Name: t.Name}.Attr()]
		switch {
		case from == nil:
			return nil, fmt.Errorf("trainers: %s: %s is missing", path, t.Name)
		case !slices.Equal(from.Shape(), t.Tensor.Shape()):
			return nil, fmt.Errorf("trainers: %s: %s: got shape %v vs %v", path, t.Name, from.Shape(), t.Tensor.Shape())
		}
		torch.NoGrad(func() { t.Tensor.Copy_(from) })
	}
	return net, nil
}

// detectorWeights reads tensors by their names as attributes in TorchScript.
func detectorWeights(s *torch.Scope, path string, d torch.Device) (network.Arch, map[string]*torch.Tensor, error) {
	out := map[string]*torch.Tensor{}
	if strings.HasSuffix(path, ".safetensors") {
		tensors, meta, err := checkpoint.Load(s, path, d)
		if err != nil {
			return network.Arch{}, nil, err
		}
		state := network.State{}
		for name, t := range tensors {
			state[name] = t.Shape()
			out[network.Spec{Name: name}.Attr()] = t
		}
		if text, ok := meta["card"]; ok {
			arch, err := archOf(path, text)
			return arch, out, err
		}
		found, err := network.Infer(state)
		if err != nil {
			return network.Arch{}, nil, fmt.Errorf("trainers: %s: %w", path, err)
		}
		return found.Arch, out, nil
	}
	arch, m, err := detectorModule(s, path, d)
	if err != nil {
		return network.Arch{}, nil, err
	}
	for _, list := range []func(*torch.Scope) ([]jit.Named, error){m.Parameters, m.Buffers} {
		l, err := list(s)
		if err != nil {
			return network.Arch{}, nil, err
		}
		for _, t := range l {
			out[t.Name] = t.Tensor
		}
	}
	return arch, out, nil
}

func detectorModule(s *torch.Scope, path string, d torch.Device) (arch network.Arch, m *jit.Module, err error) {
	c, err := convert.Open(path)
	if err == nil {
		defer c.Close()
		m, err = c.Module(s, d, convert.Options{})
		return c.Arch, m, err
	}
	if !errors.Is(err, torchsave.ErrTorchScript) {
		return arch, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return arch, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return arch, nil, err
	}
	text, ok := jit.ReadFile(f, info.Size(), network.CardFile)
	if !ok {
		return arch, nil, fmt.Errorf("trainers: %s: got TorchScript without a card vs a checkpoint, or a detector that was made "+
			"with this program", path)
	}
	if arch, err = archOf(path, text); err != nil {
		return arch, nil, err
	}
	m, err = jit.Load(s, path, d)
	return arch, m, err
}

// archOf is the size that a card names.
func archOf(path, text string) (network.Arch, error) {
	card, err := network.ParseCard(text)
	if err != nil {
		return network.Arch{}, fmt.Errorf("trainers: %s: %w", path, err)
	}
	return network.Arch{Mode: card.Mode, Base: card.Base, Feature: card.Feature, Blocks: card.Blocks}, nil
}
