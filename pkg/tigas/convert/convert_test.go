package convert_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

func TestMain(m *testing.M) {
	if err := torch.SetNumThreads(1); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

type reference struct {
	Mode          network.Mode
	Base, Feature int
	Images        []struct {
		Shape               []int64
		Score, Logits, Grad []float32
	}
}

// Both modes, several widths and the published one, every layout of the full mode, against the literal network.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("testdata/reference.json")
	require.NoError(t, err)
	var cases []reference
	require.NoError(t, json.Unmarshal(text, &cases))
	for _, r := range cases {
		a := network.Published(r.Mode)
		a.Base, a.Feature = r.Base, r.Feature
		layouts := []string{"v2", "v1", "v0.5", "reduced"}
		switch {
		case r.Mode == network.FastMode:
			layouts = []string{"fast"}
		case r.Base > 8: // what differs between layouts does not depend on the width
			layouts = []string{"v1"}
		}
		for _, layout := range layouts {
			t.Run(fmt.Sprintf("%s %d %d", layout, r.Base, r.Feature), func(t *testing.T) {
				tensors := stateDict(t, a)
				if r.Mode == network.FullMode && layout != "reduced" {
					tensors = append(tensors, inert(layout, int64(r.Feature))...)
				}
				c, err := open(file(t, savetest.Model(tensors, 192)))
				require.NoError(t, err)
				require.Equal(t, a, c.Arch)
				require.Equal(t, layout, c.Layout)
				require.Equal(t, 192, c.ImageSize)
				for _, x := range r.Images {
					n := x.Shape[0] * x.Shape[1] * x.Shape[2] * x.Shape[3]
					input := make([]float32, n)
					for i, u := range uniform("image", n) {
						input[i] = float32(min(1, max(0, u*0.505+0.5)))
					}
					agree(t, c, fmt.Sprint(x.Shape), example{x.Shape, input, x.Score, x.Logits, x.Grad})
				}
			})
		}
	}
}

// In float64 the gradient agrees with central differences, wherever no ReLU, maximum or clamp has its kink within the step.
func TestGradientFiniteDifferences(t *testing.T) {
	for _, mode := range []network.Mode{network.FastMode, network.FullMode} {
		t.Run(string(mode), func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			c, err := open(file(t, savetest.StateDict(stateDict(t, small(mode)))))
			require.NoError(t, err)
			m, err := c.Module(s, torch.CPU, convert.Options{})
			require.NoError(t, err)
			require.NoError(t, m.To(torch.CPU, torch.Float64))
			score := func(x *torch.Tensor) *torch.Tensor { return m.ForwardTensor(x).Mean().RSubScalar(1) }

			shape := []int64{2, 3, 10, 8}
			x := s.Rand(nil, shape, torch.Options{DType: torch.Float64}).MulScalar(0.9).AddScalar(0.05).RequiresGrad(true)
			grad := torch.Slice[float64](torch.Grad(score(x), []*torch.Tensor{x}, torch.GradOptions{})[0])
			at := torch.Slice[float64](x)
			slope := func(i int, h float64) float64 {
				var v [2]float64
				for k, d := range []float64{h, -h} {
					w := slices.Clone(at)
					w[i] += d
					torch.NoGrad(func() { v[k] = score(s.FromFloat64s(w, shape...)).Float64() })
				}
				return (v[0] - v[1]) / (2 * h)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			smooth, scale := 0, norm(grad)/math.Sqrt(float64(len(grad)))
			const tries = 60
			for range tries {
				i := rng.IntN(len(at))
				a, b := slope(i, 1e-5), slope(i, 1e-6)
				if math.Abs(a-b) > 1e-5*scale {
					continue // a kink: the two steps disagree
				}
				smooth++
				// Rounding of the score, 1e-16, over the step, 1e-5, is 1e-11; gradients here are about 1e-3.
				require.InDelta(t, grad[i], a, 1e-5*scale, "pixel %d", i)
			}
			require.Greater(t, smooth, tries/2, "too few smooth pixels to say anything")
		})
	}
}

func norm(v []float64) float64 {
	var n float64
	for _, x := range v {
		n += x * x
	}
	return math.Sqrt(n)
}

// score is that of one image by a converted checkpoint.
func score(t *testing.T, c *convert.Checkpoint) float32 {
	t.Helper()
	s := torch.NewScope()
	defer s.Close()
	m, err := c.Module(s, torch.CPU, convert.Options{})
	require.NoError(t, err)
	u := uniform("image", 3*8*8)
	x := make([]float32, len(u))
	for i := range u {
		x[i] = float32(u[i]/2 + 0.5)
	}
	return m.ForwardTensor(s.FromFloat32s(x, 1, 3, 8, 8)).Float32s()[0]
}

