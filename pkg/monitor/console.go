package monitor

import (
	"io"
	"strings"
	"sync"
	"time"
)

// Console writes the progress of a run for people. On a terminal it keeps one live line at the bottom and rewrites it
// in place. Elsewhere, as in a log file, it writes one plain line per tick and no control codes at all.
//
// Set the fields before the first call. The methods may be called from several goroutines.
type Console struct {
	W        io.Writer     // where to write; nil discards everything
	Terminal bool          // W is a terminal that understands ANSI control codes
	Width    int           // columns of the terminal; 0 means 80. [Console.SetWidth] changes it later
	NoColor  bool          // no colours, as NO_COLOR asks for; the live line needs none
	History  bool          // on a terminal, also leave the plain line of each tick above the live line
	Refresh  time.Duration // [Console.Live] rewrites the line at most this often, by the Elapsed of its ticks

	mu      sync.Mutex
	live    string        // the live line on the screen; "" if there is none
	liveAt  time.Duration // Elapsed of the tick it shows
	hasLive bool          // liveAt is set
}

const (
	clearLine = "\r\x1b[K" // to the left margin, erase to the end
	yellow    = "\x1b[33m"
	bold      = "\x1b[1m"
	plain     = "\x1b[0m"
)

// Tick reports the end of a tick: on a terminal the live line shows it, elsewhere a plain line. It returns the
// writer's error.
func (c *Console) Tick(t Tick) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.Terminal {
		return c.write(tickLine(t) + "\n")
	}
	above := ""
	if c.History {
		above = tickLine(t) + "\n"
	}
	c.setLive(t)
	return c.write(clearLine + above + c.live)
}

// Live shows the state between two ticks on the live line. Without a terminal it does nothing, and so it does when the
// line was rewritten less than Refresh ago.
func (c *Console) Live(t Tick) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := t.Elapsed - c.liveAt
	if !c.Terminal || c.hasLive && since >= 0 && since < c.Refresh {
		return nil
	}
	c.setLive(t)
	return c.write(clearLine + c.live)
}

// Print writes a message on lines of its own. The live line stays below it.
func (c *Console) Print(message string) error { return c.message("", "", message) }

// Warn writes a warning on a line of its own, with "warning: " in front. The live line stays below it.
func (c *Console) Warn(message string) error { return c.message("warning: ", yellow, message) }

// Heading is Print with emphasis where the terminal can show it.
func (c *Console) Heading(message string) error { return c.message("", bold, message) }

// Done ends the live line, so that what is written next starts on a new line. A later Tick begins another.
func (c *Console) Done() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live == "" {
		return nil
	}
	c.live, c.hasLive = "", false
	return c.write("\n")
}

// SetWidth tells the columns of the terminal after its size has changed; it takes effect with the next line.
func (c *Console) SetWidth(columns int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Width = columns
}

func (c *Console) message(prefix, color, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = printable(strings.ReplaceAll(lines[i], "\t", "    "))
	}
	text = prefix + strings.Join(lines, "\n")
	if c.Terminal && !c.NoColor && color != "" {
		text = color + text + plain
	}
	if c.live != "" {
		return c.write(clearLine + text + "\n" + c.live)
	}
	return c.write(text + "\n")
}

func (c *Console) setLive(t Tick) {
	width := c.Width
	if width <= 0 {
		width = 80
	}
	// One column less: a character in the last one makes some terminals wrap.
	c.live, c.liveAt, c.hasLive = fit(liveFields(t), max(width-1, 1)), t.Elapsed, true
}

// write writes in one call, so that the lines of other programs cannot come between.
func (c *Console) write(s string) error {
	if c.W == nil {
		return nil
	}
	_, err := io.WriteString(c.W, s)
	return err
}
