package main

import (
	"fmt"

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
		if l.Name != "help" {
			out[l.Name] = v
		}
	})
	return out
}
