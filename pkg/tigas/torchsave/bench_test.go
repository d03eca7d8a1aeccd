package torchsave

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// BenchmarkOpen opens the file of a trainer with 1000 weights and two moments for each.
func BenchmarkOpen(b *testing.B) {
	var weights []savetest.Tensor
	for i := range 1000 {
		weights = append(weights, savetest.Tensor{Name: fmt.Sprintf("perceptual_extractor.stage%d.%d.weight", i/100, i), Shape: []int64{2, 3, 4}})
	}
	data := saved(savetest.Trainer(weights, savetest.TrainerOptions{Epoch: 50}), false)
	b.Logf("%d bytes, a pickle of %d", len(data), len(unpacked(data)[0].Data))
	b.ReportAllocs()
	for b.Loop() {
		_, err := openBytes(data)
		require.NoError(b, err)
	}
}

// BenchmarkRead reads a tensor of 16 MB.
func BenchmarkRead(b *testing.B) {
	f, err := openBytes(saved(savetest.Tensor{Shape: []int64{1 << 22}}, false))
	require.NoError(b, err)
	x := f.Root().(*Tensor)
	b.SetBytes(x.Bytes())
	for b.Loop() {
		_, err := f.Read(x)
		require.NoError(b, err)
	}
}