// What people have besides: other top levels, names put before names, other element types, devices.
func TestForms(t *testing.T) {
	tensors := stateDict(t, small(network.FullMode))
	plain, err := open(file(t, savetest.StateDict(tensors)))
	require.NoError(t, err)
	want := score(t, plain)
	require.Equal(t, convert.DefaultImageSize, plain.ImageSize)
	require.Nil(t, plain.Epoch)

	renamed := func(prefix string) []savetest.Tensor {
		out := slices.Clone(tensors)
		for i := range out {
			out[i].Name = prefix + out[i].Name
		}
		return out
	}
	onGPU := slices.Clone(tensors)
	for i := range onGPU {
		if i%2 == 0 {
			onGPU[i].Location = "cuda:0"
		}
	}
	for name, root := range map[string]savetest.Value{
		"trainer":        savetest.Trainer(tensors, savetest.TrainerOptions{Epoch: 2, GlobalStep: 5, AMP: true}),
		"save_model":     savetest.Model(tensors, 256),
		"state_dict":     savetest.Dict{{Key: "state_dict", Value: savetest.StateDict(tensors)}},
		"DataParallel":   savetest.StateDict(renamed("module.")),
		"compiled":       savetest.Model(renamed("_orig_mod.module."), 256),
		"mixed devices":  savetest.StateDict(onGPU),
		"a shared value": savetest.Dict{{Key: "model_state_dict", Value: savetest.StateDict(tensors)}, {Key: "x", Value: savetest.StateDict(tensors)}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := open(file(t, root))
			require.NoError(t, err)
			require.Equal(t, want, score(t, c))
			if name == "trainer" {
				require.Equal(t, int64(2), *c.Epoch)
				require.Contains(t, c.Others, "optimizer_state_dict")
			}
		})
	}

	double := slices.Clone(tensors)
	for i, s := range double {
		if s.DType == "int64" {
			continue
		}
		double[i].DType, double[i].Data = "float64", nil
		for k := 0; k < len(s.Data); k += 4 {
			v := math.Float32frombits(binary.LittleEndian.Uint32(s.Data[k:]))
			double[i].Data = binary.LittleEndian.AppendUint64(double[i].Data, math.Float64bits(float64(v)))
		}
	}
	c, err := open(file(t, savetest.StateDict(double)))
	require.NoError(t, err)
	require.Equal(t, want, score(t, c))

	bf16 := slices.Clone(tensors)
	for i, s := range bf16 {
		if s.DType == "int64" {
			continue
		}
		bf16[i].DType, bf16[i].Data = "bfloat16", nil
		for k := 0; k < len(s.Data); k += 4 {
			bf16[i].Data = append(bf16[i].Data, s.Data[k+2:k+4]...) // the upper half, rounded towards zero
		}
	}
	c, err = open(file(t, savetest.StateDict(bf16)))
	require.NoError(t, err)
	require.InDelta(t, want, score(t, c), 0.05) // eight bits of each weight
}

// Converting leaves nothing behind.
func TestNothingStays(t *testing.T) {
	data := file(t, savetest.StateDict(stateDict(t, small(network.FastMode))))
	before := torch.LiveTensors()
	for range 3 {
		c, err := open(data)
		require.NoError(t, err)
		s := torch.NewScope()
		m, err := c.Module(s, torch.CPU, convert.Options{})
		require.NoError(t, err)
		require.Equal(t, before, torch.LiveTensors(), "the module holds its tensors, no scope does")
		params, err := m.Parameters(s)
		require.NoError(t, err)
		for _, p := range params {
			require.False(t, p.Tensor.IsGradRequired(), p.Name)
		}
		s.Close()
	}
	require.Equal(t, before, torch.LiveTensors())
}

// Nothing can put the network back into training: its batch norms are literally in evaluation mode.
func TestTrainingModeChangesNothing(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	c, err := open(file(t, savetest.StateDict(stateDict(t, small(network.FullMode)))))
	require.NoError(t, err)
	m, err := c.Module(s, torch.CPU, convert.Options{})
	require.NoError(t, err)
	x := s.Rand(nil, []int64{2, 3, 8, 8})
	want := m.ForwardTensor(x).Float32s()
	require.NoError(t, m.Train(true))
	require.Equal(t, want, m.ForwardTensor(x).Float32s())
	require.Equal(t, want, m.ForwardTensor(x).Float32s())
}

func TestCard(t *testing.T) {
	c, err := open(file(t, savetest.Trainer(stateDict(t, network.Published(network.FastMode)), savetest.TrainerOptions{Epoch: 1})))
	require.NoError(t, err)
	card := c.Card(convert.Options{})
	require.Equal(t, int64(16_508_747), card.Parameters) // counted with PyTorch
	require.Equal(t, network.FastMode, card.Mode)
	require.Equal(t, 256, card.ImageSize)
	require.Equal(t, "best_model.pt", card.Source.File)
	again, err := network.ParseCard(card.Text())
	require.NoError(t, err)
	require.Equal(t, card, again)

	s := torch.NewScope()
	defer s.Close()
	path := t.TempDir() + "/d.pt"
	m, err := c.Module(s, torch.CPU, convert.Options{})
	require.NoError(t, err)
	require.NoError(t, m.SaveWith(path, jit.Files{network.CardFile: card.Text()}))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	text, ok := jit.ReadFile(f, info.Size(), network.CardFile)
	require.True(t, ok)
	require.Equal(t, card.Text(), text)
}
