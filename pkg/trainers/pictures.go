package trainers

import (
	"context"
	"os"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// slow is how long pictures may take before the run says what it is doing.
const slow = 5 * time.Second

// firstPictures draws real pictures, and those of the untrained model; or those of the snapshot that the run goes on from, if
// it was interrupted before they were drawn.
func (l *loop) firstPictures(ctx context.Context) error {
	n := l.o.Grid * l.o.Grid
	if err := l.reals(n); err != nil {
		return err
	}
	if _, err := os.Stat(l.picture("fakes")); err == nil || !l.s.Draw {
		return nil
	}
	start := time.Now()
	note := time.AfterFunc(slow, func() { l.o.Console.Message("samples   drawing %d pictures before the first step", n) })
	defer note.Stop()
	err := l.pictures(ctx)
	if took := time.Since(start); err == nil && took > slow {
		l.o.Console.Message("samples   took %s, each time: --grid says how many, --snap how often", monitor.Duration(took))
	}
	return err
}

// pictures draws the grid of samples at fixed latents. A [Reconstructor] also shows real pictures, each row of them above
// what becomes of it. It returns ctx's error when that ends it.
func (l *loop) pictures(ctx context.Context) error {
	return l.scope.Scoped(func(s *torch.Scope) error {
		if r, ok := l.f.(Reconstructor); ok {
			if err := l.reconstruct(ctx, s, r); err != nil {
				return err
			}
		}
		fakes, err := inParts(ctx, s.Use(l.fixed), l.o.Loader.Batch(), l.f.Sample)
		if err != nil {
			return err
		}
		return l.grid("fakes", fakes) // the last one: it says that all are there
	})
}

// reals draws real pictures, and keeps half of them to be reconstructed.
func (l *loop) reals(n int) error {
	reals, err := l.o.Loader.Sample(n)
	if err != nil {
		return err
	}
	r := l.o.Loader.Resolution()
	file := l.o.Out.Sample("reals.png")
	if err = l.o.Out.Inside(file); err != nil {
		return output(err)
	}
	if err = monitor.WriteGrid(file, reals, n, r, r, l.o.Grid); err != nil {
		return output(err)
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

// picture is the path of a grid of this moment.
func (l *loop) picture(name string) string { return l.o.Out.Picture(name, l.s.Images) }

// grid writes images.
func (l *loop) grid(name string, x *torch.Tensor) error {
	file := l.picture(name)
	if err := l.o.Out.Inside(file); err != nil {
		return output(err)
	}
	return output(monitor.WriteGrid(file, Pixels(x), int(x.Size(0)), int(x.Size(2)), int(x.Size(3)), l.o.Grid))
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
