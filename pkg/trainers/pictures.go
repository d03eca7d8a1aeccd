package trainers

import (
	"context"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// slow is how long pictures may take before the run says what it is doing.
const slow = 5 * time.Second

// firstPictures draws real pictures, and those of the untrained model; or those of the snapshot that the run goes on from, if
// it was interrupted before they were drawn.
func (l *loop) firstPictures(ctx context.Context) error {
	defer l.phases.Begin("pictures")()
	n := l.o.Grid * l.o.Grid
	unwritten, err := l.reals(n)
	if err != nil {
		return err
	}
	if l.drawn || !l.s.Draw {
		return unwritten
	}
	start := time.Now()
	note := time.AfterFunc(slow, func() { l.o.Console.Message("samples   drawing %d pictures before the first step", n) })
	defer note.Stop()
	err = l.pictures(ctx)
	if took := time.Since(start); err == nil && took > slow {
		l.o.Console.Message("samples   took %s, each time: --grid says how many, --snap how often", monitor.Duration(took))
	}
	if err == nil {
		err = unwritten
	}
	return err
}

// pictures draws the grid of samples at fixed latents. A [Reconstructor] also shows real pictures, each row of them above
// what becomes of it. It returns ctx's error when that ends it.
func (l *loop) pictures(ctx context.Context) error {
	defer l.phases.Begin("pictures")()
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
		pix, n, h, w := Pixels(fakes), int(fakes.Size(0)), int(fakes.Size(2)), int(fakes.Size(3))
		if err := l.write("fakes", func(file string) error { return monitor.WriteGrid(file, pix, n, h, w, l.o.Grid) }); err != nil {
			return err
		}
		m := l.measure(pix, n, h, w)
		if err := l.progression(pix, m.scores, h, w); err != nil {
			return err
		}
		return l.endPictures(m) // its line in the log says that all are there
	})
}

// The grid that shows the quality of a moment, as the recipe draws it.
const (
	progressionRows    = 4
	progressionColumns = 8
)

// progression draws the first samples in the order of their scores, each with its own. Without a detector there is none.
func (l *loop) progression(pix []byte, scores []float64, h, w int) error {
	n := min(len(scores), progressionRows*progressionColumns)
	if n == 0 {
		return nil
	}
	img, err := monitor.GridWithScores(pix[:n*3*h*w], n, h, w, progressionColumns, scores[:n], true)
	if err != nil {
		return err
	}
	return l.write("scores", func(file string) error { return monitor.WritePNG(file, img) })
}

// endPictures logs what was measured of the samples.
func (l *loop) endPictures(m measured) error {
	t := monitor.Tick{Step: l.s.Step, Kimg: l.kimg(), Epoch: l.s.Epoch, Elapsed: l.elapsed(), Values: m.values(l.real)}
	if err := l.log.Samples(t); err != nil {
		return output(err)
	}
	l.observePictures(t, m)
	return nil
}

// elapsed is how long the run has taken, in all its sessions.
func (l *loop) elapsed() time.Duration {
	return time.Duration(l.s.ElapsedSec*float64(time.Second)) + l.rate.Since(time.Now())
}

// reals draws real pictures, measures them, and keeps half of them to be reconstructed. unwritten is why the file could not be
// written.
func (l *loop) reals(n int) (unwritten, err error) {
	reals, err := l.o.Loader.Sample(n)
	if err != nil {
		return nil, err
	}
	r := l.o.Loader.Resolution()
	l.real = l.measure(reals, n, r, r)
	l.known = torch.FromSlice(l.scope, reals, int64(n), 3, int64(r), int64(r)).Narrow(0, 0, int64(max(1, n/2)))
	file := l.o.Out.Sample("reals.png")
	if err = l.o.Out.Inside(file); err == nil {
		err = monitor.WriteGrid(file, reals, n, r, r, l.o.Grid)
	}
	return output(err), nil
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
	all := torch.Cat(rows, 0)
	return l.write("recon", func(file string) error {
		return monitor.WriteGrid(file, Pixels(all), int(all.Size(0)), int(all.Size(2)), int(all.Size(3)), l.o.Grid)
	})
}

// write writes a picture of this moment.
func (l *loop) write(name string, write func(file string) error) error {
	file := l.o.Out.Picture(name, l.s.Images)
	if err := l.o.Out.Inside(file); err != nil {
		return output(err)
	}
	return output(write(file))
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
