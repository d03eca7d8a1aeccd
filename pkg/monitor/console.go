package monitor

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Console writes ticks and messages for a person. On a terminal there is one live line, rewritten in place; elsewhere each
// tick is a line of its own. It is safe for concurrent use.
//
// With JSON every line is an object: a tick as in log.jsonl, a message with "time", "level" (info, warning or problem) and
// "message".
type Console struct {
	W     io.Writer
	Live  bool // W is a terminal that understands carriage return and "erase to end of line"
	Color bool // and colours
	Width int  // of the terminal, in characters; 0: 80
	Quiet bool // only warnings
	JSON  bool // for a program; nothing is live then

	mu         sync.Mutex
	shown      bool      // a live line stands on the terminal
	nextStatus time.Time // of the next Status where there is no live line
}

// Tick shows t.
func (c *Console) Tick(t Tick) {
	if c.Quiet {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.JSON:
		_, _ = c.W.Write(t.JSON(time.Now(), true))
		return
	case !c.Live:
		fmt.Fprintln(c.W, t.line())
		return
	}
	fmt.Fprintf(c.W, "\r%s\x1b[K", c.cut(t.live(c.width())))
	c.shown = true
}

// Message writes a line above the live line.
func (c *Console) Message(format string, args ...any) {
	if !c.Quiet {
		c.print(info, fmt.Sprintf(format, args...))
	}
}

// Warn writes a warning, also when the console is quiet.
func (c *Console) Warn(format string, args ...any) { c.print(warning, fmt.Sprintf(format, args...)) }

// Problem writes what is worse than a warning, also when the console is quiet.
func (c *Console) Problem(format string, args ...any) { c.print(problem, fmt.Sprintf(format, args...)) }

// level is how much a message matters.
type level struct{ name, colour string }

var (
	info    = level{"info", ""}
	warning = level{"warning", "\x1b[33m"} // yellow
	problem = level{"problem", "\x1b[31m"} // red
)

// Done ends the live line, so that what follows stands on a line of its own.
func (c *Console) Done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown {
		fmt.Fprintln(c.W)
		c.shown = false
	}
}

func (c *Console) print(l level, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown {
		fmt.Fprint(c.W, "\r\x1b[K")
		c.shown = false
	}
	c.line(l, Printable(text))
}

// line writes a line for c's reader. The lock is held.
func (c *Console) line(l level, text string) {
	switch {
	case c.JSON:
		line, _ := json.Marshal(struct { // cannot fail: all are strings
			Time    string `json:"time"`
			Level   string `json:"level"`
			Message string `json:"message"`
		}{time.Now().UTC().Format(time.RFC3339), l.name, text})
		_, _ = c.W.Write(append(line, '\n'))
		return
	case l == info:
	case c.Color:
		text = l.colour + l.name + ":\x1b[0m " + text
	default:
		text = l.name + ": " + text
	}
	fmt.Fprintln(c.W, text)
}

// Printable puts escapes in place of control characters, so that a file's name cannot write over the terminal.
func Printable(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			fmt.Fprintf(&b, "\\x%02x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// width is how many characters the live line may have: one that wraps cannot be rewritten.
func (c *Console) width() int {
	if c.Width == 0 {
		return 80 - 1
	}
	return c.Width - 1
}

// cut keeps a text on one row.
func (c *Console) cut(line string) string {
	if w := c.width(); utf8.RuneCountInString(line) > w {
		return string([]rune(line)[:w])
	}
	return line
}

// line is the tick in the manner of stylegan2-ada: fixed columns that can be searched for, then the values by name.
func (t Tick) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tick %-4d kimg %-7.1f step %-6d time %-8s img/s %-7.1f", t.N, t.Kimg, t.Step, Duration(t.Elapsed), t.Rate)
	if peak, ok := t.Value(GPUPeak); ok {
		fmt.Fprintf(&b, " gpumem %-8s", fmt.Sprintf("%.0fMiB", peak))
	}
	for _, v := range t.Values {
		if !onlyLogged(v.Name) {
			b.WriteString(v.text())
		}
	}
	fmt.Fprintf(&b, " eta %s", Duration(t.ETA))
	return b.String()
}

// live is the tick for a line of at most so many characters: what one looks for first comes first, in the order of
// [QuantityOf], and what does not fit is left out whole.
func (t Tick) live(width int) string {
	line := fmt.Sprintf("kimg %.1f/%g  step %d  %.0f img/s  eta %s ", t.Kimg, t.Total, t.Step, t.Rate, Duration(t.ETA))
	values := slices.Clone(t.Values)
	slices.SortStableFunc(values, func(a, b Value) int { return rank(a.Name) - rank(b.Name) })
	for _, v := range values {
		if onlyLogged(v.Name) {
			continue
		}
		field := v.text()
		if utf8.RuneCountInString(line)+len(field) > width {
			break
		}
		line += field
	}
	return line
}

// text is the value behind its name and a space.
func (v Value) text() string {
	if a := math.Abs(v.Value); a >= 1e6 || a > 0 && a < 1e-3 {
		return fmt.Sprintf(" %s %.3g", v.Name, v.Value)
	}
	return fmt.Sprintf(" %s %.3f", v.Name, v.Value)
}

// onlyLogged tells which values would push the rest off the line: learning rates, norms, times and memory are looked at in the
// report.
func onlyLogged(name string) bool {
	switch QuantityOf(name).Panel {
	case PanelRate, PanelGradient, PanelTime, PanelMemory:
		return true
	}
	switch name {
	case "signs_real", "signs_fake", "tigas_weight", "tigas_grad_ratio", "epoch_score", "epoch_done":
		return true
	}
	return strings.HasPrefix(name, "scale_")
}
