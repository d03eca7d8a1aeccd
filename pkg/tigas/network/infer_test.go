package network

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
)

// stateOf is the shapes of a network's state dict, as its own text has them. That these are upstream's names and shapes is
// tested with upstream's files, in package convert.
func stateOf(t *testing.T, a Arch) State {
	t.Helper()
	text, err := a.Write(Options{})
	require.NoError(t, err)
	s := State{}
	for _, sp := range text.Specs {
		s[sp.Name] = sp.Shape
	}
	return s
}

func TestInferFindsWidths(t *testing.T) {
	for _, a := range []Arch{Published(FastMode), Published(FullMode), {FastMode, 8, 17, []int{2, 3, 4, 3}},
		{FullMode, 40, 96, []int{1, 2, 1, 5}}} {
		f, err := Infer(stateOf(t, a))
		require.NoError(t, err)
		require.Equal(t, a, f.Arch)
		require.Empty(t, f.Inert)
	}
}

// Counted with PyTorch on upstream's networks: entries of the state dict (164 + 69 in fast mode), numbers in them.
func TestPublishedSize(t *testing.T) {
	s := stateOf(t, Published(FastMode))
	require.Len(t, s, 233)
	c, err := Published(FastMode).Card(Options{}, 256)
	require.NoError(t, err)
	require.Equal(t, int64(16_508_747), c.Parameters)

	// v2-full has 18,606,671, of which 492,416 + 677,761 are the inert branches and 4 * (256 * 256 + 256) queries and keys.
	c, err = Published(FullMode).Card(Options{}, 256)
	require.NoError(t, err)
	require.Equal(t, int64(18_606_671-492_416-677_761-4*(256*256+256)), c.Parameters)
}

// Every tensor is missed by its name when it is not there, and named when it has another shape.
func TestEveryTensorIsNeeded(t *testing.T) {
	for _, mode := range []Mode{FastMode, FullMode} {
		all := stateOf(t, Arch{mode, 8, 16, []int{2, 3, 4, 3}})
		for name, shape := range all {
			without := maps.Clone(all)
			delete(without, name)
			_, err := Infer(without)
			require.ErrorContains(t, err, name)
			require.NotContains(t, err.Error(), "\n")

			odd := maps.Clone(all)
			odd[name] = append([]int64{1}, shape...)
			_, err = Infer(odd)
			require.ErrorContains(t, err, name)
		}
	}
}

func TestInertTensorsAreListed(t *testing.T) {
	s := stateOf(t, Arch{FullMode, 8, 16, []int{2, 3, 4, 3}})
	s["stat_to_perceptual_attn.q_proj.weight"] = []int64{16, 16}
	s["spectral_analyzer.freq_encoder.0.weight"] = []int64{8, 3, 3, 3}
	f, err := Infer(s)
	require.NoError(t, err)
	require.Equal(t, "v1", f.Layout)
	require.Equal(t, []string{"spectral_analyzer.freq_encoder.0.weight", "stat_to_perceptual_attn.q_proj.weight"}, f.Inert)

	s["spectral_analyzers.x"] = nil // almost the name of an inert part
	_, err = Infer(s)
	require.ErrorContains(t, err, "1 unknown: spectral_analyzers.x")
}

func TestValidate(t *testing.T) {
	for _, a := range []Arch{{}, {"slow", 8, 16, []int{1}}, {FastMode, 7, 16, []int{1}}, {FastMode, 8, 3, []int{1}}, {FastMode, 8, 16, nil},
		{FastMode, 8, 16, []int{0}}, {FastMode, 8, 16, []int{1, 1, 1, 1, 1, 1, 1}}, {FastMode, 1 << 20, 16, []int{1}}} {
		_, err := a.Write(Options{})
		require.ErrorContains(t, err, "network: got")
	}
}

func TestParseCard(t *testing.T) {
	for _, text := range []string{"", "{", "{}", `{"format":"other"}`, `{"format":"tigas-train detector 1","image_size":-1}`} {
		_, err := ParseCard(text)
		require.ErrorContains(t, err, "network: card")
	}
}
