package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/roc"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

func newDetectorDemo() *cobra.Command {
	o := demoDetector{Steps: 1500, Kimg: demoKimg, Seed: 7}
	var sys systemFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Train the embedded detector: demo pictures against what a GAN makes of them",
		Long: `Train the small detector that is part of the program: a GAN is trained on the demo
pictures and its samples are kept from the first to the last step; the detector
learns to tell real pictures from those and from damaged copies (checkerboard,
blur, noise, few colours). It is tested on pictures held out, and on the samples
of a second GAN.`,
		Example: `  tigas-train detector demo --out pkg/tigas/embedded.pt`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.console = sys.console(cmd.ErrOrStderr())
			if _, err := sys.start(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Out, "out", "detector.pt", "file to write")
	f.IntVar(&o.Steps, "steps", o.Steps, "updates of the detector")
	f.Float64Var(&o.Kimg, "kimg", o.Kimg, "length of each GAN's run")
	f.Int64Var(&o.Seed, "seed", o.Seed, "seed of everything random")
	sys.registerMachine(f, false)
	return cmd
}

// demoDetector makes the embedded detector.
type demoDetector struct {
	Out     string
	Steps   int
	Kimg    float64
	Seed    int64
	console *monitor.Console
}

const demoSize = 32

func (o *demoDetector) run(ctx context.Context) error {
	train, err := o.samples(ctx, o.Seed)
	if err != nil {
		return err
	}
	test, err := o.samples(ctx, o.Seed+1000)
	if err != nil {
		return err
	}
	root := torch.NewScope()
	defer root.Close()
	g, err := root.NewGenerator(torch.CPU, o.Seed)
	if err != nil {
		return err
	}
	net, err := network.New(root, g, network.Arch{Base: 8, Feature: 64, Blocks: []int{2, 3, 4}}, torch.CPU)
	if err != nil {
		return err
	}
	pairs, err := newPairs(false, train, o.Seed, g)
	if err != nil {
		return err
	}
	err = trainers.TrainDetector(ctx, net, trainers.DetectorOptions{Steps: o.Steps, ClassWeight: 0.3, Batch: pairs.next,
		OnStep: func(st trainers.DetectorStep) error {
			if st.Step%100 == 0 {
				o.console.Message("detector  step %d of %d, loss %.4f", st.Step, o.Steps, st.Loss)
			}
			return nil
		}})
	if err != nil {
		return err
	}
	m, err := net.Export(root)
	if err != nil {
		return err
	}
	card, err := net.Arch.Card(network.Options{}, demoSize)
	if err != nil {
		return err
	}
	files := jit.Files{network.CardFile: card.Text()}
	bytes, err := m.BytesWith(files)
	if err != nil {
		return err
	}
	d, err := tigas.OpenBytes(root, bytes, o.Out, tigas.OpenOptions{Height: demoSize})
	if err != nil {
		return err
	}
	held, err := newPairs(true, test, o.Seed+2000, g)
	if err != nil {
		return err
	}
	if err = o.judge(root, d, held, test); err != nil {
		return err
	}
	return coded(exitOutput, m.SaveWith(o.Out, files))
}

