package network

import (
	"fmt"
	"math"
	"slices"
)

// Mode is which of upstream's two networks it is.
type Mode string

const (
	// FastMode adds features of a small convolutional branch on the image to those of the backbone.
	FastMode Mode = "fast"
	// FullMode sends the backbone's features through attentions and a weighted fusion. The published detector is of this
	// mode. What cannot change its output is not computed.
	FullMode Mode = "full"
)

// Arch is the size of a network.
type Arch struct {
	Mode    Mode  // FastMode if empty
	Base    int   // channels of the stem, at least 8; stage k has Base * 2^k
	Feature int   // width of the feature vector, at least 4
	Blocks  []int // elements before the attention of each stage: one downsampling convolution, then gated blocks
}

// stages is upstream's depth, the same for every width.
var stages = []int{2, 3, 4, 3}

// Published is the size of upstream's networks, 16.5 million parameters in fast mode.
func Published(m Mode) Arch {
	return Arch{Mode: m, Base: 32, Feature: 256, Blocks: slices.Clone(stages)}
}

// Validate returns an error that names what cannot be built.
func (a Arch) Validate() error {
	switch {
	case a.Mode != "" && a.Mode != FastMode && a.Mode != FullMode:
		return fmt.Errorf("network: got mode %q vs fast or full", a.Mode)
	case a.Base < 8 || a.Base > maxBase:
		return fmt.Errorf("network: got base %d vs 8 (the attention divides channels by 16) to %d", a.Base, maxBase)
	case a.Feature < 4 || a.Feature > maxFeature:
		return fmt.Errorf("network: got feature width %d vs 4 to %d", a.Feature, maxFeature)
	case len(a.Blocks) == 0 || len(a.Blocks) > 6:
		return fmt.Errorf("network: got %d stages vs 1 to 6", len(a.Blocks))
	}
	for _, n := range a.Blocks {
		if n < 1 || n > maxBlocks {
			return fmt.Errorf("network: got a stage of %d elements vs 1 to %d", n, maxBlocks)
		}
	}
	return nil
}

// Widths above these are no detectors but mistakes, or files made to take all memory.
const (
	maxBase    = 512
	maxFeature = 8192
	maxBlocks  = 64
)

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
	AboutThird      // normal with mean 1/3 and std 0.1
	Counter         // an int64 zero
)

// Spec is one tensor of the network.
type Spec struct {
	Name   string // as PyTorch's state dict has it, with dots
	Shape  []int64
	Init   Init
	Buffer bool
}

// Numel is the number of elements.
func (s Spec) Numel() int64 {
	n := int64(1)
	for _, d := range s.Shape {
		n *= d
	}
	return n
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
