package trainers

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/sched"
)

// Prefixes of tensors in a snapshot beside those of the networks.
const (
	optimizerPrefix = "optimizer." // optimizer.G.3.exp_avg: state of the fourth parameter of the optimiser G
	loopPrefix      = "loop."      // random number generators, and loop.scaler.G.scale: state of the gradient scaler of G
)

// IsWeight tells whether a tensor of a snapshot, by its name, belongs to a network: those are all that is needed to draw
// pictures, a quarter of the file.
func IsWeight(name string) bool {
	return !strings.HasPrefix(name, optimizerPrefix) && !strings.HasPrefix(name, loopPrefix)
}

// state is where a run is, besides its tensors.
type state struct {
	sched.Progress
	Tick         int              `json:"tick"`
	NextTick     float64          `json:"next_tick"` // kimg
	NextPictures float64          `json:"next_pictures"`
	NextSnapshot float64          `json:"next_snapshot"`
	Draw         bool             `json:"draw"` // pictures are due at this moment
	Loader       data.State       `json:"loader"`
	Pictures     int              `json:"pictures"`  // in the data set
	Skipped      map[string]int   `json:"skipped"`   // updates left out in a row, by network
	LastSkip     int64            `json:"last_skip"` // step of the latest one
	LeftOut      int64            `json:"left_out"`  // updates left out in the whole run
	Rollbacks    int              `json:"rollbacks"`
	Names        []string         `json:"names"` // of reported values, in the order of the log
	Means        map[string]*mean `json:"means"`
	Epochs       epochs           `json:"epochs"`
	Measure      *float64         `json:"measure,omitempty"`
	MeasureOf    string           `json:"measure_of,omitempty"` // its name with the sign that it was taken with
	Augment      []byte           `json:"augment,omitempty"`    // random numbers of the term's augmentation
	ElapsedSec   float64          `json:"elapsed_sec"`
	LogBytes     int64            `json:"log_bytes"`
}

const (
	stateKey  = "state"
	formatKey = "format"
	format    = "tigas-train 2"
)

// save writes a snapshot, and drops old ones. It does not write one that is not finite: the one before it stays the newest.
func (l *loop) save() error {
	defer l.phases.Begin("snapshot")()
	if name, err := l.notFinite(); err != nil {
		return err
	} else if name != "" {
		return fmt.Errorf("%w: %s is not finite", ErrDiverged, name)
	}
	l.stats.flush()
	var err error
	if l.s.LogBytes, err = l.log.Sync(); err != nil {
		return output(err)
	}
	l.s.MeasureOf = l.o.Best
	l.s.Loader, l.s.Pictures = l.position(), l.o.Loader.Len()
	l.s.Names, l.s.Means, l.s.Epochs = l.stats.names, l.stats.means, l.stats.epochs
	if a := l.f.TIGAS().Options.Augment; a != nil {
		if l.s.Augment, err = a.MarshalBinary(); err != nil {
			return fmt.Errorf("trainers: snapshot: %w", err)
		}
	}
	s := l.s
	s.ElapsedSec += l.rate.Since(time.Now()).Seconds()
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("trainers: snapshot: %w", err)
	}
	return l.scope.Scoped(func(scope *torch.Scope) error {
		generators, err := l.generators(scope)
		if err != nil {
			return err
		}
		tensors := func(yield func(string, *torch.Tensor) bool) {
			for _, part := range []iter.Seq2[string, *torch.Tensor]{l.f.Tensors(), l.optimizers(), ordered(generators), l.scalerStates()} {
				for name, t := range part {
					if !yield(name, t) {
						return
					}
				}
			}
		}
		at := checkpoint.Snapshot{Step: l.s.Step, Images: l.s.Images, Measure: l.s.Measure, MeasureOf: l.o.Best, Doubtful: l.doubtful() || l.broken}
		err = output(l.o.Out.Save(at, tensors, map[string]string{
			formatKey: format, stateKey: string(text), "config": l.o.Config,
		}, l.o.Keep))
		if err == nil {
			l.saved = s.Step
		}
		return err
	})
}

