package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// showFlags are the flags of `config show` itself, beside those of the command that it shows.
var showFlags = []string{"changed", "format"}

var formats = []string{"text", "yaml", "json"}

// showing is one call of `config show`.
type showing struct {
	changed bool
	format  string
}

// configurable are the commands that take --config.
func configurable() []*cobra.Command {
	return []*cobra.Command{newGAN(), newStyleGAN(), newVAE(), newDiffusion()}
}

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show where the values of flags come from, and write configuration files",
		Long: `A flag has its value from the first of these that names it: the command line, the environment
(TIGAS_TRAIN_BATCH for --batch), the file of --config, the run of --resume, presets (demo,
--cfg), its default. docs/config.md says more.`,
		Example: `  tigas-train config init gan > run.yaml
  tigas-train gan --config run.yaml
  tigas-train config show gan --config run.yaml --changed`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	cmd.AddCommand(newConfigShow(), newConfigInit())
	return cmd
}

func newConfigShow() *cobra.Command {
	var s showing
	cmd := &cobra.Command{
		Use:   "show (COMMAND [FLAGS] | RUN)",
		Short: "Print the value of every flag with its origin",
		Long: `Print the value of every flag of a command as a run would have it, with its origin: default,
demo, --cfg, command line, the file of --config, or a variable. For a run folder or a snapshot,
print those that the run has. Nothing is run or written. --format yaml prints a file for
--config: what was given, and everything else as comments.`,
		Example: `  tigas-train config show gan --config run.yaml --kimg 200
  tigas-train config show stylegan --cfg paper256 --changed
  tigas-train config show runs/00000-gan-demo --format yaml > again.yaml`,
		Args: oneArg("a command that trains, or a run folder or snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.validate(); err != nil {
				return err
			}
			return s.showRun(cmd, args[0])
		},
	}
	s.register(cmd.Flags())
	for _, c := range configurable() {
		cmd.AddCommand(showable(c))
	}
	detector := &cobra.Command{Use: "detector", Short: "Show the flags of detector train", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	train := showable(newDetectorTrain())
	train.RunE = func(cmd *cobra.Command, _ []string) error { return showFlagsOf(cmd) }
	detector.AddCommand(train)
	cmd.AddCommand(detector)
	return cmd
}

func (s *showing) register(f *pflag.FlagSet) {
	f.BoolVar(&s.changed, "changed", false, "leave out what has its default")
	f.StringVar(&s.format, "format", "text", "text; yaml: a file for --config; json: as in config.json")
}

func (s *showing) validate() error {
	if !slices.Contains(formats, s.format) {
		return usagef("--format: got %q vs %s", s.format, "text, yaml or json")
	}
	return nil
}

// showKey is that of a [showing] in the context of a command that shows its flags in place of running.
type showKey struct{}

// shown is what a command shows of its flags in place of running, nil for one that runs.
func shown(cmd *cobra.Command) *showing {
	s, _ := cmd.Context().Value(showKey{}).(*showing)
	return s
}

// showable makes a command show its flags: it does what it does until they have their values.
func showable(c *cobra.Command) *cobra.Command {
	s := new(showing)
	run := c.RunE
	name, _, _ := strings.Cut(c.Use, " ")
	c.Use, c.Short, c.Long = name, "Show the flags of "+name, ""
	c.Example = fmt.Sprintf("  tigas-train config show %s --changed", name)
	if name == "train" {
		c.Short, c.Example = "Show the flags of detector train", "  tigas-train config show detector train --changed"
	}
	s.register(c.Flags())
	c.PreRunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SetContext(context.WithValue(cmd.Context(), showKey{}, s))
		return s.validate()
	}
	c.RunE = run
	return c
}

// showFlagsOf shows the flags of a command as they are.
func showFlagsOf(cmd *cobra.Command) error {
	return shown(cmd).print(cmd.OutOrStdout(), cmd, flagValues(cmd.Flags()))
}

