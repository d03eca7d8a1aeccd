package convert_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// uniform returns n numbers in [-1, 1), a hash of name and index: the same as testdata/make_reference.py has them.
func uniform(name string, n int64) []float64 {
	seed := crc32.ChecksumIEEE([]byte(name))
	out := make([]float64, n)
	for i := range out {
		x := uint32(i)*2654435761 + seed
		x = (x ^ x>>16) * 0x7feb352d
		x = (x ^ x>>15) * 0x846ca68b
		x ^= x >> 16
		out[i] = float64(x>>8)/(1<<23) - 1
	}
	return out
}

// value is the tensor of that name and shape, as make_reference.py fills it.
func value(name string, shape []int64) []byte {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	out := make([]byte, 0, 4*n)
	for _, u := range uniform(name, n) {
		switch {
		case len(shape) >= 2:
			u = u * 2 / math.Sqrt(float64(n/shape[0]))
		case strings.HasSuffix(name, "running_var") || strings.HasSuffix(name, ".weight"):
			u = 1 + 0.5*u
		case !strings.HasSuffix(name, "fusion_weights"):
			u = 0.2 * u
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(u)))
	}
	return out
}

// stateDict is that of a network, without what cannot change the score.
func stateDict(t testing.TB, a network.Arch) []savetest.Tensor {
	t.Helper()
	text, err := a.Write(network.Options{})
	require.NoError(t, err)
	var out []savetest.Tensor
	for _, sp := range text.Specs {
		s := savetest.Tensor{Name: sp.Name, Shape: sp.Shape}
		if sp.Init == network.Counter {
			s.DType = "int64"
		} else {
			s.Data = value(sp.Name, sp.Shape)
		}
		out = append(out, s)
	}
	return out
}

// inert are tensors that the full mode's layouts have besides, some of each part, as the specification names them.
func inert(layout string, f int64) []savetest.Tensor {
	half := f / 2
	names := map[string][]int64{
		"spectral_to_perceptual_attn.q_proj.weight": {f, f}, "spectral_to_perceptual_attn.k_proj.bias": {f},
		"stat_to_perceptual_attn.q_proj.weight": {f, f}, "stat_to_perceptual_attn.k_proj.bias": {f},
		"statistical_estimator.feature_extractor.0.weight": {half, 3, 3, 3}, "statistical_estimator.feature_extractor.1.running_mean": {half},
	}
	switch layout {
	case "v2":
		names["spectral_analyzer.mag_encoder.0.weight"] = []int64{half, 3, 3, 3}
		names["spectral_analyzer.radial_analyzer.0.weight"] = []int64{f / 4, 3, 3}
		names["statistical_estimator.prototype_scale"] = []int64{1}
		names["statistical_estimator.natural_prototypes"] = []int64{4 * half}
	case "v1":
		names["spectral_analyzer.freq_encoder.0.weight"] = []int64{half, 3, 3, 3}
		names["statistical_estimator.natural_prototypes"] = []int64{3 * half}
	case "v0.5":
		names["spectral_analyzer.freq_conv1.weight"] = []int64{half, 3, 3, 3}
		names["spectral_analyzer.freq_blocks.0.conv1.weight"] = []int64{half, half, 3, 3}
	}
	var out []savetest.Tensor
	for name, shape := range names {
		out = append(out, savetest.Tensor{Name: name, Shape: shape, Location: "cuda:0"})
	}
	return append(out, savetest.Tensor{Name: "statistical_estimator.prototypes_initialized", DType: "bool"},
		savetest.Tensor{Name: "statistical_estimator.prototype_update_count", DType: "int64"})
}

// file saves a value as torch does.
func file(t testing.TB, root savetest.Value) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, savetest.Write(&b, root))
	return b.Bytes()
}

// open opens what file made; the error is the one that a user sees.
func open(data []byte) (*convert.Checkpoint, error) {
	return convert.NewReader(bytes.NewReader(data), int64(len(data)), "folder/best_model.pt")
}

// small is the smallest network of a mode.
func small(m network.Mode) network.Arch {
	a := network.Published(m)
	a.Base, a.Feature = 8, 16
	return a
}
