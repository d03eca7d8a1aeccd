package trainers

import "github.com/tigas-train/tigas-train/pkg/monitor"

// Phase begins a part of the step whose time is counted by itself, until end is called: "D", "G" or "net" for passes through
// the networks. Those for data, detector and optimiser are begun by the loop, and the part around them pauses meanwhile.
func (st *Step) Phase(name string) (end func()) { return st.loop.phases.Begin(name) }

// times is how long the phases took since the last line of the log, in seconds of a step. On a GPU it waits for the last of them.
func (l *loop) times() (values []monitor.Value) {
	for _, s := range l.phases.Take() {
		values = append(values, monitor.Value{Name: monitor.PhasePrefix + s.Name, Value: s.Time.Seconds() / float64(max(1, l.steps))})
	}
	l.steps = 0
	l.checkClock()
	return values
}

// breakdown says at the end of a session where its time went.
func (l *loop) breakdown() {
	if text := monitor.Breakdown(l.phases.Total()); text != "" {
		l.o.Console.Message("time      %s", text)
	}
}