// showRun shows the flags of a run.
func (s *showing) showRun(cmd *cobra.Command, path string) error {
	c, err := configOfRun(path)
	if err != nil {
		return err
	}
	of, _, err := cmd.Root().Find(strings.Fields(c.Command))
	if err != nil || c.Flags == nil {
		return (&hinted{code: exitSnapshot, err: fmt.Errorf("%s: its configuration has no flags: got a run of %q", path, c.Command)}).
			withHint("it takes runs of %s", strings.Join(trainCommands, ", "))
	}
	return s.print(cmd.OutOrStdout(), of, c.Flags)
}

// configOfRun is the configuration of a run folder or a snapshot.
func configOfRun(path string) (c runConfig, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return c, (&hinted{code: exitSnapshot, err: err}).withHint("config show takes a run folder, a snapshot, or one of the commands %s",
			strings.Join(trainCommands, ", "))
	}
	if !info.IsDir() {
		c, err = configIn(path)
		return c, coded(exitSnapshot, err)
	}
	run, err := checkpoint.Open(path)
	if err == nil {
		err = run.ReadConfig(&c)
	}
	return c, coded(exitSnapshot, err)
}

// print writes values by group, in the format that is asked for.
func (s *showing) print(w io.Writer, cmd *cobra.Command, values map[string]flagValue) error {
	if s.changed {
		values = filter(values, func(v flagValue) bool { return v.Origin != originDefault })
	}
	var err error
	switch s.format {
	case "json":
		var text []byte
		if text, err = json.MarshalIndent(runConfig{Command: commandName(cmd), Flags: values}.flagsOnly(), "", "  "); err == nil {
			_, err = fmt.Fprintf(w, "%s\n", text)
		}
	case "yaml":
		_, err = io.WriteString(w, yamlOf(cmd, values))
	default:
		err = printTable(w, cmd, values)
	}
	return coded(exitOutput, err)
}

// flagsOnly is what of a configuration does not come from running.
func (c runConfig) flagsOnly() any {
	return struct {
		Command string               `json:"command"`
		Flags   map[string]flagValue `json:"flags"`
	}{c.Command, c.Flags}
}

func filter(values map[string]flagValue, keep func(flagValue) bool) map[string]flagValue {
	out := map[string]flagValue{}
	for name, v := range values {
		if keep(v) {
			out[name] = v
		}
	}
	return out
}

// valueGroup is a titled part of the values of a command's flags.
type valueGroup struct {
	title string
	names []string
}

// valueGroups puts values into the groups of the command's help. What it has no flag for any more comes last.
func valueGroups(cmd *cobra.Command, values map[string]flagValue) (l []valueGroup) {
	seen := map[string]bool{}
	for _, g := range groupsOf(cmd) {
		part := valueGroup{title: g.title}
		for _, f := range g.flags {
			if _, ok := values[f.Name]; ok {
				part.names = append(part.names, f.Name)
				seen[f.Name] = true
			}
		}
		if part.names != nil {
			l = append(l, part)
		}
	}
	rest := valueGroup{title: "Flags of another version"}
	for name := range values {
		if !seen[name] {
			rest.names = append(rest.names, name)
		}
	}
	if slices.Sort(rest.names); rest.names != nil {
		l = append(l, rest)
	}
	return l
}

// printTable writes columns that are aligned over all groups, unless a value is very long.
func printTable(w io.Writer, cmd *cobra.Command, values map[string]flagValue) error {
	const most = 32
	groups := valueGroups(cmd, values)
	names, texts := 0, 0
	text := func(name string) string {
		v := values[name]
		if f := cmd.Flags().Lookup(name); v.Origin == originDefault && f != nil && automatic(f, v.Value) {
			return "(auto)"
		}
		return monitor.Printable(orEmpty(v.Value))
	}
	for _, g := range groups {
		for _, name := range g.names {
			names = max(names, len(name))
			if n := utf8.RuneCountInString(text(name)); n <= most {
				texts = max(texts, n)
			}
		}
	}
	var b strings.Builder
	for i, g := range groups {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s:\n", g.title)
		for _, name := range g.names {
			fmt.Fprintf(&b, "  --%-*s  %-*s  %s\n", names, name, texts, text(name), monitor.Printable(values[name].Origin))
		}
	}
	if len(values) == 0 {
		b.WriteString("every flag has its default\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
