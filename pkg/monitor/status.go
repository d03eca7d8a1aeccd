package monitor

import (
	"fmt"
	"time"
)

// Status shows what goes on in the live line. Where the output is no terminal, a line of its own every so often, so that a
// log shows that something moves: after ten seconds, and then every thirty.
func (c *Console) Status(format string, args ...any) {
	if c.Quiet {
		return
	}
	text := fmt.Sprintf(format, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Live && !c.JSON {
		fmt.Fprintf(c.W, "\r%s\x1b[K", c.cut(Printable(text)))
		c.shown = true
		return
	}
	switch now := time.Now(); {
	case c.nextStatus.IsZero():
		c.nextStatus = now.Add(10 * time.Second)
	case now.After(c.nextStatus):
		c.nextStatus = now.Add(30 * time.Second)
		c.line(info, Printable(text))
	}
}
