package torchsave

import (
	"bytes"
	"encoding/binary"
	"math"
)

// machine runs a pickle. It knows the opcodes of protocols 2 to 5 that pickles of data consist of; none of them calls
// anything but [machine.call].
type machine struct {
	in     []byte
	pos    int
	stack  []Value
	marks  []int // heights of the stack
	memo   map[uint32]Value
	budget int // bytes that values may still take, so that a small pickle cannot ask for much memory
	stores map[string]*storage
}

// unpickle returns the value that a pickle makes.
func unpickle(in []byte) (Value, error) {
	m := &machine{in: in, memo: map[uint32]Value{}, budget: len(in) + 24<<20, stores: map[string]*storage{}}
	for {
		start := m.pos
		op, err := m.bytes(1)
		if err != nil {
			return nil, err
		}
		if op[0] == '.' { // STOP
			return m.pop()
		}
		if err = m.step(op[0]); err != nil {
			if _, ok := err.(*formatError); ok {
				return nil, malformed("data.pkl, byte %d: %s", start, err)
			}
			return nil, err
		}
	}
}

// charge accounts for a value of about n bytes.
func (m *machine) charge(n int) error {
	if m.budget -= n; m.budget < 0 {
		return malformed("the pickle makes more values than a checkpoint of its size has")
	}
	return nil
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
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

// counted reads a length of so many bytes and what it announces.
func (m *machine) counted(size uint64) ([]byte, error) {
	n, err := m.uint(size)
	if err != nil {
		return nil, err
	}
	b, err := m.bytes(n)
	if err != nil {
		return nil, err
	}
	return b, m.charge(len(b))
}

func (m *machine) line() (string, error) {
	i := bytes.IndexByte(m.in[m.pos:], '\n')
	if i < 0 || i > 500 {
		return "", malformed("a name without an end")
	}
	s := string(m.in[m.pos : m.pos+i])
	m.pos += i + 1
	return s, m.charge(len(s))
}

func (m *machine) push(v Value) error {
	m.stack = append(m.stack, v)
	return m.charge(16)
}

// floor is the height that pops must not go below: what lies under a mark belongs to another value.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) pop() (Value, error) {
	if len(m.stack) <= m.floor() {
		return nil, malformed("the pickle takes a value that is not there")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

func (m *machine) top() (Value, error) {
	v, err := m.pop()
	if err == nil {
		m.stack = append(m.stack, v)
	}
	return v, err
}

// popMark returns the values above the last mark, in a slice that is the caller's.
func (m *machine) popMark() ([]Value, error) {
	if len(m.marks) == 0 {
		return nil, malformed("the pickle ends a list that did not begin")
	}
	i := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	l := make([]Value, len(m.stack)-i)
	copy(l, m.stack[i:])
	m.stack = m.stack[:i]
	return l, m.charge(16 * len(l))
}

// tuple replaces the topmost n values by a list of them.
func (m *machine) tuple(n int) error {
	l := &List{Items: make([]Value, n)}
	for i := n - 1; i >= 0; i-- {
		v, err := m.pop()
		if err != nil {
			return err
		}
		l.Items[i] = v
	}
	return m.made(l, 24+16*n)
}

// made pushes a new value of about n bytes.
func (m *machine) made(v Value, n int) error {
	if err := m.charge(n); err != nil {
		return err
	}
	return m.push(v)
}

// step runs one opcode.
func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := m.uint(1)
		if err == nil && v > 5 {
			err = malformed("pickle protocol %d vs at most 5", v)
		}
		return err
	case 0x95: // FRAME: a hint for reading ahead
		_, err := m.bytes(8)
		return err
	case '(': // MARK
		m.marks = append(m.marks, len(m.stack))
		return m.charge(8)
	case '0': // POP
		if len(m.marks) > 0 && len(m.stack) == m.floor() {
			m.marks = m.marks[:len(m.marks)-1]
			return nil
		}
		_, err := m.pop()
		return err
	case '1': // POP_MARK
		_, err := m.popMark()
		return err
	case '2': // DUP
		v, err := m.top()
		if err != nil {
			return err
		}
		return m.push(v)
	case 'N':
		return m.push(nil)
	case 0x88:
		return m.push(true)
	case 0x89:
		return m.push(false)
	case 'J', 'K', 'M', 0x8a, 0x8b, 'G':
		return m.number(op)
	case 'X', 0x8c, 0x8d, 'T', 'U', 'B', 'C', 0x8e:
		return m.text(op)
	case ')':
		return m.made(&List{}, 24)
	case 0x85, 0x86, 0x87: // TUPLE1 to TUPLE3
		return m.tuple(int(op - 0x84))
	case 't', 'l', 0x91: // TUPLE, LIST, FROZENSET
		l, err := m.popMark()
		if err != nil {
			return err
		}
		return m.made(&List{l}, 24)
	case ']', 0x8f: // EMPTY_LIST, EMPTY_SET
		return m.made(&List{}, 24)
	case '}':
		return m.made(&Dict{}, 48)
	case 'a', 'e', 0x90, 's', 'u', 'd': // APPEND, APPENDS, ADDITEMS, SETITEM, SETITEMS, DICT
		return m.fill(op)
	case 'q', 'r', 0x94, 'h', 'j': // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
		return m.remember(op)
	case 'c', 0x93, 'Q', 'R', 0x81, 0x92, 'b': // GLOBAL, STACK_GLOBAL, BINPERSID, REDUCE, NEWOBJ, NEWOBJ_EX, BUILD
		return m.object(op)
	}
	return malformed("opcode 0x%02x, which torch.save does not write", op)
}

