package convert_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

func TestKeyErrorsAreListed(t *testing.T) {
	tensors := stateDict(t, small(network.FastMode))
	tensors[10].Shape = []int64{5}
	tensors[10].Data = nil
	tensors = append(tensors, savetest.Tensor{Name: "spectral_analyzer.mag_encoder.0.weight", Shape: []int64{2}}, // not inert in fast mode
		savetest.Tensor{Name: "a\nb", Shape: []int64{2}})
	_, err := open(file(t, savetest.StateDict(tensors[1:])))
	var e *network.KeyError
	require.True(t, errors.Is(err, network.ErrNotTIGAS), "without the stem: %v", err)
	_, err = open(file(t, savetest.StateDict(append(slices.Clone(tensors[:20]), tensors[22:]...))))
	require.True(t, errors.As(err, &e), "%v", err)
	require.Equal(t, []string{tensors[20].Name, tensors[21].Name}, e.Missing)
	require.Len(t, e.Misshapen, 1)
	require.Equal(t, []string{"a\nb", "spectral_analyzer.mag_encoder.0.weight"}, e.Unknown)
	require.NotContains(t, err.Error(), "\n")
	require.ErrorContains(t, err, "best_model.pt: the tensors do not fit: 2 missing: ")
}

func TestRefusals(t *testing.T) {
	fast, full := stateDict(t, small(network.FastMode)), stateDict(t, small(network.FullMode))
	with := func(l []savetest.Tensor, name string, change func(*savetest.Tensor)) []savetest.Tensor {
		l = slices.Clone(l)
		for i := range l {
			if l[i].Name == name {
				change(&l[i])
				return l
			}
		}
		t.Fatal(name)
		return nil
	}
	const stem = "perceptual_extractor.stem.0.weight"
	for name, test := range map[string]struct {
		root savetest.Value
		want string
	}{
		"another network": {savetest.StateDict([]savetest.Tensor{{Name: "conv1.weight", Shape: []int64{64, 3, 7, 7}}}), "1 tensors such as \"conv1.weight\""},
		"no tensors":      {savetest.Dict{{Key: "epoch", Value: 3}}, "a dict without tensors"},
		"a list":          {savetest.List{1, 2}, "a list vs a dict of weights"},
		"a tensor":        {&fast[0], "a tensor vs a dict"},
		"state dict that is a list": {savetest.Dict{{Key: "model_state_dict", Value: savetest.List{}}},
			`a list under "model_state_dict"`},
		"both modes": {savetest.StateDict(append(slices.Clone(fast), full...)), "both modes"},
		"neither mode": {savetest.StateDict(slices.DeleteFunc(slices.Clone(fast), func(s savetest.Tensor) bool {
			return strings.HasPrefix(s.Name, "aux_branch") || strings.HasPrefix(s.Name, "fast_fusion")
		})), "without the parts of either mode"},
		"oldest layout": {savetest.StateDict(append(slices.DeleteFunc(slices.Clone(full), func(s savetest.Tensor) bool {
			return strings.HasPrefix(s.Name, "perceptual_aggregator")
		}), savetest.Tensor{Name: "perceptual_aggregator.2.weight", Shape: []int64{4}})), "November 2025"},
		"grey images": {savetest.StateDict(with(fast, stem, func(s *savetest.Tensor) { s.Shape, s.Data = []int64{8, 1, 3, 3}, nil })),
			"images of 1 channels"},
		"too narrow": {savetest.StateDict(with(fast, stem, func(s *savetest.Tensor) { s.Shape, s.Data = []int64{4, 3, 3, 3}, nil })),
			"got base 4 vs 8"},
		"too wide": {savetest.StateDict(with(fast, stem, func(s *savetest.Tensor) { s.Shape, s.Data = []int64{600, 3, 3, 3}, nil })),
			"got base 600"},
		"whole numbers": {savetest.StateDict(with(fast, stem, func(s *savetest.Tensor) { s.DType, s.Data = "int32", nil })),
			stem + " of int32 vs float32"},
		"image size": {savetest.Model(fast, -3), "img_size -3"},
		"an object among the tensors": {savetest.Dict{{Key: "model_state_dict", Value: append(savetest.Dict{{Key: "x", Value: 3}},
			savetest.StateDict(fast).Items...)}}, `"x" (an int)`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(file(t, test.root))
			require.ErrorContains(t, err, test.want)
			require.True(t, strings.HasPrefix(err.Error(), "convert: folder/best_model.pt: "), "%v", err)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

// Weights that are not numbers are named; so is a tensor whose bytes were damaged.
func TestBadWeights(t *testing.T) {
	tensors := stateDict(t, small(network.FastMode))
	const name = "fast_fusion.0.weight"
	i := slices.IndexFunc(tensors, func(s savetest.Tensor) bool { return s.Name == name })
	s := torch.NewScope()
	defer s.Close()

	sick := slices.Clone(tensors)
	sick[i].Data = slices.Clone(sick[i].Data)
	binary.LittleEndian.PutUint32(sick[i].Data[8:], math.Float32bits(float32(math.NaN())))
	c, err := open(file(t, savetest.StateDict(sick)))
	require.NoError(t, err)
	_, err = c.Module(s, torch.CPU, convert.Options{})
	require.ErrorContains(t, err, "NaN or infinity in "+name)

	data := file(t, savetest.StateDict(tensors))
	at := bytes.Index(data, tensors[i].Data)
	require.Positive(t, at)
	data[at+5] ^= 1
	c, err = open(data)
	require.NoError(t, err)
	_, err = c.Module(s, torch.CPU, convert.Options{})
	require.ErrorContains(t, err, "checksum")
	require.True(t, errors.Is(err, torchsave.ErrFormat))
}

// A few bytes that are shown as many would make a network of gigabytes.
func TestClaimedMemory(t *testing.T) {
	tensors := stateDict(t, network.Published(network.FastMode))
	d := savetest.OrderedDict{}
	one := savetest.Tensor{Shape: []int64{1}}
	for _, s := range tensors {
		if s.DType == "int64" {
			d.Items = append(d.Items, savetest.Item{Key: s.Name, Value: &s})
			continue
		}
		d.Items = append(d.Items, savetest.Item{Key: s.Name, Value: savetest.View{Of: &one, Shape: s.Shape, Stride: make([]int64, len(s.Shape))}})
	}
	data := file(t, d)
	require.Less(t, len(data), 200_000)
	_, err := open(data)
	require.ErrorContains(t, err, "claim more bytes than the file has")
}

func TestTorchScriptIsNoCheckpoint(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	m, err := jit.Define(s, []jit.Named{{Name: "a", Tensor: s.Scalar(1)}}, nil, "def forward(self, x: Tensor):\n    return x * self.a\n")
	require.NoError(t, err)
	data, err := m.Bytes()
	require.NoError(t, err)
	_, err = open(data)
	require.True(t, errors.Is(err, torchsave.ErrTorchScript), "%v", err)
}
