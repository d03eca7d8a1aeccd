package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

const (
	plainWidth = 100 // of help that goes into a file or a pipe
	mostWidth  = 120 // longer lines are hard to read
	flagColumn = 34  // where the texts of flags begin at most
)

// textWidth is how wide help may be: the terminal, or COLUMNS where somebody has exported it.
func textWidth(w io.Writer) int {
	width, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if f, ok := w.(*os.File); ok && err != nil {
		width, _, err = term.GetSize(int(f.Fd()))
	}
	if err != nil || width <= 0 {
		return plainWidth
	}
	return min(max(width, 40), mostWidth)
}

// commandHelp prints the help of a command: what it does, how it is called, examples, then the flags by group.
func commandHelp(w io.Writer, cmd *cobra.Command) {
	width := textWidth(w)
	var b strings.Builder
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	b.WriteString(reflow(strings.TrimSpace(about), width))
	b.WriteString("\n\nUsage:\n" + usageLine(cmd))
	if cmd.Example != "" {
		b.WriteString("\nExamples:\n")
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			b.WriteString(breakCommand(line, width) + "\n")
		}
	}
	for _, g := range commandGroups(cmd) {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		for _, c := range g.commands {
			row(&b, "  "+c.Name(), c.Short, 16, width)
		}
	}
	for _, g := range groupsOf(cmd) {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		for _, f := range g.flags {
			row(&b, flagLeft(cmd, f), flagText(f), column(cmd), width)
		}
	}
	if !cmd.HasParent() {
		b.WriteString("\nExit codes:\n")
		for _, e := range exitCodeRows() {
			row(&b, "  "+e[0], e[1], 12, width)
		}
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help says more about a command.\n", cmd.CommandPath())
	}
	fmt.Fprint(w, b.String())
}

// exitCodeRows are the exit codes with their meanings.
func exitCodeRows() (l [][2]string) {
	for line := range strings.SplitSeq(exitCodes, "\n") {
		line = strings.TrimSpace(line)
		i := strings.IndexFunc(line, unicode.IsLetter)
		l = append(l, [2]string{strings.TrimSpace(line[:i]), line[i:]})
	}
	return l
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		if strings.Contains(cmd.Use, " ") {
			return "  " + cmd.CommandPath() + strings.TrimPrefix(cmd.Use, cmd.Name()) + "\n"
		}
		return "  " + cmd.CommandPath() + " COMMAND\n"
	}
	return "  " + strings.Replace(cmd.UseLine(), "[flags]", "[FLAGS]", 1) + "\n"
}

// commandGroup is a titled part of a command's subcommands.
type commandGroup struct {
	title    string
	commands []*cobra.Command
}

// commandGroups are the subcommands by group, in the order in which they were added.
func commandGroups(cmd *cobra.Command) (l []commandGroup) {
	groups := append(cmd.Groups(), &cobra.Group{Title: "Commands"})
	for _, g := range groups {
		part := commandGroup{title: g.Title}
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() && c.GroupID == g.ID {
				part.commands = append(part.commands, c)
			}
		}
		if part.commands != nil {
			l = append(l, part)
		}
	}
	return l
}

// flagLeft is the left column of a flag's help.
func flagLeft(cmd *cobra.Command, f *pflag.Flag) string {
	left := "      --" + f.Name
	if f.Shorthand != "" {
		left = "  -" + f.Shorthand + ", --" + f.Name
	}
	value := metavar(cmd, f)
	switch {
	case value == "":
		return left
	case f.NoOptDefVal != "":
		return left + "[=" + value + "]"
	}
	return left + " " + value
}

// flagText is the right column.
func flagText(f *pflag.Flag) string {
	text := usage(f)
	if d := shownDefault(f); isSwitch(f) && d == "true" {
		text += " (default true; --" + f.Name + "=false: not)"
	} else if d != "" {
		text += " (default " + d + ")"
	}
	return text
}

// column is where the texts of a command's flags begin: behind the longest left column that is not too long.
func column(cmd *cobra.Command) (at int) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if n := utf8.RuneCountInString(flagLeft(cmd, f)) + 2; n <= flagColumn && !f.Hidden {
			at = max(at, n)
		}
	})
	return at
}

// row writes two columns. A left one that is too long has a line of its own.
func row(b *strings.Builder, left, text string, column, width int) {
	lines := strings.Split(wrap(text, width-column), "\n")
	if n := utf8.RuneCountInString(left); n+2 > column {
		b.WriteString(left + "\n")
		left = ""
	}
	for _, line := range lines {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s%s", column, left, line), " ") + "\n")
		left = ""
	}
}

// reflow wraps the paragraphs of a text anew. Lines that begin with a space stay as they are.
func reflow(text string, width int) string {
	var out, paragraph []string
	end := func() {
		if paragraph != nil {
			out = append(out, wrap(strings.Join(paragraph, " "), width))
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			end()
			out = append(out, line)
		} else {
			paragraph = append(paragraph, line)
		}
	}
	end()
	return strings.Join(out, "\n")
}

// wrap breaks a text between words.
func wrap(text string, width int) string {
	var b strings.Builder
	n := 0
	for _, word := range unbroken(strings.Fields(text)) {
		l := utf8.RuneCountInString(word)
		switch {
		case n == 0:
		case n+1+l > width:
			b.WriteString("\n")
			n = 0
		default:
			b.WriteString(" ")
			n++
		}
		b.WriteString(word)
		n += l
	}
	return b.String()
}

// unbroken keeps a flag and a number after it together, as in --kimg 100, and a default and its word.
func unbroken(words []string) (out []string) {
	for _, w := range words {
		n := len(out)
		if n > 0 && (out[n-1] == "(default" && strings.HasSuffix(w, ")") ||
			strings.HasPrefix(out[n-1], "--") && !strings.ContainsAny(out[n-1], " ,:;)") && w[0] >= '0' && w[0] <= '9') {
			out[n-1] += " " + w
			continue
		}
		out = append(out, w)
	}
	return out
}

// breakCommand breaks the line of an example before its flags, as a shell reads it.
func breakCommand(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	command, comment, _ := strings.Cut(line, "   #")
	if comment != "" && utf8.RuneCountInString(strings.TrimRight(command, " ")) <= width {
		indent := command[:len(command)-len(strings.TrimLeft(command, " "))]
		return indent + "#" + comment + "\n" + strings.TrimRight(command, " ")
	}
	var b strings.Builder
	n := 0
	for i, part := range strings.Split(command, " --") {
		if i > 0 {
			part = " --" + part
		}
		l := utf8.RuneCountInString(part)
		if n > 0 && n+l+2 > width {
			b.WriteString(" \\\n     ")
			n = 5
		}
		b.WriteString(part)
		n += l
	}
	return b.String()
}
