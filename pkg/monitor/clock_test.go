package monitor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// queue is a device: work that is queued takes its time there, and the host is told when the test says so.
type queue struct {
	t       *testing.T
	queued  time.Duration // when what was queued by now is done, on the device
	device  time.Duration // how far it is
	at      map[int]time.Duration
	numbers int
	waits   int
	asked   int
	most    int // marks that were kept at a time
}

func newQueue(t *testing.T) (*queue, *Phases) {
	q := &queue{t: t, at: map[int]time.Duration{}}
	p := &Phases{}
	p.UseClock(q)
	return q, p
}

func (q *queue) work(sec int) { q.queued += time.Duration(sec) * time.Second }

func (q *queue) Mark() int {
	q.numbers++
	q.at[q.numbers] = q.queued
	q.most = max(q.most, len(q.at))
	return q.numbers
}

func (q *queue) Passed(m int) bool {
	q.asked++
	return q.time(m) <= q.device
}

func (q *queue) Between(a, b int) time.Duration {
	if q.time(b) > q.device {
		q.waits++
		q.device = q.time(b)
	}
	return q.time(b) - q.time(a)
}

func (q *queue) Free(m int) {
	q.time(m)
	delete(q.at, m)
}

func (q *queue) time(m int) time.Duration {
	at, ok := q.at[m]
	require.True(q.t, ok, "mark %d is used after it was given back", m)
	return at
}

// The time of the device counts for the phase in which the work was queued, the host's does not, and nothing is asked between
// two calls of Take.
func TestPhasesByAClock(t *testing.T) {
	q, p := newQueue(t)
	for range 2 {
		step := p.Begin("other")
		q.work(1)
		d := p.Begin("D")
		q.work(10)
		data := p.Begin("data")
		q.work(100) // the device idles
		data()
		q.work(20)
		d()
		q.work(2)
		step()
		q.work(1000) // belongs to nobody
	}
	require.Zero(t, q.asked+q.waits)
	want := []Spent{{"other", 6 * time.Second}, {"D", 60 * time.Second}, {"data", 200 * time.Second}}
	require.Equal(t, want, p.Total())
	require.Equal(t, want, p.Take())
	require.Empty(t, p.Take())
	require.Len(t, q.at, 1, "the last mark is where the next stretch begins")

	// A phase that a panic leaves ends with the one around it, or when the panic passes through its end.
	func() {
		defer func() { require.NotNil(t, recover()) }()
		defer p.Begin("other")()
		lost := p.Begin("D")
		defer lost()
		p.Begin("G")
		q.work(5)
		panic("planted")
	}()
	q.work(1000)
	p.Begin("net")()
	q.work(7)
	require.Equal(t, []Spent{{"other", 0}, {"D", 0}, {"G", 5 * time.Second}, {"net", 0}}, p.Take())
	require.Empty(t, p.stack)
	require.Len(t, q.at, 1)
}

// In a pause nothing is noted and nothing asked; phases begin and end all the same, and its time is that of the phase around it.
func TestPhasesPause(t *testing.T) {
	q, p := newQueue(t)
	at := time.Unix(0, 0)
	host := &Phases{now: func() time.Time { return at }}
	work := func(sec int) {
		q.work(sec)
		at = at.Add(time.Duration(sec) * time.Second)
	}
	for _, p := range []*Phases{p, host} {
		p.Resume() // of no pause
		step := p.Begin("other")
		work(1)
		g := p.Begin("G")
		work(10)
		p.Pause()
		n := q.numbers
		p.Pause()
		p.Begin("tigas")()
		lost := p.Begin("optimizer")
		work(100)
		p.Resume()
		if p != host {
			require.Empty(t, p.Take(), "what is pending is not asked for")
		}
		g()
		lost()
		d := p.Begin("D")
		work(20)
		require.Equal(t, n, q.numbers)
		require.Zero(t, q.asked+q.waits)
		p.Resume()
		work(2)
		d()
		work(3)
		step()
		require.Equal(t, []Spent{{"other", 4 * time.Second}, {"G", 130 * time.Second}, {"D", 2 * time.Second}}, p.Take())
		require.Empty(t, p.stack)
		q.waits, q.asked = 0, 0
	}
}

// Marks that have passed are counted when there are many, without a wait; the host waits only when there are very many.
func TestPhasesFold(t *testing.T) {
	q, p := newQueue(t)
	begin := func(n int) {
		for range n {
			end := p.Begin("D")
			q.work(1)
			end()
		}
	}
	begin(manyMarks/2 - 1) // UseClock noted one mark too
	require.Zero(t, q.asked)
	q.device = 100 * time.Second
	begin(10)
	require.Positive(t, q.asked)
	require.Zero(t, q.waits)
	require.InDelta(t, manyMarks+20-200, len(p.marks.waiting), 3)
	q.device = time.Hour
	begin(manyMarks / 4)
	require.Less(t, len(p.marks.waiting), manyMarks/4)
	require.Zero(t, q.waits)

	q.device = q.queued
	begin(3 * mostMarks / 4)
	require.Positive(t, q.waits)
	require.InDelta(t, mostMarks, q.most, 3)
	n := time.Duration(manyMarks/2 - 1 + 10 + manyMarks/4 + 3*mostMarks/4)
	require.Equal(t, []Spent{{"D", n * time.Second}}, p.Take())
	require.Len(t, q.at, 1)
}

// A moment of another queue may come before the one that was noted earlier: no time counts twice.
func TestPhasesOfTwoQueues(t *testing.T) {
	q, p := newQueue(t)
	step := p.Begin("other")
	q.work(10)
	side := p.Begin("data")
	q.work(-7)
	side()
	q.work(12)
	step()
	require.Equal(t, []Spent{{"other", 15 * time.Second}, {"data", 0}}, p.Take())
	require.Len(t, q.at, 1)
}

// A clock that fails is exchanged for the host's in the middle of a phase, and gets all of its marks back.
func TestPhasesChangeTheirClock(t *testing.T) {
	q, p := newQueue(t)
	step := p.Begin("other")
	q.work(10)
	at := time.Unix(0, 0)
	p.now = func() time.Time { return at }
	p.UseClock(nil)
	require.Empty(t, q.at)
	at = at.Add(5 * time.Second)
	p.UseClock(q)
	q.work(1)
	step()
	require.Equal(t, []Spent{{"other", 16 * time.Second}}, p.Take())
}

func BenchmarkPhases(b *testing.B) {
	var p Phases
	defer p.Begin("other")()
	for b.Loop() {
		p.Begin("D")()
	}
}
