package trainers

import (
	"context"
	"fmt"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// slow is how long pictures may take before the run says what it is doing.
const slow = 5 * time.Second

// pictures draws the grid of samples at fixed latents, and first the grid of real pictures beside it. A [Reconstructor]
// also shows real pictures, each row of them above what becomes of it. It returns ctx's error when that ends it.
func (l *loop) pictures(ctx context.Context, first bool) error {
	n := l.o.Grid * l.o.Grid
	if first {
		if err := l.reals(n); err != nil {
			return err
		}
	}
	start := time.Now()
	note := time.AfterFunc(slow, func() {
		if first {
			l.o.Console.Message("samples   drawing %d pictures before the first step", n)
		}
	})
	defer note.Stop()
	err := l.scope.Scoped(func(s *torch.Scope) error {
		fakes, err := inParts(ctx, s.Use(l.fixed), l.o.Loader.Batch(), l.f.Sample)
		if err != nil {
			return err
		}
		if err = l.grid("fakes", fakes); err != nil {
			return err
		}
		if r, ok := l.f.(Reconstructor); ok {
			return l.reconstruct(ctx, s, r)
		}
		return nil
	})
	if took := time.Since(start); err == nil && first && took > slow {
		l.o.Console.Message("samples   took %s, each time: --grid says how many, --snap how often", monitor.Duration(took))
	}
	return err
}

// reals draws real pictures, and keeps half of them to be reconstructed.
func (l *loop) reals(n int) error {
	reals, err := l.o.Loader.Sample(n)
	if err != nil {
		return err
	}
	r := l.o.Loader.Resolution()
	if err = monitor.WriteGrid(l.o.Out.Sample("reals.png"), reals, n, r, r, l.o.Grid); err != nil {
		return err
	}
	l.known = torch.FromSlice(l.scope, reals, int64(n), 3, int64(r), int64(r)).Narrow(0, 0, int64(max(1, n/2)))
	return nil
}

func (l *loop) reconstruct(ctx context.Context, s *torch.Scope, r Reconstructor) error {
	x := Normalize(s.Use(l.known).ToDevice(l.o.Device))
	y, err := inParts(ctx, x, l.o.Loader.Batch(), func(_ context.Context, x *torch.Tensor) (*torch.Tensor, error) {
		return r.Reconstruct(x), nil
	})
	if err != nil {
		return err
	}
	var rows []*torch.Tensor
	for at, n := int64(0), x.Size(0); at < n; at += int64(l.o.Grid) {
		k := min(int64(l.o.Grid), n-at)
		rows = append(rows, x.Narrow(0, at, k), y.Narrow(0, at, k))
	}
	return l.grid("recon", torch.Cat(rows, 0))
}

// grid writes images with the number of the kimg in the file's name.
func (l *loop) grid(name string, x *torch.Tensor) error {
	file := l.o.Out.Sample(fmt.Sprintf("%s%06d.png", name, int64(l.kimg()+0.5)))
	return monitor.WriteGrid(file, Pixels(x), int(x.Size(0)), int(x.Size(2)), int(x.Size(3)), l.o.Grid)
}

// Normalize maps bytes [N, 3, H, W] to float32 in [-1, 1]: x/127.5 - 1.
func Normalize(pixels *torch.Tensor) *torch.Tensor {
	return pixels.To(torch.Float32).DivScalar(127.5).SubScalar(1)
}

// UnitImages maps the bytes of square images [N, 3, size, size], as they are decoded, to float32 in [0, 1] on a device: what
// detectors take. It panics when pix is not a whole number of images.
func UnitImages(s *torch.Scope, pix []byte, size int, d torch.Device) *torch.Tensor {
	n, side := int64(len(pix)/(3*size*size)), int64(size)
	return torch.FromSlice(s, pix, n, 3, side, side).ToDevice(d).To(torch.Float32).DivScalar(255)
}

// Pixels maps images [N, 3, H, W] in [-1, 1] to bytes, rounding to nearest.
func Pixels(images *torch.Tensor) (pix []byte) {
	torch.NoGrad(func() {
		pix = torch.Slice[uint8](images.To(torch.Float32).MulScalar(127.5).AddScalar(128).Clamp(0, 255).To(torch.Uint8))
	})
	return pix
}
