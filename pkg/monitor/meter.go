package monitor

import (
	"math"
	"sync"
)

// Meter collects named values over a tick. The zero value is empty and ready. Its methods may be called from several
// goroutines.
//
// A NaN or an infinity is not left out: it shows in the mean, because a tick with one bad step is a bad tick.
type Meter struct {
	mu    sync.Mutex
	stats []Stat
	index map[string]int
}

// Stat summarises the values that one name had during a tick.
type Stat struct {
	Name  string
	Count int64 // how many values; at least 1
	Mean  float64
	Min   float64
	Max   float64
	Last  float64
	sum   float64
}

// Add adds a value. Names keep the order in which they first came up in the life of the Meter, so that columns do not
// change places when a term is computed only now and then.
func (m *Meter) Add(name string, value float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.index[name]
	if !ok {
		if m.index == nil {
			m.index = map[string]int{}
		}
		i = len(m.stats)
		m.index[name] = i
		m.stats = append(m.stats, Stat{Name: name})
	}
	s := &m.stats[i]
	if s.Count == 0 {
		s.Min, s.Max = value, value
	}
	s.Count++
	s.sum += value
	s.Mean = s.sum / float64(s.Count)
	s.Min, s.Max = math.Min(s.Min, value), math.Max(s.Max, value)
	s.Last = value
}

// Get returns the summary of one name, and whether it had a value since the last Reset.
func (m *Meter) Get(name string) (Stat, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.index[name]
	if !ok || m.stats[i].Count == 0 {
		return Stat{}, false
	}
	return m.stats[i], true
}

// Stats returns the summaries of all names that had a value since the last Reset.
func (m *Meter) Stats() []Stat {
	m.mu.Lock()
	defer m.mu.Unlock()
	var stats []Stat
	for _, s := range m.stats {
		if s.Count > 0 {
			stats = append(stats, s)
		}
	}
	return stats
}

// Means returns the means of all names that had a value since the last Reset, as the Values of a [Tick].
func (m *Meter) Means() []Value {
	var means []Value
	for _, s := range m.Stats() {
		means = append(means, Value{s.Name, s.Mean})
	}
	return means
}

// Reset forgets all values, for the next tick. It keeps the order of the names.
func (m *Meter) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.stats {
		m.stats[i] = Stat{Name: m.stats[i].Name}
	}
}
