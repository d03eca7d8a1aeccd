package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
)

func newMan() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "man",
		Short: "Write manual pages",
		Long: `Write a manual page for each command into a folder. The pages have no date unless
SOURCE_DATE_EPOCH has one, so that the same program writes the same pages.`,
		Example: `  tigas-train man --out ~/.local/share/man/man1
  man tigas-train-gan`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			date, err := sourceDate()
			if err != nil {
				return err
			}
			if err = os.MkdirAll(out, 0o755); err != nil {
				return coded(exitOutput, err)
			}
			everyCommand(cmd.Root(), func(c *cobra.Command) {
				if err != nil || !hasPage(c) {
					return
				}
				path := filepath.Join(out, pageName(c)+".1")
				err = atomicfile.Write(path, func(f *os.File) error {
					_, err := f.Write(manualPage(c, date))
					return err
				})
				if err != nil {
					err = coded(exitOutput, fmt.Errorf("%s: %w", path, err))
					return
				}
				fmt.Fprintln(cmd.OutOrStdout(), path)
			})
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "man", "folder to write to; pages that are there are replaced")
	return cmd
}

// sourceDate is the day of SOURCE_DATE_EPOCH (reproducible-builds.org), "" without it.
func sourceDate() (string, error) {
	v := os.Getenv("SOURCE_DATE_EPOCH")
	if v == "" {
		return "", nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return "", usagef("SOURCE_DATE_EPOCH: got %q vs a whole number of seconds", v)
	}
	return time.Unix(n, 0).UTC().Format(time.DateOnly), nil
}

// hasPage tells whether a command has a page of its own.
func hasPage(c *cobra.Command) bool {
	return c.IsAvailableCommand() && !strings.HasPrefix(c.CommandPath(), "tigas-train config show ") &&
		!strings.HasPrefix(c.CommandPath(), "tigas-train completion ")
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manualPage is a page in roff, in the language of man(7).
func manualPage(c *cobra.Command, date string) []byte {
	c.InitDefaultHelpFlag() // of cobra's own commands
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 1 \"%s\" \"tigas-train %s\" \"tigas-train manual\"\n", strings.ToUpper(pageName(c)), date, programVersion())
	b.WriteString(".nh\n.ad l\n") // names of flags are not broken, and gaps in lines are for tables
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(pageName(c)), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(strings.TrimSpace(usageLine(c))))
	if c.Long != "" {
		b.WriteString(".SH DESCRIPTION\n")
		roffText(&b, c.Long)
	}
	if c.Example != "" {
		b.WriteString(".SH EXAMPLES\n")
		verbatim(&b, c.Example)
	}
	if g := commandGroups(c); g != nil {
		b.WriteString(".SH COMMANDS\n")
		for _, g := range g {
			fmt.Fprintf(&b, ".SS %s\n", roff(g.title))
			for _, sub := range g.commands {
				name := sub.Name()
				if hasPage(sub) {
					name = pageName(sub) + "(1)"
				}
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(name), roff(sub.Short))
			}
		}
	}
	b.WriteString(".SH OPTIONS\n")
	for _, g := range groupsOf(c) {
		fmt.Fprintf(&b, ".SS %s\n", roff(g.title))
		for _, f := range g.flags {
			b.WriteString(".TP\n" + roffFlag(c, f) + "\n" + roff(flagText(f)) + "\n")
		}
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range exitCodeRows() {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", e[0], roff(e[1]))
	}
	b.WriteString(".SH ENVIRONMENT\n.TP\n.B TIGAS_TRAIN_*\nThe flags of every command: TIGAS_TRAIN_BATCH for \\-\\-batch. Flags have precedence.\n" +
		".TP\n.B TIGAS_CACHE_DIR\nWhere published detectors are kept.\n")
	if c.HasParent() {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roff(pageName(c.Parent())))
	}
	return b.Bytes()
}

// roffFlag is the line of a flag: its name bold, its value in italics.
func roffFlag(c *cobra.Command, f *pflag.Flag) string {
	name, value, has := strings.Cut(strings.TrimSpace(flagLeft(c, f)), " ")
	if rest, ok := strings.CutPrefix(value, "--"); has && ok { // after the short name
		long, v, _ := strings.Cut(rest, " ")
		name, value = name+" --"+long, v
	}
	line := `\fB` + roff(name) + `\fR`
	if value != "" {
		line += ` \fI` + roff(value) + `\fR`
	}
	return line
}

// roffText writes paragraphs; lines that begin with a space stay as they are.
func roffText(b *bytes.Buffer, text string) {
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(paragraph, " ") || strings.HasPrefix(paragraph, "\t") {
			verbatim(b, paragraph)
			continue
		}
		for line := range strings.SplitSeq(paragraph, "\n") {
			b.WriteString(roff(strings.TrimSpace(line)) + "\n")
		}
	}
}

// verbatim writes lines that are not filled.
func verbatim(b *bytes.Buffer, text string) {
	b.WriteString(".nf\n")
	for line := range strings.SplitSeq(text, "\n") {
		for part := range strings.SplitSeq(breakCommand(strings.TrimPrefix(line, "  "), 70), "\n") {
			b.WriteString(roff(part) + "\n")
		}
	}
	b.WriteString(".fi\n")
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`)

// roff is a text as roff reads it.
func roff(text string) string {
	var b strings.Builder
	for _, r := range roffEscapes.Replace(text) {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	text = b.String()
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
