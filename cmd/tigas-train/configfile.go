package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
)

// mostConfig is the size of a configuration file, a hundred times what all flags with their texts take.
const mostConfig = 1 << 20

// notInFile says why flags cannot stand in a configuration file.
var notInFile = map[string]string{
	"config":   "a file names no other file",
	"dry-run":  "the same file is for the run",
	"help":     "it is no setting",
	"resume":   "the same file is for the run and for going on with it",
	"transfer": "the same file is for the run and for going on with it",
}

// setting is the value of a flag from a configuration file or the environment.
type setting struct {
	flag   string
	values []string // one, or those of a list
	list   bool
	at     string // run.yaml:3, or the variable
	origin string // as config.json has it
}

// readConfigFile reads the settings of a command from a file: YAML, or the config.json of a run, which stands for the flags
// that this run was given.
func readConfigFile(cmd *cobra.Command, path string) ([]setting, error) {
	text, err := readSmall(path)
	if err != nil {
		e := usagef("--config: %s", err)
		if strings.Contains(err.Error(), "not a regular file") {
			return nil, e.withHint("a .yaml file, or the config.json of a run folder; tigas-train config init %s makes one", commandName(cmd))
		}
		return nil, e.withHint("tigas-train config init %s > %s makes one", commandName(cmd), path)
	}
	l, err := parseConfigFile(cmd, path, text)
	var h *hinted
	if err != nil && !errors.As(err, &h) {
		err = usagef("%s", err).withHint("see tigas-train %s --help, and docs/config.md", commandName(cmd))
	}
	return l, err
}

// readSmall reads a regular file that is not larger than a configuration is.
func readSmall(path string) ([]byte, error) {
	f, err := atomicfile.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostConfig+1))
	if err == nil && len(text) > mostConfig {
		err = fmt.Errorf("%s: got more than 1 MB vs a configuration of some kilobytes", path)
	}
	return text, err
}

// parseConfigFile reads the text of a configuration file.
func parseConfigFile(cmd *cobra.Command, path string, text []byte) ([]setting, error) {
	var run runConfig
	if json.Valid(text) && run.parse(text) == nil && run.Flags != nil {
		return runSettings(cmd, path, run)
	}
	top, err := parseYAML(path, text)
	if err != nil || top == nil {
		return nil, err
	}
	var l []setting
	first := map[string]int{} // line
	for i := 0; i < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		at := fmt.Sprintf("%s:%d", path, key.Line)
		if key.Kind != yaml.ScalarNode || key.Anchor != "" {
			return nil, fmt.Errorf("%s: got %s as a key vs the name of a flag", at, kindOf(key))
		}
		name := strings.ReplaceAll(key.Value, "_", "-")
		if line, twice := first[name]; twice {
			return nil, fmt.Errorf("%s: %s is there twice, first in line %d", at, key.Value, line)
		}
		first[name] = key.Line
		if name == "command" {
			if got := notOne(value); got != "" {
				return nil, fmt.Errorf("%s: command: got %s vs one word, as in command: %s", at, got, commandName(cmd))
			}
			if err := forCommand(cmd, at, value.Value); err != nil {
				return nil, err
			}
			continue
		}
		if err := knownKey(cmd, at, key.Value, name); err != nil {
			return nil, err
		}
		s := setting{flag: name, at: at, origin: originFile + path}
		if err := s.read(cmd, value); err != nil {
			return nil, err
		}
		l = append(l, s)
	}
	return l, nil
}

