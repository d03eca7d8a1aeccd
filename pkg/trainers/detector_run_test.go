package trainers

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// plain is a set of n pictures of one colour that drifts a little.
type plain struct {
	n    int
	base uint8
}

func (p plain) Name() string { return fmt.Sprintf("grey%d", p.base) }
func (p plain) Len() int     { return p.n }
func (p plain) Image(i int) (image.Image, error) {
	img := image.NewRGBA(image.Rect(0, 0, 32, 32))
	for y := range 32 {
		for x := range 32 {
			v := p.base + uint8((i+x*y)%16)
			img.SetRGBA(x, y, color.RGBA{v, v, v, 255})
		}
	}
	return img, nil
}

func tinyDetector(t *testing.T, s *torch.Scope) *network.Net {
	t.Helper()
	g, err := s.NewGenerator(torch.CPU, 5)
	require.NoError(t, err)
	net, err := network.New(s, g, network.Arch{Base: 8, Feature: 16, Blocks: []int{1, 1}}, torch.CPU)
	require.NoError(t, err)
	return net
}

func tinyRun(t *testing.T) DetectorRunOptions {
	t.Helper()
	run, err := checkpoint.Create(filepath.Join(t.TempDir(), "run"))
	require.NoError(t, err)
	return DetectorRunOptions{DetectorSettings: DetectorSettings{Resolution: 32, Epochs: 3, Batch: 8, LR: 2e-3, Smoothing: 0.05,
		ClassWeight: 0.3, Augment: "light", Seed: 1}, Out: run, Console: &monitor.Console{W: io.Discard}}
}

func tinyData() DetectorData {
	d := data.Labelled{Real: plain{30, 60}, Fake: plain{12, 70}}.Split(1, 0.2, 0.2)
	return DetectorData{Val: d[0], Test: d[1], Train: d[2]}
}

// The whole run: the figures are those of the file, twice the same file, and no tensor is left behind by a step.
func TestRunDetector(t *testing.T) {
	var hashes []string
	for range 2 {
		s := scope(t)
		net, o := tinyDetector(t, s), tinyRun(t)
		var live []int64
		var ticks []monitor.Tick
		o.OnTick = func(tick monitor.Tick) {
			live = append(live, torch.LiveTensors())
			ticks = append(ticks, tick)
		}
		before := torch.LiveTensors()
		report, err := RunDetector(context.Background(), net, tinyData(), o)
		require.NoError(t, err)
		require.Equal(t, before, torch.LiveTensors())
		require.Len(t, ticks, 3)
		require.Equal(t, live[0], live[1])
		require.Equal(t, live[1], live[2])
		require.EqualValues(t, 150, ticks[2].Step)
		require.Greater(t, report.Test.AUC, 0.9, "%+v", report)
		require.Len(t, report.Degraded, 4)
		hashes = append(hashes, report.SHA256)

		path := filepath.Join(o.Out.Dir, DetectorFile)
		d, err := tigas.Open(s, path, tigas.OpenOptions{Height: 32, Logit: true})
		require.NoError(t, err)
		require.Equal(t, report.SHA256, d.SHA256)
		require.True(t, d.HasLogit())
		require.NotNil(t, d.Card)
		require.Equal(t, 32, d.Card.ImageSize)
		require.Contains(t, string(d.Card.Training), `"augment"`)
		real, err := data.LoadImages(context.Background(), tinyData().Test.Real, 32, 0)
		require.NoError(t, err)
		torch.NoGrad(func() {
			x := UnitImages(s, real.Pixels, 32, torch.CPU)
			require.InDelta(t, report.Test.MeanReal, d.Score(x).Mean().Float64(), 1e-6)
			// The network that was handed in holds the best weights; frozen batch norms round differently.
			m, err := net.Export(s)
			require.NoError(t, err)
			require.InDeltaSlice(t, d.Score(x).Float32s(), m.ForwardTensor(x).Reshape(-1).Float32s(), 1e-4)
		})
		card, err := os.ReadFile(filepath.Join(o.Out.Dir, network.CardFile))
		require.NoError(t, err)
		require.Contains(t, string(card), report.SHA256)
		log, err := os.ReadFile(o.Out.Log())
		require.NoError(t, err)
		require.Equal(t, 3, strings.Count(string(log), `"val_auc"`))
	}
	require.Equal(t, hashes[0], hashes[1], "the same seed makes the same detector")
}

