package monitor

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Console writes ticks and messages for a person. On a terminal there is one live line, rewritten in place; elsewhere each
// tick is a line of its own. It is safe for concurrent use.
type Console struct {
	W     io.Writer
	Live  bool // W is a terminal that understands carriage return and "erase to end of line"
	Width int  // of the terminal, in characters; 0: 80
	Quiet bool // only warnings

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
	if !c.Live {
		fmt.Fprintln(c.W, t.line())
		return
	}
	fmt.Fprintf(c.W, "\r%s\x1b[K", c.cut(t.live()))
	c.shown = true
}

// Message writes a line above the live line.
func (c *Console) Message(format string, args ...any) {
	if !c.Quiet {
		c.print(fmt.Sprintf(format, args...))
	}
}

// Warn writes a warning, also when the console is quiet.
func (c *Console) Warn(format string, args ...any) {
	c.print("warning: " + fmt.Sprintf(format, args...))
}

// Done ends the live line, so that what follows stands on a line of its own.
func (c *Console) Done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown {
		fmt.Fprintln(c.W)
		c.shown = false
	}
}

func (c *Console) print(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown {
		fmt.Fprint(c.W, "\r\x1b[K")
		c.shown = false
	}
	fmt.Fprintln(c.W, Printable(text))
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

// cut keeps the live line on one row: a line that wraps cannot be rewritten.
func (c *Console) cut(line string) string {
	width := c.Width
	if width == 0 {
		width = 80
	}
	if utf8.RuneCountInString(line) < width {
		return line
	}
	return string([]rune(line)[:width-1])
}

// line is the tick in the manner of stylegan2-ada: fixed columns that can be searched for, then the values by name.
func (t Tick) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tick %-4d kimg %-7.1f step %-6d time %-8s img/s %-7.1f", t.N, t.Kimg, t.Step, Duration(t.Elapsed), t.Rate)
	t.values(&b, func(Value) bool { return true })
	fmt.Fprintf(&b, " eta %s", Duration(t.ETA))
	return b.String()
}

// live is the tick for a line that is cut at the terminal's edge: what one looks for first comes first.
func (t Tick) live() string {
	var b strings.Builder
	fmt.Fprintf(&b, "kimg %.1f/%g  step %d  %.0f img/s  eta %s ", t.Kimg, t.Total, t.Step, t.Rate, Duration(t.ETA))
	t.values(&b, func(v Value) bool { return v.Name == "score" })
	t.values(&b, func(v Value) bool { return v.Name != "score" })
	return b.String()
}

// values appends those that want is true for.
func (t Tick) values(b *strings.Builder, want func(Value) bool) {
	for _, v := range t.Values {
		if onlyLogged(v.Name) || !want(v) {
			continue
		}
		if a := math.Abs(v.Value); a >= 1e6 || a > 0 && a < 1e-3 {
			fmt.Fprintf(b, " %s %.3g", v.Name, v.Value)
		} else {
			fmt.Fprintf(b, " %s %.3f", v.Name, v.Value)
		}
	}
}

// onlyLogged tells which values would push the rest off the line: learning rates, norms and times are looked at in the report.
func onlyLogged(name string) bool {
	switch QuantityOf(name).Panel {
	case PanelRate, PanelGradient, PanelTime:
		return true
	}
	switch name {
	case "tigas_weight", "tigas_grad_ratio", "epoch_score", "epoch_done":
		return true
	}
	return false
}
