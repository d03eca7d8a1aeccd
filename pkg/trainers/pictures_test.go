package trainers

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// slowPictures is a GAN whose pictures take until the run is stopped, from the call of a number on.
type slowPictures struct {
	*GAN
	stop  func()
	calls int
	from  int
}

func (s *slowPictures) Sample(ctx context.Context, latents *torch.Tensor) (*torch.Tensor, error) {
	if s.calls++; s.calls <= s.from {
		return s.GAN.Sample(ctx, latents)
	}
	s.stop()
	<-ctx.Done()
	return nil, ctx.Err()
}

// A run is stopped while it draws pictures: before the first step, and at a snapshot, which it has written by then.
func TestInterruptWhileDrawing(t *testing.T) {
	for name, from := range map[string]int{"before the first step": 0, "at a snapshot": 1} {
		t.Run(name, func(t *testing.T) {
			root := scope(t)
			g, err := NewGAN(root, nil, tiny(), torch.CPU)
			require.NoError(t, err)
			loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 8, Transform: data.Transform{Resolution: 32}})
			require.NoError(t, err)
			run, err := checkpoint.Create(filepath.Join(t.TempDir(), "run"))
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(context.Background())
			err = Run(ctx, &slowPictures{GAN: g, stop: cancel, from: from}, RunOptions{Kimg: 100, SnapKimg: 0.1, Grid: 2, Loader: loader,
				Out: run, Console: &monitor.Console{W: io.Discard}})
			require.ErrorIs(t, err, ErrInterrupted)
			_, err = run.Latest()
			require.NoError(t, err, "no snapshot")
			fakes, err := filepath.Glob(run.Sample("fakes*.png"))
			require.NoError(t, err)
			require.Len(t, fakes, from)
		})
	}
}
