package torchsave

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"
)

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
		marks, err := room(m, m.marks, 1, 8)
		if err == nil {
			m.marks = append(marks, len(m.stack))
		}
		return err
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
	case 'X', 0x8c, 0x8d, 'T', 'U', 'B', 'C', 0x8e, 0x96:
		return m.text(op)
	case ')', ']', 0x8f: // EMPTY_TUPLE, EMPTY_LIST, EMPTY_SET
		return m.made(&List{}, 24)
	case '}':
		return m.made(&Dict{}, 32)
	case 0x85, 0x86, 0x87: // TUPLE1 to TUPLE3
		l, err := m.popped(int(op - 0x84))
		return m.list(l, err)
	case 't', 'l', 0x91: // TUPLE, LIST, FROZENSET
		l, err := m.popMark()
		return m.list(l, err)
	case 'd': // DICT
		l, err := m.popMark()
		if err != nil {
			return err
		}
		d := &Dict{}
		if err = m.items(d, l); err != nil {
			return err
		}
		return m.made(d, 32)
	case 'a', 'e', 0x90, 's', 'u': // APPEND, APPENDS, ADDITEMS, SETITEM, SETITEMS
		return m.fill(op)
	case 'q', 'r', 0x94: // BINPUT, LONG_BINPUT, MEMOIZE
		return m.store(op)
	case 'h', 'j': // BINGET, LONG_BINGET
		return m.fetch(op)
	case 'c', 0x93, 'Q', 'R', 0x81, 0x92, 'b': // GLOBAL, STACK_GLOBAL, BINPERSID, REDUCE, NEWOBJ, NEWOBJ_EX, BUILD
		return m.object(op)
	}
	return malformed("opcode 0x%02x, which torch.save does not write", op)
}

// list pushes a new list or tuple of values that were taken from the stack.
func (m *machine) list(l []Value, err error) error {
	if err != nil {
		return err
	}
	if err = m.charge(24 + 16*len(l)); err != nil {
		return err
	}
	return m.push(&List{slices.Clone(l)})
}

// number runs BININT, BININT1, BININT2, LONG1, LONG4 and BINFLOAT.
func (m *machine) number(op byte) error {
	var v uint64
	var b []byte
	var err error
	switch op {
	case 'J':
		v, err = m.uint(4)
		v = uint64(int32(v))
	case 'K':
		v, err = m.uint(1)
	case 'M':
		v, err = m.uint(2)
	case 'G':
		if b, err = m.bytes(8); err != nil {
			return err
		}
		return m.made(math.Float64frombits(binary.BigEndian.Uint64(b)), 8)
	case 0x8a:
		b, err = m.counted(1)
	case 0x8b:
		b, err = m.counted(4)
	}
	if err != nil {
		return err
	}
	if len(b) > 8 {
		return m.made(&Opaque{Name: "an integer of more than 64 bits", made: true}, 32)
	}
	for i, c := range b { // two's complement, little endian
		v |= uint64(c) << (8 * i)
	}
	if n := len(b); n > 0 && n < 8 && b[n-1] >= 0x80 {
		v -= 1 << (8 * n)
	}
	return m.made(int64(v), 8)
}

// text runs the opcodes of strings and bytes.
func (m *machine) text(op byte) error {
	size := uint64(4) // BINUNICODE, BINSTRING, BINBYTES
	switch op {
	case 0x8c, 'U', 'C': // SHORT_BINUNICODE, SHORT_BINSTRING, SHORT_BINBYTES
		size = 1
	case 0x8d, 0x8e, 0x96: // BINUNICODE8, BINBYTES8, BYTEARRAY8
		size = 8
	}
	b, err := m.counted(size)
	if err != nil {
		return err
	}
	if err = m.charge(24 + len(b) + len(b)/8); err != nil { // sizes of allocations are up to an eighth larger
		return err
	}
	switch op {
	case 'B', 'C', 0x8e, 0x96:
		return m.push(bytes.Clone(b))
	}
	if !utf8.Valid(b) {
		return malformed("text that is not UTF-8")
	}
	return m.push(string(b))
}

// store runs the opcodes that give the top of the stack a number.
func (m *machine) store(op byte) error {
	n := uint64(len(m.memo)) // MEMOIZE
	var err error
	switch op {
	case 'q':
		n, err = m.uint(1)
	case 'r':
		n, err = m.uint(4)
	}
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	// Python counts from 0, so that gaps are rare.
	if more := int(n) + 1 - len(m.memo); more > 0 {
		if m.memo, err = room(m, m.memo, more, 16); err != nil {
			return err
		}
		for range more {
			m.memo = append(m.memo, absent{})
		}
	}
	m.memo[n] = v
	return nil
}

// fetch runs the opcodes that push what has a number.
func (m *machine) fetch(op byte) error {
	size := uint64(1)
	if op == 'j' {
		size = 4
	}
	n, err := m.uint(size)
	if err != nil {
		return err
	}
	if n < uint64(len(m.memo)) {
		if v := m.memo[n]; v != Value(absent{}) {
			return m.push(v)
		}
	}
	return malformed("the pickle fetches value %d, which it did not store", n)
}

// fill runs the opcodes that put values into a list or dict. Values for something opaque are dropped.
func (m *machine) fill(op byte) error {
	var l []Value
	var err error
	switch op {
	case 'a':
		l, err = m.popped(1)
	case 's':
		l, err = m.popped(2)
	default:
		l, err = m.popMark()
	}
	if err != nil {
		return err
	}
	into, err := m.top()
	if err != nil {
		return err
	}
	pairs := op == 's' || op == 'u'
	switch into := into.(type) {
	case *List:
		if pairs {
			return malformed("the pickle puts a key into a list")
		}
		if into.Items, err = room(m, into.Items, len(l), 16); err != nil {
			return err
		}
		into.Items = append(into.Items, l...)
	case *Dict:
		if !pairs {
			return malformed("the pickle puts a value without a key into a dict")
		}
		return m.items(into, l)
	case *Opaque:
	default:
		return malformed("the pickle fills a value that is no list or dict")
	}
	return nil
}

// items puts keys and values in turn into a dict.
func (m *machine) items(d *Dict, l []Value) error {
	if len(l)%2 != 0 {
		return malformed("the pickle puts a key without a value into a dict")
	}
	var err error
	if d.Items, err = room(m, d.Items, len(l)/2, 32); err != nil {
		return err
	}
	for i := 0; i < len(l); i += 2 {
		if err = m.set(d, l[i], l[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// set accounts for the work of [Dict.set].
func (m *machine) set(d *Dict, key, value Value) error {
	n := 0
	if s, ok := key.(string); ok {
		n = len(s) // compared or hashed each time that a pickle, with few bytes, mentions it
	}
	switch entry := 120; { // of the index
	case len(d.Items) == few:
		n += (few + 1) * entry
	case len(d.Items) > few:
		n += entry
	}
	if err := m.charge(n); err != nil {
		return err
	}
	d.set(key, value)
	return nil
}
