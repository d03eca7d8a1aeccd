// Command native is the Go side of bench/gpu: it trains one case as a program does, for some seconds, and prints a line of JSON
// like peer.py's.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// setup is the command line.
type setup struct {
	name         string
	batch, size  int
	seconds      float64
	precision    trainers.Precision
	channelsLast bool
	graphs       trainers.GraphMode
	detector     string
	device       torch.Device
	divisor      int
	trial        bool // of cuDNN's algorithms
}

// result has the keys of peer.py.
type result struct {
	Who       string  `json:"who"`
	Case      string  `json:"case"`
	Mode      string  `json:"mode"`
	Batch     int     `json:"batch"`
	Size      int     `json:"size"`
	Images    float64 `json:"images_per_s,omitempty"`
	Step      float64 `json:"ms_per_step,omitempty"`
	Share     float64 `json:"detector_share,omitempty"`
	Allocated float64 `json:"peak_allocated_MiB,omitempty"`
	Reserved  float64 `json:"peak_reserved_MiB,omitempty"`
	WarmUp    float64 `json:"warmup_s,omitempty"`
	Steps     int64   `json:"steps,omitempty"`
	GPU       string  `json:"gpu"`
	LibTorch  string  `json:"torch"`
	Score     float64 `json:"score_error,omitempty"`

	Values map[string]float64 `json:"values,omitempty"` // of the last line of the log
	Error  string             `json:"error,omitempty"`
}

func main() {
	var s setup
	var precision, device string
	flag.StringVar(&precision, "precision", "bf16", "fp32, tf32 or bf16")
	flag.StringVar(&device, "device", "cuda", "cuda or cpu")
	flag.BoolVar(&s.channelsLast, "channels-last", false, "")
	flag.StringVar((*string)(&s.graphs), "cuda-graphs", "off", "on, off or auto")
	flag.StringVar(&s.detector, "detector", "", "TorchScript of the detector")
	flag.Float64Var(&s.seconds, "seconds", 5, "of timed steps")
	flag.IntVar(&s.batch, "batch", 0, "")
	flag.IntVar(&s.size, "size", 0, "")
	flag.IntVar(&s.divisor, "width-divisor", 1, "of the networks, for tries on a CPU")
	flag.BoolVar(&s.trial, "cudnn-benchmark", false, "")
	flag.Parse()
	if flag.Arg(0) == "fold" {
		if err := fold(s.detector, flag.Arg(1), trainers.Precision(precision).DType()); err != nil {
			fmt.Fprintln(os.Stderr, "native:", err)
			os.Exit(1)
		}
		return
	}
	s.name, s.precision = flag.Arg(0), trainers.Precision(precision)
	r := result{Who: "tigas-train", Case: s.name, Mode: precision}
	if s.channelsLast {
		r.Mode += "+channels_last"
	}
	if s.graphs != trainers.GraphsOff {
		r.Mode += "+graphs"
	}
	if s.trial {
		r.Mode += "+trial"
	}
	err := s.run(device, &r)
	if err != nil {
		r.Error = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(r)
	if err != nil {
		os.Exit(1)
	}
}

func (s *setup) run(device string, r *result) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if s.device, err = torch.ParseDevice(device); err != nil {
		return err
	}
	if err = s.precision.Switch(s.device); err != nil {
		return err
	}
	if s.trial && s.device.IsCUDA() {
		w, err := cuda.ReadSwitches()
		if err != nil {
			return err
		}
		w.CuDNNBenchmark = true
		if err = cuda.SetSwitches(w); err != nil {
			return err
		}
	}
	r.LibTorch = torch.Version()
	if p, err := cuda.PropertiesOf(s.device); err == nil {
		r.GPU = p.Name
	}
	if s.size == 0 {
		s.size = map[string]int{"wgan-gp": 64}[s.name]
	}
	if s.size == 0 {
		s.size = 256
	}
	if s.batch == 0 {
		s.batch = map[string]int{"wgan-gp": 64}[s.name]
	}
	if s.batch == 0 {
		s.batch = 16
	}
	r.Batch, r.Size = s.batch, s.size
	return torch.Scoped(func(root *torch.Scope) error {
		d, err := tigas.Open(root, s.detector, tigas.OpenOptions{Device: s.device, Height: s.size, DType: s.precision.DType()})
		if err != nil {
			return err
		}
		r.Score = d.ScoreError
		term, err := s.term(root, d)
		if err != nil {
			return err
		}
		if s.name == "detector" {
			r.Step, r.Images, r.Share = term, float64(s.batch)/term*1e3, 1
			return s.memory(r)
		}
		if err = s.train(root, d, r); err == nil {
			r.Share = term / r.Step
		}
		return err
	})
}

