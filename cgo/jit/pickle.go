package jit

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
)

// checkPickle runs a pickle of an archive without making anything of it, to see that libtorch may. libtorch's reader takes
// lengths, places in memory and on its stack, and the bounds of tensors for what they are said to be: a forged pickle makes it
// read outside of a storage, ask for 64 GB, or end the process. What it writes itself is a part of what it reads; here only
// that part passes. storage finds the record of a storage.
//
// The result is what it makes, as far as is known.
func checkPickle(in []byte, storage func(key string) *zip.File) (*item, error) {
	p := &pickle{in: in, storage: storage}
	if err := p.run(); err != nil {
		return nil, fmt.Errorf("byte %d: %w", p.at, err)
	}
	return p.stack[0], nil
}

// What no pickle of a network exceeds. libtorch frees values recursively, and visits one that is in many others many times.
const (
	maxSteps  = 4 << 20
	maxDepth  = 200
	maxWeight = 64 << 20 // items, counted as often as they are reached
	maxName   = 1000
	maxDims   = 64
)

// kind is what a value is to libtorch.
type kind uint8

const (
	other kind = iota // a list of a type, a number of two parts, an object, a device
	none
	boolean
	integer
	float
	text
	tuple
	list
	dict
	function // by its name
	dtype    // of a storage's elements; the size is its number
	scheme   // of quantisation
	storages // a storage; its number is that of its elements
	tensor
)

// item is a value on the stack.
type item struct {
	kind   kind
	held   bool // in another one: a list or dict that is may not be changed any more, so that none contains itself
	number int64
	text   string  // itself, or the name of what made it
	items  []*item // of a tuple or a list
	depth  int32
	weight int32
}

var aNone = &item{kind: none, weight: 1}

// tuple is the items of a tuple; nil of something else.
func (v *item) tuple() []*item {
	if v.kind != tuple {
		return nil
	}
	return v.items
}

// pickle is the machine. Values under a mark belong to another one and cannot be taken.
type pickle struct {
	in      []byte
	at      int // the opcode
	pos     int
	stack   []*item
	marks   []int
	memo    []*item
	steps   int
	storage func(key string) *zip.File
}

var errShort = errors.New("it ends early")

func (p *pickle) run() error {
	if len(p.in) < 2 || p.in[0] != 0x80 || p.in[1] != 2 {
		return errors.New("got no pickle of protocol 2")
	}
	p.pos = 2
	for {
		p.at = p.pos
		b, err := p.bytes(1)
		if err != nil {
			return err
		}
		if b[0] == '.' {
			if len(p.stack) != 1 || len(p.marks) != 0 || p.pos != len(p.in) {
				return errors.New("it ends with something left over")
			}
			return nil
		}
		if err = p.step(b[0]); err != nil {
			return err
		}
	}
}

func (p *pickle) bytes(n uint64) ([]byte, error) {
	if n > uint64(len(p.in)-p.pos) {
		return nil, errShort
	}
	b := p.in[p.pos : p.pos+int(n)]
	p.pos += int(n)
	return b, nil
}

// uint reads a number of 1, 2, 4 or 8 bytes.
func (p *pickle) uint(size uint64) (uint64, error) {
	b, err := p.bytes(size)
	if err != nil {
		return 0, err
	}
	var all [8]byte
	copy(all[:], b)
	return binary.LittleEndian.Uint64(all[:]), nil
}

func (p *pickle) line() (string, error) {
	for i, c := range p.in[p.pos:min(len(p.in), p.pos+maxName)] {
		if c == '\n' {
			s := string(p.in[p.pos : p.pos+i])
			p.pos += i + 1
			return s, nil
		}
		if !isWord(c) && c != '.' || c >= 0x80 {
			break
		}
	}
	return "", errors.New("got a name that is none")
}

// push puts a new item on the stack.
func (p *pickle) push(v item) error {
	v.weight = max(v.weight, 1)
	p.stack = append(p.stack, &v)
	return nil
}

func (p *pickle) floor() int {
	if len(p.marks) == 0 {
		return 0
	}
	return p.marks[len(p.marks)-1]
}

// pop takes the topmost n items. They are good until the next push.
func (p *pickle) pop(n int) ([]*item, error) {
	i := len(p.stack) - n
	if i < p.floor() {
		return nil, errors.New("it takes a value that is not there")
	}
	l := p.stack[i:]
	p.stack = p.stack[:i]
	return l, nil
}

func (p *pickle) popMark() ([]*item, error) {
	if len(p.marks) == 0 {
		return nil, errors.New("it ends what did not begin")
	}
	l, err := p.pop(len(p.stack) - p.floor())
	p.marks = p.marks[:len(p.marks)-1]
	return l, err
}

// hold puts items into v.
func (v *item) hold(l []*item) error {
	for _, e := range l {
		if e == v {
			return errors.New("got a value in itself")
		}
		if e.kind == list || e.kind == dict {
			e.held = true
		}
		v.depth = max(v.depth, e.depth+1)
		if v.depth > maxDepth {
			return fmt.Errorf("got more than %d values inside each other", maxDepth)
		}
		if v.weight = max(v.weight, 1) + e.weight; v.weight > maxWeight {
			return errors.New("got values that are in others too often")
		}
	}
	return nil
}