// runSettings are the flags that a run was given, whose config.json this is. Of networks in TorchScript they name the copies in
// its folder, which are what it was given, whatever has become of the files that these were made of.
func runSettings(cmd *cobra.Command, path string, run runConfig) (l []setting, err error) {
	if err = forCommand(cmd, path, run.Command); err != nil {
		return nil, err
	}
	names := []string{}
	for name, v := range run.Flags {
		if givenOrigin(v.Origin) && !slices.Contains(notRestored, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if err = knownKey(cmd, path, name, name); err != nil {
			return nil, err
		}
		value := run.Flags[name].Value
		if copied := run.Networks.copyOf(name, filepath.Dir(path)); copied != "" {
			value = copied
		}
		l = append(l, setting{flag: name, values: []string{value}, at: path, origin: originFile + path})
	}
	return l, nil
}

// copyOf is the file in a run folder of a network that a flag named, "" where there is none.
func (s *networks) copyOf(flag, dir string) string {
	if s == nil || !filepath.IsLocal(s.Files[flag].File) {
		return ""
	}
	path := filepath.Join(dir, s.Files[flag].File)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// parseYAML returns the keys and values of a document, nil for an empty one.
func parseYAML(path string, text []byte) (*yaml.Node, error) {
	syntax := func(err error) error {
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			return fmt.Errorf("%s:%s: it is no YAML: %s", path, m[1], err.Error()[len(m[0]):])
		}
		return fmt.Errorf("%s: it is no YAML: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntax(err)
	}
	if err := d.Decode(&more); err == nil {
		return nil, fmt.Errorf("%s:%d: got a second document vs one", path, more.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, syntax(err)
	}
	top := doc.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return nil, nil
	}
	if top.Kind != yaml.MappingNode || top.Anchor != "" {
		return nil, fmt.Errorf("%s:%d: got %s vs lines such as kimg: 200", path, top.Line, kindOf(top))
	}
	return top, nil
}

// forCommand refuses a file that is for another command.
func forCommand(cmd *cobra.Command, at, command string) error {
	if command == commandName(cmd) {
		return nil
	}
	e := usagef("%s: got a configuration of the command %q vs %s", at, command, commandName(cmd))
	if of, rest, err := cmd.Root().Find(strings.Fields(command)); err != nil || len(rest) > 0 || of.Flags().Lookup("config") == nil {
		return e.withHint("command: %s, or no such line", commandName(cmd))
	}
	return e.withHint("tigas-train %s --config takes it, if that is what it was written for", command)
}

// knownKey refuses a key that is no flag of the command, or none for a file.
func knownKey(cmd *cobra.Command, at, key, name string) error {
	if why, ok := notInFile[name]; ok {
		return fmt.Errorf("%s: %s stands on the command line: %s", at, key, why)
	}
	if cmd.Flags().Lookup(name) != nil && !slices.Contains(showFlags, name) {
		return nil
	}
	e := usagef("%s: unknown key %q", at, key)
	if instead := insteadOf(cmd, strings.TrimLeft(name, "-"), ""); instead != "" {
		return e.withHint("%s see tigas-train %s --help", instead, commandName(cmd))
	}
	return e.withHint("keys are the flags of tigas-train %s without their dashes: see --help", commandName(cmd))
}

// read takes the value of a key: one, or several where the flag is a list.
func (s *setting) read(cmd *cobra.Command, value *yaml.Node) error {
	f := cmd.Flags().Lookup(s.flag)
	want := "one value"
	if isList(cmd, f) {
		want = "a list of values"
	}
	scalar := func(n *yaml.Node) error {
		if got := notOne(n); got == nothing {
			return fmt.Errorf("%s: %s: got nothing vs %s; leave the line out for the default", s.at, s.flag, want)
		} else if got != "" {
			return fmt.Errorf("%s: %s: got %s vs %s", s.at, s.flag, got, want)
		}
		s.values = append(s.values, n.Value)
		return nil
	}
	if value.Kind != yaml.SequenceNode || value.Anchor != "" {
		return scalar(value)
	}
	if !isList(cmd, f) {
		return fmt.Errorf("%s: %s: got %s vs %s", s.at, s.flag, kindOf(value), want)
	}
	s.list = true
	for _, n := range value.Content {
		if err := scalar(n); err != nil {
			return err
		}
	}
	return nil
}

const nothing = "nothing"

// notOne is what a node is in place of one value, in words, "" for one value.
func notOne(n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0:
		return kindOf(n)
	case n.Tag == "!!null":
		return nothing
	}
	return ""
}

// kindOf is what a node is, in words.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "":
		return "an anchor or alias"
	case n.Style&yaml.TaggedStyle != 0:
		return "the tag " + n.Tag
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%.40q", n.Value)
}
