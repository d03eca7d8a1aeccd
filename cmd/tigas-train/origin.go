package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"
)

// flagValue is the value of a flag in the configuration of a run, and where it comes from.
type flagValue struct {
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Origins of a value besides presets, which have their own names.
const (
	originDefault = "default"
	originDemo    = "demo"
	originGiven   = "command line"
	originKey     = "origin" // of a flag's annotation
)

// annotate notes where a flag's value comes from, if not from the command line.
func annotate(l *pflag.Flag, origin string) {
	if l.Annotations == nil {
		l.Annotations = map[string][]string{}
	}
	l.Annotations[originKey] = []string{origin}
}

// preset sets flags that the command line leaves alone, given as names with values, and notes where they come from.
func preset(f *pflag.FlagSet, origin string, values ...any) {
	for i := 0; i < len(values); i += 2 {
		l := f.Lookup(values[i].(string))
		if l.Changed {
			continue
		}
		if err := l.Value.Set(fmt.Sprint(values[i+1])); err != nil {
			panic(err) // a mistake in this program
		}
		annotate(l, origin)
	}
}

// flagValues are the flags of a command line as they are used.
func flagValues(f *pflag.FlagSet) map[string]flagValue {
	out := map[string]flagValue{}
	f.VisitAll(func(l *pflag.Flag) {
		v := flagValue{l.Value.String(), originDefault}
		switch o := l.Annotations[originKey]; {
		case o != nil:
			v.Origin = o[0]
		case l.Changed:
			v.Origin = originGiven
		}
		if !slices.Contains(unrecorded, l.Name) {
			out[l.Name] = v
		}
	})
	return out
}

// notRestored are flags of one command line and not of a run.
var notRestored = []string{"resume", "transfer", "out", "quiet", "log-format", "max-time", "config", "dry-run", "help"}

// unrecorded are flags that say nothing of a run.
var unrecorded = append([]string{"config", "dry-run", "help"}, showFlags...)

// exclusive are flags of which a command line has one.
var exclusive = [][2]string{{"kimg", "steps"}}

// restoreTransfer keeps the weights that a run began with among its flags. A run that has a snapshot has them no longer to be
// told; one that begins again does so with them.
func (k *keepFlags) restoreTransfer(f *pflag.FlagSet) error {
	l := f.Lookup("transfer")
	was, ok := k.was.Flags["transfer"]
	if k.from.File == "" && (l.Changed || !ok) {
		return nil
	}
	if !ok {
		was.Origin = originDefault
	}
	annotate(l, was.Origin)
	return l.Value.Set(was.Value)
}

// restore gives flags that the command line leaves alone the values that they had in the run.
func (k *keepFlags) restore(f *pflag.FlagSet) error {
	for name, v := range k.was.Flags {
		l := f.Lookup(name)
		if l == nil || l.Changed && !k.ownCopy(l) || slices.Contains(notRestored, name) || replaced(f, name) || name == "kimg" && k.bySteps(f) {
			continue
		}
		set := l.Value.Set
		if v.Origin != originDefault {
			set = func(value string) error { return f.Set(name, value) } // as if it were given: no preset takes it away
		}
		if err := set(v.Value); err != nil {
			return coded(exitSnapshot, fmt.Errorf("%s: --%s: %w", k.run.Path(k.from), name, err))
		}
		annotate(l, v.Origin)
	}
	return nil
}

// ownCopy tells whether a flag names the copy of a network in the run's own folder, as the run's config.json does: it is the
// network that the run has.
func (k *keepFlags) ownCopy(l *pflag.Flag) bool {
	copied, err := os.Stat(k.was.Networks.copyOf(l.Name, k.run.Dir))
	if err != nil {
		return false
	}
	named, err := os.Stat(l.Value.String())
	return err == nil && os.SameFile(copied, named)
}

// bySteps tells whether the run's length was given in steps, and still is.
func (k *keepFlags) bySteps(f *pflag.FlagSet) bool {
	return f.Lookup("steps") != nil && givenOrigin(k.was.Flags["steps"].Origin) && !replaced(f, "steps")
}

// replaced tells whether this call has another flag that stands for this one.
func replaced(f *pflag.FlagSet, name string) bool {
	for _, e := range exclusive {
		for i := range e {
			if other := f.Lookup(e[1-i]); name == e[i] && other != nil && givenNow(other) {
				return true
			}
		}
	}
	return false
}

// changes lists the flags that differ from the run's, and refuses those that make it another network.
func (k *keepFlags) changes(now map[string]flagValue, fixed []string) (list []string, err error) {
	names := []string{}
	for name, v := range now {
		was, ok := k.was.Flags[name]
		if ok && was.Value != v.Value && !slices.Contains(notRestored, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		line := fmt.Sprintf("--%s %s -> %s", name, orEmpty(k.was.Flags[name].Value), orEmpty(now[name].Value))
		if slices.Contains(fixed, name) {
			what, hint := "as another network", "begin a new run"
			if name == "cfg" { // its settings are single flags of the run by now
				what, hint = "with other settings at once", "give the single ones, such as --gamma or --g-lr, or begin a new run"
			}
			return nil, &hinted{code: exitSnapshot, err: fmt.Errorf("%s cannot go on %s: %s", k.run.Dir, what, line), hint: hint}
		}
		list = append(list, line)
	}
	return list, nil
}

// surroundings lists what differs beside the flags between a run and how it goes on.
func (c runConfig) surroundings(now runConfig) (list []string) {
	if c.TIGAS.SHA256 != now.TIGAS.SHA256 {
		list = append(list, fmt.Sprintf("detector %.12s -> %.12s", c.TIGAS.SHA256, now.TIGAS.SHA256))
	}
	if c.System.Threads != now.System.Threads || c.System.Device != now.System.Device {
		list = append(list, fmt.Sprintf("%s, %d thread(s) -> %s, %d", c.System.Device, c.System.Threads, now.System.Device, now.System.Threads))
	}
	if c.Version != now.Version || c.System.LibTorch != now.System.LibTorch {
		list = append(list, fmt.Sprintf("version %s, libtorch %s -> %s, %s", c.Version, c.System.LibTorch, now.Version, now.System.LibTorch))
	}
	return list
}

// absolute is the path of a file or folder that is there, whichever folder the run is continued from; other names stay, and
// words of the flag, which mean no file even where there is one of that name.
func absolute(flag, path string) string {
	_, word := hubModel(path)
	switch word = word || path == "embedded"; flag {
	case "data":
		word = dataFlags{Data: path}.demo()
	case "transfer":
		word = false
	}
	if _, err := os.Stat(path); path == "" || word || err != nil {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func orEmpty(v string) string {
	if v == "" {
		return `""`
	}
	return v
}
