package network

import (
	"fmt"
	"math"
)

// Arch is the size of a fast-mode network.
type Arch struct {
	Base    int   // channels of the stem, at least 8; stage k has Base * 2^k
	Feature int   // width of the feature vector, a multiple of 4
	Blocks  []int // elements before the attention of each stage: one downsampling convolution, then gated blocks
}

// Full is the published size: 16,508,747 parameters.
func Full() Arch { return Arch{Base: 32, Feature: 256, Blocks: []int{2, 3, 4, 3}} }

// Validate returns an error that names what cannot be built.
func (a Arch) Validate() error {
	switch {
	case a.Base < 8:
		return fmt.Errorf("network: got base %d vs at least 8 (the attention divides channels by 16)", a.Base)
	case a.Feature < 4 || a.Feature%4 != 0:
		return fmt.Errorf("network: got feature width %d vs a positive multiple of 4", a.Feature)
	case len(a.Blocks) == 0 || len(a.Blocks) > 6:
		return fmt.Errorf("network: got %d stages vs 1 to 6", len(a.Blocks))
	}
	for _, n := range a.Blocks {
		if n < 1 {
			return fmt.Errorf("network: got a stage of %d elements vs at least 1", n)
		}
	}
	return nil
}

// MinSize is the smallest height and width that leaves the last stage one pixel at least; any larger image will do.
func (a Arch) MinSize() int { return 8 }

// channels is the width of stage k; stage 0 is the stem.
func (a Arch) channels(k int) int { return a.Base << k }

// pooled is the length of the concatenated means of all stages.
func (a Arch) pooled() int {
	n := 0
	for k := range a.Blocks {
		n += a.channels(k + 1)
	}
	return n
}

// Init says how a tensor starts.
type Init int

// Initial values, as the reference implementation draws them.
const (
	Zeros      Init = iota
	Ones            // weights of norms, running variances
	KaimingOut      // normal with std sqrt(2 / (out_channels * kernel area))
	Normal002       // normal with std 0.02
	Counter         // an int64 zero
)

// Spec is one tensor of the network.
type Spec struct {
	Name   string // as PyTorch's state dict has it, with dots
	Shape  []int64
	Init   Init
	Buffer bool
}

// Attr is the name as an attribute in TorchScript source, which has no dots.
func (s Spec) Attr() string { return attr(s.Name) }

func attr(name string) string {
	b := []byte(name)
	for i := range b {
		if b[i] == '.' {
			b[i] = '_'
		}
	}
	return "p_" + string(b)
}

// Std is the standard deviation of a random initial value, 0 for constants.
func (s Spec) Std() float64 {
	switch s.Init {
	case KaimingOut:
		return math.Sqrt(2 / float64(s.Shape[0]*s.Shape[2]*s.Shape[3]))
	case Normal002:
		return 0.02
	}
	return 0
}
