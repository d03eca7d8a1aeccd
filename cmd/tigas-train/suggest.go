package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// closest is the name that somebody meant with a word, "" where none is near: as a whole, or without what stands before a dash.
func closest(word string, names []string) string {
	best, least := "", 1<<30
	for _, name := range names {
		d := distance(word, name)
		if _, end, ok := strings.Cut(name, "-"); ok && distance(word, end)+1 < d {
			d = distance(word, end) + 1
		}
		if strings.HasPrefix(name, word) && len(word) >= 3 {
			d = min(d, 2)
		}
		if d < least {
			best, least = name, d
		}
	}
	if least > 1+len(word)/4 {
		return ""
	}
	return best
}

// distance is how many letters must be put in, left out, changed or swapped with the next one to make one word of another
// (Damerau and Levenshtein, without changing a pair twice).
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		now := []int{i + 1}
		for j := range len(b) {
			d := last[j]
			if a[i] != b[j] {
				d++
			}
			d = min(d, last[j+1]+1, now[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			now = append(now, d)
		}
		before, last = last, now
	}
	return last[len(b)]
}

// flagNames are the flags of a command.
func flagNames(f *pflag.FlagSet) (l []string) {
	f.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			l = append(l, f.Name)
		}
	})
	return l
}

// commandsWith are the paths of the commands that have a flag, without the name of the program.
func commandsWith(root *cobra.Command, flag string) (l []string) {
	everyCommand(root, func(c *cobra.Command) {
		if c.Flags().Lookup(flag) != nil {
			l = append(l, commandName(c))
		}
	})
	slices.Sort(l)
	return slices.Compact(l)
}

// commandName is the path of a command without the name of the program; for config show COMMAND that of the command.
func commandName(c *cobra.Command) string {
	_, name, _ := strings.Cut(c.CommandPath(), " ")
	return strings.TrimPrefix(name, "config show ")
}

// everyCommand visits a command and all below it.
func everyCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		everyCommand(sub, visit)
	}
}

// insteadOf says what was perhaps meant with a flag or key that a command has not: a name that is nearly the same, or another
// command. dashes stand before flags of the command line.
func insteadOf(cmd *cobra.Command, name, dashes string) string {
	if cmd.Flags().Lookup(name) != nil { // it was written with the dashes, or without
		return fmt.Sprintf("did you mean %s%s?", dashes, name)
	}
	l := commandsWith(cmd.Root(), name)
	if train := slices.DeleteFunc(slices.Clone(l), func(c string) bool { return !slices.Contains(trainCommands, c) }); isTraining(cmd) && len(train) > 0 {
		l = train // the others are no alternative
	}
	if len(l) > 0 {
		return fmt.Sprintf("%s%s is a flag of %s, not of %s;", dashes, name, strings.Join(l, ", "), commandName(cmd))
	}
	if near := closest(name, flagNames(cmd.Flags())); near != "" {
		return fmt.Sprintf("did you mean %s%s?", dashes, near)
	}
	return ""
}
