package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// dataFlags are the flags that say what to train on.
type dataFlags struct {
	Data       string `json:"data"`
	Resolution int    `json:"resolution"`
	Crop       string `json:"crop"`
	Mirror     bool   `json:"mirror"`
	Workers    int    `json:"workers"`
}

func (d *dataFlags) register(f *pflag.FlagSet, resolutions string) {
	f.StringVar(&d.Data, "data", "demo", "folder of pictures, .zip of pictures, CIFAR-10 binary, MNIST IDX, or demo")
	f.IntVar(&d.Resolution, "resolution", 32, "height and width of the images: "+resolutions)
	f.StringVar(&d.Crop, "crop", string(data.CropCenter), "center: scale and take the middle; random: a random square of the picture's own pixels")
	f.BoolVar(&d.Mirror, "mirror", false, "mirror half of the images")
	f.IntVar(&d.Workers, "workers", 0, "decoding goroutines (default one for each core, at most 8)")
}

func (d dataFlags) demo() bool { return d.Data == "demo" }

// open returns the loader and its set.
func (d dataFlags) open(batch int, seed int64) (*data.Loader, data.Dataset, error) {
	crop, err := data.ParseCrop(d.Crop)
	if err != nil {
		return nil, nil, &hinted{code: exitUsage, err: err}
	}
	if d.Resolution < 1 || d.Resolution > 4096 {
		return nil, nil, usagef("--resolution: got %d vs 1 to 4096", d.Resolution)
	}
	if batch < 1 || batch > 1<<16 {
		return nil, nil, usagef("--batch: got %d vs 1 to 65536", batch)
	}
	// The loader has four batches of bytes; the device a good deal more, of which it says so itself. Go ends the process.
	if need, have := int64(batch)*12*int64(d.Resolution)*int64(d.Resolution), memoryTotal(); have > 0 && need > have/2 {
		return nil, nil, (&hinted{code: exitMemory, err: fmt.Errorf("--batch %d, --resolution %d: the pictures of four batches take %.1f GB, and this machine has %.1f",
			batch, d.Resolution, float64(need)/1e9, float64(have)/1e9)}).withHint("lower --batch or --resolution")
	}
	if d.Workers < 0 {
		return nil, nil, usagef("--workers: got %d vs a positive number", d.Workers)
	}
	set, err := data.Open(d.Data, d.Resolution)
	if err != nil {
		return nil, nil, coded(exitData, err)
	}
	l, err := data.NewLoader(set, data.LoaderOptions{Batch: batch, Seed: uint64(seed), Workers: d.Workers,
		Transform: data.Transform{Resolution: d.Resolution, Crop: crop, Mirror: d.Mirror}})
	return l, set, coded(exitData, err)
}

// systemFlags are the flags about the machine.
type systemFlags struct {
	Device        string
	Threads       int
	Deterministic bool
	consoleFlags
}

// consoleFlags are the flags about what is said on standard error.
type consoleFlags struct {
	Quiet  bool
	Format logFormat
}

func (c *consoleFlags) register(f *pflag.FlagSet) {
	c.Format = "text"
	f.BoolVarP(&c.Quiet, "quiet", "q", false, "print warnings only")
	f.Var(&c.Format, "log-format", "of standard error: text, or json with an object a line")
}

// logFormat is text or json.
type logFormat string

func (l *logFormat) String() string { return string(*l) }

func (l *logFormat) Type() string { return "string" }

func (l *logFormat) Set(v string) error {
	if v != "text" && v != "json" {
		return fmt.Errorf("got %q vs text or json", v)
	}
	*l = logFormat(v)
	return nil
}

// consoleOf is the console of a command as its flags have it.
func consoleOf(cmd *cobra.Command) *monitor.Console {
	var c consoleFlags
	if l := cmd.Flags().Lookup("log-format"); l != nil {
		c.Format = logFormat(l.Value.String())
	}
	return c.console(cmd.ErrOrStderr())
}

// console is live on a terminal, unless the terminal is dumb or a CI system is looking. NO_COLOR is that of no-color.org.
func (c consoleFlags) console(w io.Writer) *monitor.Console {
	to := &monitor.Console{W: w, Quiet: c.Quiet, JSON: c.Format == "json"}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("CI") == "" {
		to.Live, to.Color = true, os.Getenv("NO_COLOR") == ""
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			to.Width = width
		}
	}
	return to
}

func (s *systemFlags) register(f *pflag.FlagSet) { s.registerMachine(f, true) }

// registerMachine leaves --device out for commands that only read and write files.
func (s *systemFlags) registerMachine(f *pflag.FlagSet, device bool) {
	s.Device = "cpu"
	if device {
		f.StringVar(&s.Device, "device", "cpu", "cpu, cuda or cuda:N")
		f.BoolVar(&s.Deterministic, "deterministic", false, "the same numbers in every run on cuda too, or an error that names "+
			"an operator of libtorch that cannot: those are in the gradients of the published and the embedded detector "+
			"(max-pooling), of --arch resnet, --tigas-scales and --tigas-augment")
	}
	f.IntVar(&s.Threads, "threads", 0, "threads for one operation (default one for each core)")
	s.consoleFlags.register(f)
}

// start checks the device and sets the number of threads, before the first operation.
func (s systemFlags) start() (torch.Device, error) {
	d, err := torch.ParseDevice(s.Device)
	if err != nil {
		return d, &hinted{code: exitUsage, err: err}
	}
	if err = torch.CheckVersion(); err != nil {
		return d, err
	}
	if s.Deterministic { // before CUDA starts
		if err = torch.SetDeterministic(true); err != nil {
			return d, err
		}
	}
	if err = d.Check(); err != nil {
		return d, (&hinted{code: exitUsage, err: err}).withHint("tigas-train doctor shows what this machine has")
	}
	n := s.Threads
	if n < 0 || n > 1024 {
		return d, usagef("--threads: got %d vs 1 to 1024", n)
	}
	if n == 0 {
		n = runtime.NumCPU()
	}
	torch.RetainHostMemory()
	return d, torch.SetNumThreads(n)
}

// noZero refuses 0 for flags whose absence means a default of their own.
func noZero(f *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if v := f.Lookup(name); v.Changed && v.Value.String() == "0" {
			return usagef("--%s: got 0 vs a number above 0; leave the flag out for the default", name)
		}
	}
	return nil
}

// finite refuses NaN, infinities and negative numbers.
func finite(flag string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return usagef("--%s: got %v vs a finite number of at least 0", flag, v)
	}
	return nil
}
