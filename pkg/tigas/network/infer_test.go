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

// FuzzParseCard wants of any text an error on one line, or a card that says the same when it is written and read again.
func FuzzParseCard(f *testing.F) {
	epoch := int64(49)
	card := Card{Format: CardFormat, Mode: FastMode, Base: 32, Feature: 256, Blocks: []int{3, 4, 6, 3}, Parameters: 1, ImageSize: 256,
		Source: &Source{File: "a.pt", SHA256: "00", Epoch: &epoch, Inert: []string{"x"}}, Training: []byte(`{"data":["a"]}`)}
	f.Add(card.Text())
	for _, text := range []string{"", "{}", "null", "[]", `{"format":"tigas-train detector 9","image_size":-1}`, `{"format":"tigas-train detector 1","training":[[[`,
		`{"format":"tigas-train detector 2","image_size":1e9,"blocks":[null]}`, `{"format":"tigas-train detector 1\n","mode":"\u0000","training":null}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCard(text)
		if err != nil {
			require.NotRegexp(t, `[\n\r\x1b]`, err.Error())
			require.Less(t, len(err.Error()), 500)
			return
		}
		again, err := ParseCard(c.Text())
		require.NoError(t, err)
		require.Equal(t, c.Text(), again.Text())
	})
}