// notFinite returns the name of a tensor of the networks that is not finite, "" when all are. The device is waited for once.
// Constants that were not finite when the loop began, such as a mask of an attention, are meant so.
func (l *loop) notFinite() (bad string, err error) {
	all, err := l.infinite(func(name string, _ *torch.Tensor) bool { return !l.constants[name] })
	if len(all) > 0 {
		bad = all[0]
	}
	return bad, err
}

// noteConstants notes the buffers that are not finite.
func (l *loop) noteConstants() error {
	all, err := l.infinite(func(_ string, t *torch.Tensor) bool { return !t.IsGradRequired() })
	l.constants = map[string]bool{}
	for _, name := range all {
		l.constants[name] = true
	}
	return err
}

// infinite are the names of the tensors that are not finite, of those that are asked for.
func (l *loop) infinite(of func(name string, t *torch.Tensor) bool) (bad []string, err error) {
	err = l.scope.Scoped(func(s *torch.Scope) error {
		var names []string
		var all []*torch.Tensor
		for name, t := range l.f.Tensors() {
			if t.DType().IsFloat() && of(name, t) {
				torch.NoGrad(func() { all = append(all, s.Use(t).IsFinite().All()) })
				names = append(names, name)
			}
		}
		if len(all) == 0 {
			return nil
		}
		for i, ok := range torch.Slice[bool](torch.Stack(all, 0)) {
			if !ok {
				bad = append(bad, names[i])
			}
		}
		return nil
	})
	return bad, err
}

func ordered(m map[string]*torch.Tensor) iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

// optimizers is the state of all optimisers.
func (l *loop) optimizers() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		for _, o := range l.f.Optimizers() {
			for name, t := range o.State() {
				if !yield(optimizerPrefix+o.Name+"."+name, t) {
					return
				}
			}
		}
	}
}

// generators are the states of everything that random numbers come from: those of the run, and libtorch's default ones,
// which dropout takes.
func (l *loop) generators(s *torch.Scope) (map[string]*torch.Tensor, error) {
	out := map[string]*torch.Tensor{}
	var err error
	add := func(name string, t *torch.Tensor, e error) {
		err = errors.Join(err, e)
		out[loopPrefix+name] = t
	}
	t, e := l.noise.State(s)
	add("noise", t, e)
	t, e = l.choice.State(s)
	add("choice", t, e)
	t, e = s.RNGState(torch.CPU)
	add("default", t, e)
	if l.o.Device != torch.CPU {
		t, e = s.RNGState(l.o.Device)
		add("default_device", t, e)
	}
	return out, err
}

