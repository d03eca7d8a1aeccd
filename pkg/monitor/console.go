package monitor

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// Console writes ticks and messages for a person. On a terminal there is one live line, rewritten in place; elsewhere each
// tick is a line of its own. It is safe for concurrent use.
type Console struct {
	W     io.Writer
	Live  bool // W is a terminal that understands carriage return and "erase to end of line"
	Width int  // of the terminal, in characters; 0: 80
	Quiet bool // only warnings

	mu    sync.Mutex
	shown bool // a live line stands on the terminal
}

// Tick shows t.
func (c *Console) Tick(t Tick) {
	if c.Quiet {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	line := t.line()
	if !c.Live {
		fmt.Fprintln(c.W, line)
		return
	}
	fmt.Fprintf(c.W, "\r%s\x1b[K", c.cut(line))
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
	fmt.Fprintln(c.W, text)
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
	for _, v := range t.Values {
		if strings.HasPrefix(v.Name, "lr_") || strings.HasSuffix(v.Name, "_grad_norm") {
			continue // in log.jsonl; on the console they would push the rest off the line
		}
		fmt.Fprintf(&b, " %s %.3f", v.Name, v.Value)
	}
	fmt.Fprintf(&b, " eta %s", Duration(t.ETA))
	return b.String()
}
