package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

func newConfigInit() *cobra.Command {
	var names []string
	for _, c := range configurable() {
		names = append(names, c.Name())
	}
	names = append(names, "detector train")
	return &cobra.Command{
		Use:   "init COMMAND",
		Short: "Print a configuration file with every flag of a command, its text and its default",
		Long: `Print a configuration file for --config, on standard output: every flag of a command by group, with
what it means and its default. All are comments: what you take the # away from counts.`,
		Example: `  tigas-train config init gan > run.yaml
  tigas-train config init detector train > detector.yaml`,
		Args: func(cmd *cobra.Command, args []string) error {
			name := strings.Join(args, " ")
			for _, n := range names {
				if n == name {
					return nil
				}
			}
			e := usagef("%s: got %q vs %s", cmd.CommandPath(), name, strings.Join(names, ", "))
			if near := closest(name, names); near != "" {
				return e.withHint("did you mean %s?", near)
			}
			return e
		},
		ValidArgs: names[:len(names)-1],
		RunE: func(cmd *cobra.Command, args []string) error {
			of, _, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), template(of))
			return coded(exitOutput, err)
		},
	}
}

// template is a configuration file in which everything is a comment.
func template(cmd *cobra.Command) string {
	var b strings.Builder
	name := commandName(cmd)
	fmt.Fprintf(&b, "# Settings for tigas-train %s --config FILE. Take the # away from what you set;\n"+
		"# the rest has the defaults shown. Variables such as TIGAS_TRAIN_BATCH, and flags, have precedence.\n\ncommand: %s\n", name, name)
	for _, g := range groupsOf(cmd) {
		title := g.title
		for _, f := range g.flags {
			if _, no := notInFile[f.Name]; no {
				continue
			}
			if title != "" {
				fmt.Fprintf(&b, "\n# %s\n", strings.Repeat("=", 98))
				fmt.Fprintf(&b, "# %s\n", title)
				title = ""
			}
			b.WriteString("\n")
			for line := range strings.SplitSeq(wrap(usage(f), 98), "\n") {
				fmt.Fprintf(&b, "# %s\n", line)
			}
			value := yamlScalar(f.DefValue)
			if automatic(f, f.DefValue) || f.DefValue == "" || f.DefValue == "[]" {
				value = metavar(cmd, f)
			}
			fmt.Fprintf(&b, "# %s: %s\n", f.Name, value)
		}
	}
	return b.String()
}

// yamlOf is a configuration file with values: those that were given, and the others as comments, since presets and defaults
// follow what is given.
func yamlOf(cmd *cobra.Command, values map[string]flagValue) string {
	var b strings.Builder
	fmt.Fprintf(&b, "command: %s\n", commandName(cmd))
	for _, g := range valueGroups(cmd, values) {
		title := g.title
		for _, name := range g.names {
			v := values[name]
			f := cmd.Flags().Lookup(name)
			if _, no := notInFile[name]; no || f != nil && v.Origin == originDefault && (automatic(f, v.Value) || v.Value == "" || v.Value == "[]") {
				continue
			}
			if title != "" {
				fmt.Fprintf(&b, "\n# %s\n", title)
				title = ""
			}
			lines := yamlLines(f, name, v)
			if !givenOrigin(v.Origin) {
				lines = "# " + strings.ReplaceAll(lines, "\n", "\n# ")
			}
			b.WriteString(lines + "\n")
		}
	}
	return b.String()
}

// yamlLines are a key and its value, with the origin as a comment unless that is the default.
func yamlLines(f *pflag.Flag, name string, v flagValue) string {
	comment := ""
	if v.Origin != originDefault {
		comment = "  # " + oneLine(fmt.Errorf("%s", v.Origin))
	}
	if f != nil {
		if l, ok := f.Value.(pflag.SliceValue); ok {
			lines := name + ":" + comment
			for _, item := range l.GetSlice() {
				lines += "\n  - " + yamlScalar(item)
			}
			return lines
		}
	}
	return name + ": " + yamlScalar(v.Value) + comment
}

// yamlScalar is a text as YAML: as it is where it reads as itself, else in quotes.
func yamlScalar(text string) string {
	top, err := parseYAML("", []byte("k: "+text+"  # comment\n"))
	if err == nil && len(top.Content) == 2 {
		if v := top.Content[1]; v.Kind == yaml.ScalarNode && v.Value == text && v.Tag != "!!null" && v.Anchor == "" && v.Style == 0 {
			return text
		}
	}
	quoted, _ := json.Marshal(text) // of a string it cannot fail
	return string(quoted)
}