// load continues from a snapshot: everything is as it was when that was written.
func (l *loop) load(path string) error {
	return l.scope.Scoped(func(scope *torch.Scope) error {
		tensors, meta, err := checkpoint.LoadSome(scope, path, l.o.Device, func(name string) bool { return !strings.HasPrefix(name, loopPrefix) })
		if err != nil {
			return err
		}
		generators, _, err := checkpoint.LoadSome(scope, path, torch.CPU, func(name string) bool { return strings.HasPrefix(name, loopPrefix) })
		if err != nil {
			return err
		}
		bad := func(err error) error { return fmt.Errorf("trainers: %s: %w: %w", path, ErrMismatch, err) }
		if meta[formatKey] != format {
			return bad(fmt.Errorf("got the format %q vs %q", meta[formatKey], format))
		}
		s, err := parseState([]byte(meta[stateKey]))
		if err != nil {
			return bad(err)
		}
		weights, states := map[string]*torch.Tensor{}, map[string]map[string]*torch.Tensor{}
		for name, t := range tensors {
			rest, ok := strings.CutPrefix(name, optimizerPrefix)
			if !ok {
				weights[name] = t
				continue
			}
			net, slot, _ := strings.Cut(rest, ".")
			if states[net] == nil {
				states[net] = map[string]*torch.Tensor{}
			}
			states[net][slot] = t
		}
		if _, err := copyWeights(l.f, weights, true); err != nil {
			return bad(err)
		}
		for _, o := range l.f.Optimizers() {
			if err := o.LoadState(states[o.Name]); err != nil {
				return bad(fmt.Errorf("optimiser %s: %w", o.Name, err))
			}
			delete(states, o.Name)
		}
		for name := range states {
			return bad(fmt.Errorf("got an optimiser %s that the run has not", name))
		}
		if err := l.setGenerators(generators); err != nil {
			return bad(err)
		}
		if err := l.loadScalers(generators); err != nil {
			return bad(err)
		}
		if a := l.f.TIGAS().Options.Augment; a != nil && s.Augment != nil {
			if err := a.UnmarshalBinary(s.Augment); err != nil {
				return bad(fmt.Errorf("augmentation: %w", err))
			}
		}
		l.s, l.saved = s, s.Step
		if l.s.MeasureOf != l.o.Best {
			l.s.Measure = nil
		}
		// The distances may be shorter than they were.
		l.s.NextTick = min(s.NextTick, l.kimg()+l.o.TickKimg)
		l.s.NextPictures = min(s.NextPictures, after(l.o.SnapKimg, l.kimg()))
		l.s.NextSnapshot = min(s.NextSnapshot, after(l.o.SaveKimg, l.kimg()))
		l.stats.restore(s.Names, s.Means, epochAt(s.Epoch), s.Epochs)
		l.o.Loader.Restore(s.Loader)
		return nil
	})
}

// parseState reads a state, and refuses one that no run can be in.
func parseState(data []byte) (s state, err error) {
	if err := json.Unmarshal(data, &s); err != nil {
		return s, err
	}
	return s, s.validate()
}

func (s *state) validate() error {
	for _, v := range []float64{s.NextTick, s.NextPictures, s.NextSnapshot, s.ElapsedSec, s.Epoch} {
		if v < 0 {
			return fmt.Errorf("got %v in the state vs numbers from 0", v)
		}
	}
	const most = 1 << 53
	if max(s.Step, s.Images, s.Loader.Position, s.LogBytes, s.LeftOut) > most || s.Step < 0 || s.LeftOut < 0 || s.Images < 0 || s.Tick < 0 || s.Loader.Position < 0 || s.LogBytes < 0 || s.Rollbacks < 0 || s.Rollbacks > maxRollbacks {
		return fmt.Errorf("got a state that no run can be in")
	}
	for _, name := range s.Names {
		if s.Means[name] == nil {
			return fmt.Errorf("got no mean of %q", name)
		}
	}
	if s.Skipped == nil {
		s.Skipped = map[string]int{}
	}
	return nil
}

func (l *loop) setGenerators(saved map[string]*torch.Tensor) error {
	for name, set := range map[string]func(*torch.Tensor) error{
		"noise": l.noise.SetState, "choice": l.choice.SetState,
		"default":        func(t *torch.Tensor) error { return torch.SetRNGState(torch.CPU, t) },
		"default_device": func(t *torch.Tensor) error { return torch.SetRNGState(l.o.Device, t) },
	} {
		t := saved[loopPrefix+name]
		switch {
		case t == nil && name == "default_device":
			continue // it was on the CPU
		case t == nil:
			return fmt.Errorf("got no state of the random numbers %s", name)
		case name == "default_device" && l.o.Device == torch.CPU:
			continue
		}
		if err := set(t); err != nil && name == "noise" {
			l.o.Console.Warn("the device is of another kind than that of the snapshot: its random numbers begin anew")
		} else if err != nil {
			return fmt.Errorf("random numbers %s: %w", name, err)
		}
	}
	return nil
}