// samples trains a GAN and returns pixels [n, 3, 32, 32] of its samples, in the order of training.
func (o *demoDetector) samples(ctx context.Context, seed int64) ([]byte, error) {
	dir, err := os.MkdirTemp("", "tigas-detector-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	run, err := checkpoint.Create(filepath.Join(dir, "run"))
	if err != nil {
		return nil, err
	}
	root := torch.NewScope()
	defer root.Close()
	if err = torch.Seed(seed); err != nil {
		return nil, err
	}
	opt := demoGAN(trainers.DefaultGANOptions())
	gan, err := trainers.NewGAN(root, nil, opt, torch.CPU)
	if err != nil {
		return nil, err
	}
	loader, err := data.NewLoader(data.NewDemo(demoSize, false), data.LoaderOptions{Batch: opt.Batch, Seed: uint64(seed),
		Transform: data.Transform{Resolution: demoSize}})
	if err != nil {
		return nil, err
	}
	var pix []byte
	const each = 128
	err = trainers.Run(ctx, gan, trainers.RunOptions{Kimg: o.Kimg, TickKimg: o.Kimg / 160, SnapKimg: o.Kimg, Seed: seed,
		Loader: loader, Out: run, Console: &monitor.Console{W: o.console.W, Quiet: true},
		OnTick: func(t monitor.Tick) {
			err = errors.Join(err, torch.Scoped(func(s *torch.Scope) error {
				g, err := s.NewGenerator(torch.CPU, seed+int64(t.N))
				if err != nil {
					return err
				}
				z := trainers.DrawLatents(s, gan, g, each, torch.CPU)
				// The trained generator and its average leave different marks.
				pix = append(pix, trainers.Pixels(gan.SampleRaw(z.Narrow(0, 0, each/2)))...)
				averaged, err := gan.Sample(ctx, z.Narrow(0, each/2, each/2))
				if err == nil {
					pix = append(pix, trainers.Pixels(averaged)...)
				}
				return err
			}))
			if t.N%40 == 0 {
				o.console.Message("gan       kimg %.1f of %g, seed %d", t.Kimg, o.Kimg, seed)
			}
		}})
	return pix, err
}

// pairs draws batches of real and generated pictures.
type pairs struct {
	set   data.Dataset
	fakes []byte
	rng   *rand.Rand
	g     *torch.Generator
	real  map[int][]byte // pixels that were drawn already
}

func newPairs(heldOut bool, fakes []byte, seed int64, g *torch.Generator) (*pairs, error) {
	if len(fakes) == 0 {
		return nil, errors.New("the GAN made no samples")
	}
	return &pairs{set: data.NewDemo(demoSize, heldOut), fakes: fakes, rng: rand.New(rand.NewPCG(uint64(seed), 1)), g: g,
		real: map[int][]byte{}}, nil
}

const pictureBytes = 3 * demoSize * demoSize

// images returns n real pictures, in [0, 1].
func (p *pairs) images(s *torch.Scope, n int) (*torch.Tensor, error) {
	pix := make([]byte, 0, n*pictureBytes)
	for range n {
		i := p.rng.IntN(p.set.Len())
		if p.real[i] == nil {
			img, err := p.set.Image(i)
			if err != nil {
				return nil, err
			}
			p.real[i] = make([]byte, pictureBytes)
			data.Transform{Resolution: demoSize}.Apply(p.real[i], img, nil)
		}
		pix = append(pix, p.real[i]...)
	}
	return trainers.UnitImages(s, pix, demoSize, torch.CPU), nil
}

// generated returns n samples of the GAN from any time of its training, in [0, 1], and when each was made: 0 at the first
// step, 1 at the last.
func (p *pairs) generated(s *torch.Scope, n int) (images, when *torch.Tensor) {
	pix := make([]byte, 0, n*pictureBytes)
	at := make([]float32, n)
	for k := range n {
		i := p.rng.IntN(len(p.fakes) / pictureBytes)
		pix = append(pix, p.fakes[i*pictureBytes:(i+1)*pictureBytes]...)
		at[k] = float32(i*pictureBytes) / float32(len(p.fakes))
	}
	return trainers.UnitImages(s, pix, demoSize, torch.CPU), s.FromFloat32s(at)
}

// Targets. Hard ones make a detector that is sure of everything, whose score is 0 for every sample and whose gradient
// vanishes. So samples of the GAN count for more the later they were made, damaged pictures for a little, and mixtures of a
// real and a generated picture for what is in them: the score then rises on the way from one to the other.
const (
	targetReal    = 0.97
	targetLate    = 0.35
	targetDamaged = 0.15
)

// next returns 48 real pictures, 32 of the GAN, 24 damaged ones and 24 mixtures, with their targets. Half of the batches
// are mirrored.
func (p *pairs) next(s *torch.Scope) (images, targets *torch.Tensor, err error) {
	real, err := p.images(s, 48+24+24)
	if err != nil {
		return nil, nil, err
	}
	fake, when := p.generated(s, 32+24)
	good := when.MulScalar(targetLate).AddScalar(0.02)
	spoil := real.Narrow(0, 48, 24)
	t := s.Rand(p.g, []int64{24})
	mixed := real.Narrow(0, 72, 24).LerpTensor(fake.Narrow(0, 32, 24), t.Reshape(24, 1, 1, 1))
	images = torch.Cat([]*torch.Tensor{real.Narrow(0, 0, 48), fake.Narrow(0, 0, 32),
		trainers.RandomDamage(spoil.Narrow(0, 0, 12), p.rng, p.g),
		trainers.RandomDamage(spoil.Narrow(0, 12, 12), p.rng, p.g), mixed}, 0)
	sure := s.Full([]int64{48}, targetReal)
	targets = torch.Cat([]*torch.Tensor{sure, good.Narrow(0, 0, 32), s.Full([]int64{24}, targetDamaged),
		sure.Narrow(0, 0, 24).LerpTensor(good.Narrow(0, 32, 24), t)}, 0)
	if p.rng.IntN(2) == 1 {
		images = images.Flip(3)
	}
	return images, targets, nil
}

// judge prints the area under the ROC curve on pictures that were held out: generated ones by the time of training,
// damaged ones by kind. It returns an error when one of them is below 0.95 overall.
func (o *demoDetector) judge(root *torch.Scope, d *tigas.Detector, p *pairs, fakes []byte) error {
	scores := func(make func(s *torch.Scope, n int) (*torch.Tensor, error)) (l []float32, err error) {
		for range 16 {
			err = root.Scoped(func(s *torch.Scope) error {
				x, err := make(s, 64)
				if err == nil {
					torch.NoGrad(func() { l = append(l, d.Score(x).Float32s()...) })
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
		return l, nil
	}
	real, err := scores(p.images)
	if err != nil {
		return err
	}
	var all [2][]float32 // generated, damaged
	report := func(group int, name string, make func(s *torch.Scope, n int) (*torch.Tensor, error)) error {
		l, err := scores(make)
		if err != nil {
			return err
		}
		all[group] = append(all[group], l...)
		o.console.Message("test      %-22s area under ROC %.4f", name, roc.Area(real, l))
		return nil
	}
	third := len(fakes) / pictureBytes / 3 * pictureBytes
	for i, name := range []string{"GAN, early", "GAN, middle", "GAN, late"} {
		part := *p
		part.fakes = fakes[i*third : (i+1)*third]
		err = errors.Join(err, report(0, name, func(s *torch.Scope, n int) (*torch.Tensor, error) {
			x, _ := part.generated(s, n)
			return x, nil
		}))
	}
	for kind, name := range []string{"checkerboard", "blur", "noise", "few colours"} {
		err = errors.Join(err, report(1, name, func(s *torch.Scope, n int) (*torch.Tensor, error) {
			x, err := p.images(s, n)
			if err != nil {
				return nil, err
			}
			return trainers.Damaged(x, trainers.Damage(kind), p.rng, p.g), nil
		}))
	}
	if err != nil {
		return err
	}
	for i, name := range []string{"generated", "damaged"} {
		a := roc.Area(real, all[i])
		o.console.Message("test      all %-18s area under ROC %.4f", name, a)
		if a < 0.95 {
			return fmt.Errorf("the detector tells %s pictures from real ones with an area under ROC of %.3f, want 0.95: "+
				"train longer", name, a)
		}
	}
	return nil
}
