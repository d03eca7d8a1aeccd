package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A flag's value comes from the first of these that has one: the command line, the environment, the file of --config, the run
// that --resume names, presets, its default. The first three are settled here, before the command runs; a value from any of
// them counts as given for everything after it.

// Origins that are not the command line have a word before the name of the file or variable.
const (
	originFile        = "file "
	originEnvironment = "environment "
	sourceKey         = "source" // annotation of a flag: the line of the file, or the variable
)

// variablePrefix begins the variables that stand for flags. Those of the tests are none.
const (
	variablePrefix = "TIGAS_TRAIN_"
	testVariables  = variablePrefix + "TEST_"
)

// givenOrigin tells whether a value was asked for, on the command line, in a file or by a variable.
func givenOrigin(origin string) bool {
	return origin == originGiven || strings.HasPrefix(origin, originFile) || strings.HasPrefix(origin, originEnvironment)
}

// givenNow tells whether this call has a flag, in whichever way; a value of the run that is continued is none.
func givenNow(f *pflag.Flag) bool {
	return f.Changed && (f.Annotations[originKey] == nil || f.Annotations[sourceKey] != nil)
}

// variable is the environment variable that stands for a flag.
func variable(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// settle gives flags that the command line leaves alone the values of the environment and of the file of --config.
func settle(cmd *cobra.Command, _ []string) error {
	if strings.HasPrefix(cmd.Name(), cobra.ShellCompRequestCmd) {
		return nil // completion shows no values, and no errors
	}
	err := settleFlags(cmd)
	warnOfVariables(cmd) // in the format that they ask for
	return err
}

func settleFlags(cmd *cobra.Command) error {
	f := cmd.Flags()
	if err := apply(cmd, variables(cmd)); err != nil {
		return err
	}
	file := f.Lookup("config")
	if file == nil || file.Value.String() == "" {
		return nil
	}
	l, err := readConfigFile(cmd, file.Value.String())
	if err != nil {
		return err
	}
	return apply(cmd, l)
}

// variables are the settings of a command in the environment. An empty variable is none.
func variables(cmd *cobra.Command) (l []setting) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		if value := os.Getenv(name); value != "" && f.Name != "help" && !slices.Contains(showFlags, f.Name) {
			l = append(l, setting{flag: f.Name, values: []string{value}, at: name, origin: originEnvironment + name})
		}
	})
	return l
}

// apply sets flags that nothing of a higher rank has set. Of flags that exclude each other the higher rank has its way too.
func apply(cmd *cobra.Command, l []setting) error {
	f := cmd.Flags()
	run := resumed(f, l)
	l = slices.DeleteFunc(l, func(s setting) bool { return f.Lookup(s.flag).Changed || replaced(f, s.flag) || ofNewRun(s.flag, run) })
	for _, s := range l {
		flag := f.Lookup(s.flag)
		if _, many := flag.Value.(pflag.SliceValue); !many {
			s.values = []string{strings.Join(s.values, ",")}
		} else if len(s.values) == 0 {
			return usagef("%s: --%s: got an empty list vs one value at least", s.at, s.flag)
		}
		for _, value := range s.values {
			if isNumber(flag) && oddNumber.MatchString(value) {
				return usagef("%s: --%s: got %q vs a decimal number, without zeros in front and without underscores", s.at, s.flag, value).
					withHint("see tigas-train %s --help", commandName(cmd))
			}
			if err := f.Set(s.flag, value); err != nil {
				return usagef("%s: %s", s.at, flagError(err)).withHint("see tigas-train %s --help", commandName(cmd))
			}
		}
		annotate(flag, s.origin)
		flag.Annotations[sourceKey] = []string{s.at}
	}
	return nil
}

// oddNumber matches numbers that Go reads in another way than YAML, JSON or people: 010, 0x10, 0b11, 1_000, alone or in a list.
var oddNumber = regexp.MustCompile(`(^|,)\s*[+-]?(0[0-9xXoObB]|\.?[0-9][^,]*_)`)

func isNumber(f *pflag.Flag) bool {
	return slices.Contains([]string{"int", "int64", "float64", "float64Slice"}, f.Value.Type())
}

// resumed is what --resume names, with the settings that are about to be applied; "" for nothing.
func resumed(f *pflag.FlagSet, l []setting) string {
	if resume := f.Lookup("resume"); resume != nil && resume.Changed {
		return resume.Value.String()
	}
	for _, s := range l {
		if s.flag == "resume" {
			return s.values[0]
		}
	}
	return ""
}

// ofNewRun tells whether a flag is for a new run, where the command goes on with one that it names: a file or variable that is
// there for every call must not be in the way.
func ofNewRun(flag, resume string) bool {
	switch flag {
	case "out":
		return resume != "" && resume != "auto" && resume != "latest"
	case "transfer":
		return resume != "" && resume != "auto"
	}
	return false
}

// warnOfVariables names variables that look like flags and are none of any command.
func warnOfVariables(cmd *cobra.Command) {
	known := []string{}
	everyCommand(cmd.Root(), func(c *cobra.Command) { known = append(known, flagNames(c.Flags())...) })
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		flag, ok := strings.CutPrefix(name, variablePrefix)
		flag = strings.ToLower(strings.ReplaceAll(flag, "_", "-"))
		if !ok || value == "" || strings.HasPrefix(name, testVariables) || slices.Contains(known, flag) && variable(flag) == name {
			continue
		}
		text := name + " is the name of no flag"
		if near := closest(flag, known); near != "" {
			text += ": did you mean " + variable(near) + "?"
		}
		consoleOf(cmd).Warn("%s", text)
	}
}

var flagWord = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)

// blame says where the values that an error complains about come from, "" for the command line: run.yaml:3: or a variable.
func blame(cmd *cobra.Command, err error) string {
	switch exitCode(err) {
	case exitUsage, exitData, exitMemory, exitSnapshot:
	default:
		return ""
	}
	text := err.Error()
	named := map[string]bool{}
	for _, m := range flagWord.FindAllStringSubmatch(text, -1) {
		named[m[1]] = true
	}
	// Packages that know no flags say got "lsgan", or got resolution 48; of paths they say what is wrong.
	says := func(value string) bool {
		got, err := regexp.MatchString(`\bgot (the )?([a-z]+ )?"?`+regexp.QuoteMeta(value)+`"?( |:|$)`, text)
		return value != "" && (got && err == nil || strings.ContainsAny(value, "/.") && len(value) > 3 && strings.Contains(text, value))
	}
	var at []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		source := f.Annotations[sourceKey]
		if source == nil || strings.HasPrefix(text, source[0]+":") {
			return
		}
		if named[f.Name] || len(named) == 0 && says(f.Value.String()) {
			at = append(at, source[0])
		}
	})
	if at == nil {
		return ""
	}
	return fmt.Sprintf("%s: ", strings.Join(at, ", "))
}
