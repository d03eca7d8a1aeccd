package torchsave

import "bytes"

// machine runs a pickle. It knows the opcodes of protocols 2 to 5 that pickles of data consist of; none of them calls
// anything but [machine.call].
//
// Every opcode takes a time that is bounded by the bytes it has in the pickle and by what it charges.
type machine struct {
	in     []byte
	pos    int
	stack  []Value
	marks  []int   // heights of the stack
	memo   []Value // absent{} where nothing was stored
	budget int     // bytes that may still be allocated, so that a small pickle cannot ask for much memory
	stores map[string]*storage
}

type absent struct{}

// unpickle returns the value that a pickle makes. It allocates no more than budget bytes.
func unpickle(in []byte, budget int) (Value, error) {
	m := &machine{in: in, budget: budget, stores: map[string]*storage{}}
	for {
		start := m.pos
		v, done, err := m.next()
		if err != nil {
			return nil, malformed("data.pkl, byte %d: %s", start, err)
		}
		if done {
			return v, nil
		}
	}
}

// next runs one opcode, and returns the result of the pickle if that was the last one.
func (m *machine) next() (Value, bool, error) {
	op, err := m.bytes(1)
	if err != nil {
		return nil, false, err
	}
	if op[0] == '.' { // STOP
		v, err := m.pop()
		return v, true, err
	}
	return nil, false, m.step(op[0])
}

// charge accounts for n bytes, allocated or looked at once more.
func (m *machine) charge(n int) error {
	if m.budget -= n; m.budget < 0 {
		return malformed("the pickle makes more values than a checkpoint of its size has")
	}
	return nil
}

// room returns s with capacity for n more elements of so many bytes, and accounts for it.
func room[T any](m *machine, s []T, n, bytes int) ([]T, error) {
	if cap(s)-len(s) >= n {
		return s, nil
	}
	c := max(2*cap(s), len(s)+n)
	if err := m.charge(c * bytes); err != nil {
		return s, err
	}
	grown := make([]T, len(s), c)
	copy(grown, s)
	return grown, nil
}

func (m *machine) bytes(n uint64) ([]byte, error) {
	if left := uint64(len(m.in) - m.pos); n > left {
		return nil, malformed("the pickle ends early: want %d more bytes, got %d", n, left)
	}
	b := m.in[m.pos : m.pos+int(n)]
	m.pos += int(n)
	return b, nil
}

// uint reads a little-endian number of 1, 2, 4 or 8 bytes.
func (m *machine) uint(size uint64) (uint64, error) {
	b, err := m.bytes(size)
	if err != nil {
		return 0, err
	}
	v := uint64(0)
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v, nil
}

// counted reads a length of so many bytes and what it announces.
func (m *machine) counted(size uint64) ([]byte, error) {
	n, err := m.uint(size)
	if err != nil {
		return nil, err
	}
	return m.bytes(n)
}

// maxName is the length of a name of a class or a storage that nobody reaches.
const maxName = 500

// line reads a name that ends with its line.
func (m *machine) line() (string, error) {
	rest := m.in[m.pos:]
	i := bytes.IndexByte(rest[:min(len(rest), maxName+1)], '\n')
	if i < 0 {
		return "", malformed("a name without an end")
	}
	m.pos += i + 1
	return string(rest[:i]), m.charge(i)
}

func (m *machine) push(v Value) error {
	s, err := room(m, m.stack, 1, 16)
	if err == nil {
		m.stack = append(s, v)
	}
	return err
}

// made pushes a new value of about n bytes.
func (m *machine) made(v Value, n int) error {
	if err := m.charge(n); err != nil {
		return err
	}
	return m.push(v)
}

// floor is the height that pops must not go below: what lies under a mark belongs to another value.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) pop() (Value, error) {
	l, err := m.popped(1)
	if err != nil {
		return nil, err
	}
	return l[0], nil
}

// popped takes the topmost n values. They are good until the next push.
func (m *machine) popped(n int) ([]Value, error) {
	i := len(m.stack) - n
	if i < m.floor() {
		return nil, malformed("the pickle takes a value that is not there")
	}
	l := m.stack[i:]
	m.stack = m.stack[:i]
	return l, nil
}

func (m *machine) top() (Value, error) {
	if len(m.stack) <= m.floor() {
		return nil, malformed("the pickle takes a value that is not there")
	}
	return m.stack[len(m.stack)-1], nil
}

// popMark takes the values above the last mark. They are good until the next push.
func (m *machine) popMark() ([]Value, error) {
	if len(m.marks) == 0 {
		return nil, malformed("the pickle ends a list that did not begin")
	}
	n := len(m.stack) - m.floor()
	l, err := m.popped(n)
	m.marks = m.marks[:len(m.marks)-1]
	return l, err
}