// A context that ends lets the update finish and keeps the best and the newest weights; both can be trained on.
func TestRunDetectorInterrupted(t *testing.T) {
	s := scope(t)
	net, o := tinyDetector(t, s), tinyRun(t)
	ctx, cancel := context.WithCancel(context.Background())
	o.OnTick = func(monitor.Tick) { cancel() }
	_, err := RunDetector(ctx, net, tinyData(), o)
	require.ErrorIs(t, err, ErrInterrupted)
	require.ErrorContains(t, err, "at step 50; detector.pt is of epoch 1")
	for _, name := range []string{DetectorFile, DetectorLastFile} {
		again, err := LoadDetectorNet(s, filepath.Join(o.Out.Dir, name), torch.CPU)
		require.NoError(t, err)
		require.Equal(t, net.Arch.Blocks, again.Arch.Blocks)
		require.Len(t, again.Params, len(net.Params))
		for i, p := range append(append([]jit.Named(nil), net.Params...), net.Buffers...) {
			got := append(append([]jit.Named(nil), again.Params...), again.Buffers...)[i]
			require.Equal(t, p.Tensor.RawBytes(), got.Tensor.RawBytes(), "%s: %s", name, p.Name)
		}
	}
	card, err := os.ReadFile(filepath.Join(o.Out.Dir, network.CardFile))
	require.NoError(t, err)
	require.Contains(t, string(card), `"test": null`)

	o = tinyRun(t)
	_, err = RunDetector(ctx, net, tinyData(), o)
	require.ErrorIs(t, err, ErrInterrupted)
	require.ErrorContains(t, err, "no epoch is complete")
}

// A checkpoint of upstream's trainer is a start, whatever its widths and mode.
func TestLoadDetectorNetFromCheckpoint(t *testing.T) {
	for _, mode := range []network.Mode{network.FastMode, network.FullMode} {
		s := scope(t)
		arch := network.Published(mode)
		arch.Base, arch.Feature = 8, 16
		net, err := network.New(s, nil, arch, torch.CPU)
		require.NoError(t, err)
		var tensors []savetest.Tensor
		for _, p := range append(append([]jit.Named(nil), net.Params...), net.Buffers...) {
			dtype := "float32"
			if p.Tensor.DType() == torch.Int64 {
				dtype = "int64"
			}
			tensors = append(tensors, savetest.Tensor{Name: p.Name, DType: dtype, Shape: p.Tensor.Shape(), Data: p.Tensor.RawBytes()})
		}
		path := filepath.Join(t.TempDir(), "best_model.pt")
		require.NoError(t, savetest.WriteFile(path, savetest.Trainer(tensors, savetest.TrainerOptions{Epoch: 1})))
		again, err := LoadDetectorNet(s, path, torch.CPU)
		require.NoError(t, err)
		require.Equal(t, mode, again.Arch.Mode)
		x := s.Rand(nil, []int64{2, 3, 32, 32})
		require.Equal(t, net.Logit(x).Float32s(), again.Logit(x).Float32s())
		require.True(t, again.Params[0].Tensor.IsGradRequired())
	}
}

func TestLoadDetectorNetRefuses(t *testing.T) {
	s := scope(t)
	dir := t.TempDir()
	m, err := jit.Define(s, []jit.Named{{Name: "a", Tensor: s.Scalar(1)}}, nil, "def forward(self, x: Tensor):\n    return x * self.a\n")
	require.NoError(t, err)
	require.NoError(t, m.Save(filepath.Join(dir, "bare.pt")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text.pt"), []byte("hello"), 0o644))
	require.NoError(t, checkpoint.Save(filepath.Join(dir, "other.safetensors"), func(yield func(string, *torch.Tensor) bool) {
		yield("weight", s.Ones([]int64{2}))
	}, nil))
	for name, want := range map[string]string{"bare.pt": "without a card", "text.pt": "text.pt", "other.safetensors": "not the weights",
		"missing.pt": "no such file"} {
		_, err := LoadDetectorNet(s, filepath.Join(dir, name), torch.CPU)
		require.ErrorContains(t, err, want)
	}
}

// Patience ends a run whose validation does not get better: with a learning rate of next to nothing it stays as it is.
func TestRunDetectorPatience(t *testing.T) {
	s := scope(t)
	o := tinyRun(t)
	o.Epochs, o.Patience, o.LR, o.Batch = 50, 1, 1e-12, 2
	d := tinyData()
	d.Train.Real, d.Train.Fake = plain{30, 60}, plain{30, 60}
	report, err := RunDetector(context.Background(), tinyDetector(t, s), d, o)
	require.NoError(t, err)
	require.Less(t, report.Settings.Steps, 50*leastSteps/2)
	require.Equal(t, report.Settings.Steps/leastSteps-1, report.Settings.BestEpoch)
}

// Half of each batch is real, however few real pictures there are.
func TestStreamIsBalanced(t *testing.T) {
	st, err := newLabelledStream(context.Background(), data.Labelled{Real: plain{3, 0}, Fake: plain{200, 200}}, tinyRun(t))
	require.NoError(t, err)
	defer st.stop()
	size := 3 * 32 * 32
	for range 20 {
		pix, err := st.next()
		require.NoError(t, err)
		require.Len(t, pix, 8*size)
		for i := range 8 {
			sum := 0
			for _, v := range pix[i*size : (i+1)*size] {
				sum += int(v)
			}
			require.Equal(t, i < 4, sum/size < 100)
		}
	}
}