func (p *pickle) tuple(l []*item, err error) error {
	if err != nil {
		return err
	}
	v := item{kind: tuple, items: append([]*item(nil), l...)}
	if err = v.hold(v.items); err != nil {
		return err
	}
	return p.push(v)
}

// step runs one opcode: those that torch's pickler writes.
func (p *pickle) step(op byte) error {
	if p.steps++; p.steps > maxSteps {
		return fmt.Errorf("got more than %d opcodes", maxSteps)
	}
	switch op {
	case '(': // MARK
		p.marks = append(p.marks, len(p.stack))
		return nil
	case 'N':
		p.stack = append(p.stack, aNone)
		return nil
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		return p.push(item{kind: boolean})
	case 'J', 'K', 'M', 0x8a, 'G':
		return p.value(op)
	case 'X': // BINUNICODE
		n, err := p.uint(4)
		if err != nil {
			return err
		}
		b, err := p.bytes(n)
		if err != nil {
			return err
		}
		return p.push(item{kind: text, text: string(b)})
	case ')':
		return p.push(item{kind: tuple})
	case 0x85, 0x86, 0x87: // TUPLE1 to TUPLE3
		return p.tuple(p.pop(int(op - 0x84)))
	case 't': // TUPLE
		return p.tuple(p.popMark())
	case ']':
		return p.push(item{kind: list})
	case '}':
		return p.push(item{kind: dict})
	case 'e', 'u', 'a', 's': // APPENDS, SETITEMS, APPEND, SETITEM
		return p.fill(op)
	case 'q', 'r', 'h', 'j': // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
		return p.remember(op)
	case 'c': // GLOBAL
		module, err := p.line()
		if err != nil {
			return err
		}
		name, err := p.line()
		if err != nil {
			return err
		}
		return p.global(module, name)
	case 'Q': // BINPERSID
		return p.persistent()
	case 0x81: // NEWOBJ: the class stays, what makes the object is BUILD
		l, err := p.pop(2)
		if err != nil {
			return err
		}
		if l[0].kind != function || !isClass(l[0].text) || l[1].kind != tuple || len(l[1].items) > 0 {
			return errors.New("got a new object of something else than a class")
		}
		p.stack = append(p.stack, l[0])
		return nil
	case 'R', 'b': // REDUCE, BUILD
		l, err := p.pop(2)
		if err != nil {
			return err
		}
		if l[0].kind != function {
			return errors.New("it calls a value that is no function")
		}
		return p.call(l[0].text, l[1])
	}
	return fmt.Errorf("got the opcode 0x%02x, which torch does not write", op)
}

// value runs BININT, BININT1, BININT2, LONG1 and BINFLOAT.
func (p *pickle) value(op byte) error {
	size := map[byte]uint64{'J': 4, 'K': 1, 'M': 2, 0x8a: 1, 'G': 8}[op]
	n, err := p.uint(size)
	if err != nil {
		return err
	}
	switch op {
	case 'G':
		return p.push(item{kind: float})
	case 'J':
		n = uint64(int32(n))
	case 0x8a:
		if n != 8 {
			return fmt.Errorf("got an integer of %d bytes vs 8", n)
		}
		if n, err = p.uint(8); err != nil {
			return err
		}
	}
	return p.push(item{kind: integer, number: int64(n)})
}

// fill puts values into the list or dict that they stand on.
func (p *pickle) fill(op byte) error {
	var l []*item
	var err error
	switch op {
	case 'a':
		l, err = p.pop(1)
	case 's':
		l, err = p.pop(2)
	default:
		l, err = p.popMark()
	}
	if err != nil {
		return err
	}
	if len(p.stack) <= p.floor() {
		return errors.New("it fills a value that is not there")
	}
	into, want := p.stack[len(p.stack)-1], list
	if op == 'u' || op == 's' {
		want = dict
		if len(l)%2 != 0 {
			return errors.New("got a key without a value")
		}
		for i := 0; i < len(l); i += 2 {
			if k := l[i].kind; k != text && k != integer && k != float && k != boolean && k != tensor {
				return errors.New("got a key that is none")
			}
		}
	}
	if into.kind != want || into.held {
		return errors.New("it fills a value that is no new list or dict")
	}
	if want == list {
		into.items = append(into.items, l...)
	}
	return into.hold(l)
}

// remember runs the opcodes of the memory. torch numbers from 0 without a gap; libtorch makes room up to any number.
func (p *pickle) remember(op byte) error {
	size := uint64(1)
	if op == 'r' || op == 'j' {
		size = 4
	}
	n, err := p.uint(size)
	if err != nil {
		return err
	}
	switch op {
	case 'h', 'j':
		if n >= uint64(len(p.memo)) {
			return fmt.Errorf("it fetches value %d of %d", n, len(p.memo))
		}
		p.stack = append(p.stack, p.memo[n])
		return nil
	}
	if len(p.stack) <= p.floor() || n > uint64(len(p.memo)) {
		return fmt.Errorf("it keeps a value as number %d of %d", n, len(p.memo))
	}
	v := p.stack[len(p.stack)-1]
	if n == uint64(len(p.memo)) {
		p.memo = append(p.memo, v)
	} else {
		p.memo[n] = v
	}
	return nil
}