// term is the milliseconds of the TIGAS term with its gradient, the median of batches that are queued without a wait; as a graph
// where the training has it in one.
func (s *setup) term(root *torch.Scope, d *tigas.Detector) (ms float64, err error) {
	t := tigas.Term{Detector: d, Weight: sched.Constant{Value: 0.1}, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	x := root.Rand(nil, []int64{int64(s.batch), 3, int64(s.size), int64(s.size)}, torch.Options{Device: s.device}).
		MulScalar(2).SubScalar(1).RequiresGrad(true)
	once := func() error {
		return root.Scoped(func(in *torch.Scope) error {
			a := t.Apply(sched.Progress{}, in.Use(x))
			torch.Grad(a.Loss, []*torch.Tensor{x}, torch.GradOptions{})
			return nil
		})
	}
	if s.graphs == trainers.GraphsOff || !s.device.IsCUDA() {
		return s.timed(once)
	}
	stream, err := cuda.NewStream(s.device)
	if err != nil {
		return 0, err
	}
	kept := root.Child()
	defer kept.Close()
	cuda.On(stream, func() {
		for range 4 {
			if err = once(); err != nil {
				return
			}
		}
		if err = s.wait(); err != nil {
			return
		}
		var g *cuda.Graph
		if g, err = cuda.Capture(kept, stream, cuda.CaptureOptions{}, func() { err = once() }); err != nil {
			return
		}
		ms, err = s.timed(g.Replay)
	})
	return ms, err
}

func (s *setup) timed(once func() error) (float64, error) {
	const group = 5
	var times []float64
	begin := time.Now()
	for i := 0; i < 12 && (i < 3 || time.Since(begin).Seconds() < s.seconds); i++ {
		start := time.Now()
		for range group {
			if err := once(); err != nil {
				return 0, err
			}
		}
		if err := s.wait(); err != nil {
			return 0, err
		}
		if i > 1 || s.device == torch.CPU {
			times = append(times, 1e3*time.Since(start).Seconds()/group)
		}
	}
	return median(times), nil
}

func (s *setup) wait() error {
	if !s.device.IsCUDA() {
		return nil
	}
	return cuda.Synchronize(s.device)
}

// train runs the case with a tick after every block of steps, drops the first ones, and stops after the seconds.
func (s *setup) train(root *torch.Scope, d *tigas.Detector, r *result) error {
	term := tigas.Term{Detector: d, Weight: sched.Constant{Value: 0.1}, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	var f trainers.Family
	var err error
	shown, block := s.batch, 16
	switch s.name {
	case "wgan-gp":
		o := trainers.DefaultGANOptions()
		o.Arch, o.Resolution, o.Batch, o.Term, o.ChannelsLast = "resnet", s.size, s.batch, term, s.channelsLast
		o = o.Resolve()
		o.GenWidth, o.CriticWidth = o.GenWidth/s.divisor, o.CriticWidth/s.divisor
		f, err = trainers.NewGAN(root, nil, o, s.device)
		shown, block = 5*s.batch, 10
	case "stylegan2":
		var o trainers.StyleGANOptions
		if o, err = trainers.StylePreset("auto", s.size, s.batch); err != nil {
			return err
		}
		if s.divisor > 1 {
			o.Net = models.DemoStyleConfig(s.size)
		}
		o.Term, o.ChannelsLast = term, s.channelsLast
		f, err = trainers.NewStyleGAN(root, nil, o, s.device)
	default:
		return fmt.Errorf("got the case %q vs wgan-gp, stylegan2 or detector", s.name)
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	out, err := checkpoint.Create(filepath.Join(dir, "run"))
	if err != nil {
		return err
	}
	loader, err := data.NewLoader(noise(s.size, 16*s.batch), data.LoaderOptions{
		Batch: s.batch, Workers: max(1, runtime.NumCPU()-2), Transform: data.Transform{Resolution: s.size}})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	begin := time.Now()
	var last, first time.Time
	var ticks int
	var steps, firstStep int64
	var times []float64
	err = trainers.Run(ctx, f, trainers.RunOptions{
		Kimg: 1e6, TickKimg: float64(shown*block) / 1000, SnapKimg: 1e6, Grid: 1, Loader: loader, Out: out, Device: s.device,
		Precision: s.precision, CUDAGraphs: s.graphs, Console: &monitor.Console{W: os.Stderr, Quiet: true},
		OnTick: func(t monitor.Tick) {
			now := time.Now()
			// The first tick is after one step, the next two have what is slow once: recording, too.
			if ticks++; ticks > 3 {
				times = append(times, 1e3*now.Sub(last).Seconds()/float64(t.Step-steps))
			} else {
				first, firstStep = now, t.Step
			}
			last, steps = now, t.Step
			if len(times) >= 3 && now.Sub(first).Seconds() > s.seconds || ticks > 3 && now.Sub(begin).Seconds() > 6*s.seconds+60 {
				r.Values = map[string]float64{}
				for _, v := range t.Values {
					r.Values[v.Name] = v.Value
				}
				stop()
			}
		}})
	if len(times) == 0 {
		return err
	}
	r.Step = median(times)
	r.Images, r.Steps, r.WarmUp = float64(shown)/r.Step*1e3, steps-firstStep, first.Sub(begin).Seconds()
	return s.memory(r)
}

func (s *setup) memory(r *result) error {
	if !s.device.IsCUDA() {
		return nil
	}
	u, err := cuda.Memory(s.device)
	r.Allocated, r.Reserved = float64(u.PeakAllocated)/(1<<20), float64(u.PeakReserved)/(1<<20)
	if v := r.Values[monitor.GPUPeak]; v > r.Allocated {
		r.Allocated = v // the loop begins its peak anew at each tick
	}
	return err
}

// fold writes the network of a detector as GPUs compute it, for peer.py to profile.
func fold(from, to string, dtype torch.DType) error {
	return torch.Scoped(func(s *torch.Scope) error {
		m, err := jit.Load(s, from, torch.CPU)
		if err != nil {
			return err
		}
		params, err := m.Parameters(s)
		if err != nil {
			return err
		}
		buffers, err := m.Buffers(s)
		if err != nil {
			return err
		}
		a, tensors, ok := network.Recognise(append(params, buffers...))
		if !ok {
			return fmt.Errorf("%s: not a network of TIGAS", from)
		}
		if dtype == torch.DefaultDType {
			dtype = torch.Float32
		}
		half, err := network.NewFolded(s, a, tensors, dtype)
		if err != nil {
			return err
		}
		return half.Save(to)
	})
}

func median(l []float64) float64 {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[len(l)/2]
}

// noise is a set of pictures of random colours in memory, drawn before the clock starts.
func noise(size, n int) data.Dataset {
	rng := rand.New(rand.NewPCG(1, 2))
	k := kept{}
	for range n {
		img := image.NewRGBA(image.Rect(0, 0, size, size))
		for i := range img.Pix {
			img.Pix[i] = uint8(rng.Uint32()) | uint8(color.Opaque.A*uint16(i%4/3)>>8)
		}
		k.images = append(k.images, img)
	}
	return k
}

type kept struct{ images []image.Image }

func (k kept) Name() string                     { return "noise" }
func (k kept) Len() int                         { return len(k.images) }
func (k kept) Image(i int) (image.Image, error) { return k.images[i], nil }