// number runs BININT, BININT1, BININT2, LONG1, LONG4 and BINFLOAT.
func (m *machine) number(op byte) error {
	switch op {
	case 'J':
		v, err := m.uint(4)
		if err != nil {
			return err
		}
		return m.push(int64(int32(v)))
	case 'K', 'M':
		v, err := m.uint(map[byte]uint64{'K': 1, 'M': 2}[op])
		if err != nil {
			return err
		}
		return m.push(int64(v))
	case 'G':
		b, err := m.bytes(8)
		if err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	}
	b, err := m.counted(map[byte]uint64{0x8a: 1, 0x8b: 4}[op])
	if err != nil {
		return err
	}
	if len(b) > 8 {
		return m.push(&Opaque{Name: "an integer of more than 64 bits", made: true})
	}
	var v int64 // two's complement, little endian
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | int64(b[i])
	}
	if n := len(b); n > 0 && n < 8 && b[n-1] >= 0x80 {
		v -= 1 << (8 * n)
	}
	return m.push(v)
}

// text runs the opcodes of strings and bytes.
func (m *machine) text(op byte) error {
	b, err := m.counted(map[byte]uint64{'X': 4, 0x8c: 1, 0x8d: 8, 'T': 4, 'U': 1, 'B': 4, 'C': 1, 0x8e: 8}[op])
	if err != nil {
		return err
	}
	if op == 'B' || op == 'C' || op == 0x8e {
		return m.push(bytes.Clone(b))
	}
	return m.push(string(b))
}

// remember runs the opcodes that store the top of the stack and fetch it again.
func (m *machine) remember(op byte) error {
	var at uint64
	var err error
	switch op {
	case 'q', 'h':
		at, err = m.uint(1)
	case 'r', 'j':
		at, err = m.uint(4)
	default:
		at = uint64(len(m.memo))
	}
	if err != nil {
		return err
	}
	if op == 'h' || op == 'j' {
		v, ok := m.memo[uint32(at)]
		if !ok {
			return malformed("the pickle fetches value %d, which it did not store", at)
		}
		return m.push(v)
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	m.memo[uint32(at)] = v
	return m.charge(64)
}

// fill runs the opcodes that put values into a list or dict. Values for something opaque are dropped.
func (m *machine) fill(op byte) error {
	var l []Value
	var err error
	switch op {
	case 'a':
		l = make([]Value, 1)
		l[0], err = m.pop()
	case 's':
		l = make([]Value, 2)
		if l[1], err = m.pop(); err == nil {
			l[0], err = m.pop()
		}
	default:
		l, err = m.popMark()
	}
	if err != nil {
		return err
	}
	if op == 'd' {
		if err = m.made(&Dict{}, 48); err != nil {
			return err
		}
	}
	into, err := m.top()
	if err != nil {
		return err
	}
	if err = m.charge(64 * len(l)); err != nil {
		return err
	}
	list := op == 'a' || op == 'e' || op == 0x90
	switch into := into.(type) {
	case *List:
		if !list {
			return malformed("the pickle puts a key into a list")
		}
		into.Items = append(into.Items, l...)
	case *Dict:
		if list || len(l)%2 != 0 {
			return malformed("the pickle puts a value without a key into a dict")
		}
		for i := 0; i < len(l); i += 2 {
			into.set(l[i], l[i+1])
		}
	case *Opaque:
	default:
		return malformed("the pickle fills a %T", into)
	}
	return nil
}
