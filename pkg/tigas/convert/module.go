package convert

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave"
)

// Options are the form of the converted network.
type Options struct {
	// Logits makes forward return a dict with "score" and "logits", as upstream's network does, in place of the scores.
	Logits bool
}

func (o Options) network() network.Options { return network.Options{Logits: o.Logits} }

// floats are the types that weights may have; all become float32.
var floats = map[torchsave.DType]torch.DType{
	torchsave.Float32: torch.Float32, torchsave.Float64: torch.Float64, torchsave.Float16: torch.Float16,
	torchsave.BFloat16: torch.BFloat16,
}

// Version tells apart what different versions of this program make of a checkpoint, for files that are kept.
func (c *Checkpoint) Version() string {
	text, err := c.Arch.Write(network.Options{})
	if err != nil {
		panic(err) // Open has found this network
	}
	return text.Version()
}

// Module reads the weights and returns the network in s, on a device, in evaluation mode by its very text. Its parameters
// do not require gradients. Besides forward it has the methods of [network.Text].
//
// The error names a tensor whose bytes are damaged, or that holds NaN or infinity.
func (c *Checkpoint) Module(s *torch.Scope, d torch.Device, o Options) (*jit.Module, error) {
	text, err := c.Arch.Write(o.network())
	if err != nil {
		return nil, named(c.name, err)
	}
	work := torch.NewScope() // the module keeps what it was made of
	defer work.Close()
	var params, buffers []jit.Named
	for _, sp := range text.Specs {
		t, err := c.read(work, sp, d)
		if err != nil {
			return nil, named(c.name, err)
		}
		if n := (jit.Named{Name: sp.Name, Tensor: t}); sp.Buffer {
			buffers = append(buffers, n)
		} else {
			params = append(params, n)
		}
	}
	m, err := network.Define(s, params, buffers, text)
	if err != nil {
		return nil, named(c.name, err)
	}
	return m, m.Train(false)
}

func (c *Checkpoint) read(s *torch.Scope, sp network.Spec, d torch.Device) (out *torch.Tensor, err error) {
	t := c.tensors[sp.Name]
	data, err := c.file.Read(t)
	if err != nil {
		return nil, err
	}
	dtype := floats[t.DType]
	if sp.Init == network.Counter {
		dtype = torch.Int64
	}
	if out, err = s.FromBytes(data, dtype, d, sp.Shape...); err != nil || dtype == torch.Int64 {
		return out, err
	}
	if !out.IsFinite().All().Bool() {
		return nil, fmt.Errorf("got NaN or infinity in %s: the training that wrote this file had diverged", sp.Name)
	}
	if dtype == torch.Float32 {
		return out, nil
	}
	if out = out.To(torch.Float32); !out.IsFinite().All().Bool() {
		return nil, fmt.Errorf("got numbers in %s that float32 cannot hold", sp.Name)
	}
	return out, nil
}

// Card describes the converted network. The caller adds the checkpoint's hash, which it may have.
func (c *Checkpoint) Card(o Options) network.Card {
	card, err := c.Arch.Card(o.network(), c.ImageSize)
	if err != nil {
		panic(err) // Open has found this network
	}
	card.Layout = c.Layout
	card.Source = &network.Source{File: c.name, Epoch: c.Epoch, Inert: c.Inert}
	return card
}
