package savetest

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// pickler writes protocol 2 as Python's pickle module does, memo included.
type pickler struct {
	out     []byte
	memo    map[string]int // of strings, and of classes under "module\nname\n"
	next    int            // index in the memo of the next object
	keys    map[*Tensor]int
	made    map[*Tensor]int // memo index of a tensor that was written
	records []Record
	err     error
}

// Pickle returns the pickle of root and the records of its storages, named data/0, data/1 and so on.
func Pickle(root Value) ([]byte, []Record, error) {
	p := &pickler{memo: map[string]int{}, keys: map[*Tensor]int{}, made: map[*Tensor]int{}}
	p.op(0x80, 2) // PROTO
	p.value(root)
	p.op('.') // STOP
	return p.out, p.records, p.err
}

func (p *pickler) op(b ...byte) { p.out = append(p.out, b...) }

func (p *pickler) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("savetest: "+format, args...)
	}
}

// put remembers the value on top of the stack and returns its index.
func (p *pickler) put() int {
	i := p.next
	p.next++
	if i < 256 {
		p.op('q', byte(i)) // BINPUT
	} else {
		p.op('r') // LONG_BINPUT
		p.out = binary.LittleEndian.AppendUint32(p.out, uint32(i))
	}
	return i
}

func (p *pickler) get(i int) {
	if i < 256 {
		p.op('h', byte(i)) // BINGET
		return
	}
	p.op('j') // LONG_BINGET
	p.out = binary.LittleEndian.AppendUint32(p.out, uint32(i))
}

// once runs write the first time that it is called for key, and fetches the value from the memo later.
func (p *pickler) once(key string, write func()) {
	if i, ok := p.memo[key]; ok {
		p.get(i)
		return
	}
	write()
	p.memo[key] = p.put()
}

func (p *pickler) value(v Value) {
	switch v := v.(type) {
	case nil:
		p.op('N')
	case bool:
		p.op(map[bool]byte{true: 0x88, false: 0x89}[v])
	case int:
		p.int(int64(v))
	case int64:
		p.int(v)
	case float64:
		p.op('G') // BINFLOAT, the only big-endian number
		p.out = binary.BigEndian.AppendUint64(p.out, math.Float64bits(v))
	case string:
		p.string(v)
	case Raw:
		p.op(v...)
	case List:
		p.op(']')
		p.put()
		p.batches(len(v), 'a', 'e', func(i int) { p.value(v[i]) })
	case Tuple:
		p.tuple(len(v), func(i int) { p.value(v[i]) })
	case Dict:
		p.op('}')
		p.put()
		p.items(v)
	case OrderedDict:
		p.newOrderedDict()
		p.items(v.Items)
		if v.Metadata != nil {
			p.value(Dict{{"_metadata", v.Metadata}})
			p.op('b') // BUILD
		}
	case Tensor:
		p.tensor(&v)
	case *Tensor:
		p.tensor(v)
	case View:
		p.rebuild(v)
	default:
		p.fail("cannot save a %T", v)
	}
}

func (p *pickler) int(v int64) {
	switch {
	case v >= 0 && v < 1<<8:
		p.op('K', byte(v)) // BININT1
	case v >= 0 && v < 1<<16:
		p.op('M', byte(v), byte(v>>8)) // BININT2
	case v >= math.MinInt32 && v <= math.MaxInt32:
		p.op('J') // BININT
		p.out = binary.LittleEndian.AppendUint32(p.out, uint32(v))
	default:
		p.op(0x8a, 8) // LONG1
		p.out = binary.LittleEndian.AppendUint64(p.out, uint64(v))
	}
}

func (p *pickler) string(s string) {
	p.once("s"+s, func() {
		p.op('X') // BINUNICODE
		p.out = binary.LittleEndian.AppendUint32(p.out, uint32(len(s)))
		p.op([]byte(s)...)
	})
}

func (p *pickler) global(module, name string) {
	line := module + "\n" + name + "\n"
	p.once("c"+line, func() { p.op([]byte("c" + line)...) })
}

// batches writes the n elements of a container, each by write, a thousand at a time.
func (p *pickler) batches(n int, single, many byte, write func(i int)) {
	for i := 0; i < n; {
		if n-i == 1 {
			write(i)
			p.op(single)
			return
		}
		p.op('(')
		for end := min(i+1000, n); i < end; i++ {
			write(i)
		}
		p.op(many)
	}
}

func (p *pickler) items(items []Item) {
	p.batches(len(items), 's', 'u', func(i int) {
		p.value(items[i].Key)
		p.value(items[i].Value)
	})
}

func (p *pickler) tuple(n int, write func(i int)) {
	if n == 0 {
		p.op(')')
		return
	}
	if n > 3 {
		p.op('(')
	}
	for i := range n {
		write(i)
	}
	p.op(map[int]byte{1: 0x85, 2: 0x86, 3: 0x87}[min(n, 4)])
	if n > 3 {
		p.out[len(p.out)-1] = 't'
	}
	p.put()
}

func (p *pickler) ints(v []int64) { p.tuple(len(v), func(i int) { p.int(v[i]) }) }

func (p *pickler) newOrderedDict() {
	p.global("collections", "OrderedDict")
	p.op(')', 'R') // EMPTY_TUPLE, REDUCE
	p.put()
}

func (p *pickler) tensor(t *Tensor) {
	if i, ok := p.made[t]; ok {
		p.get(i)
		return
	}
	if !t.Parameter {
		p.rebuild(View{Of: t, Shape: t.Shape, Stride: t.strides()})
		p.made[t] = p.next - 1
		return
	}
	p.global("torch._utils", "_rebuild_parameter")
	p.tuple(3, func(i int) {
		switch i {
		case 0:
			p.rebuild(View{Of: t, Shape: t.Shape, Stride: t.strides()})
		case 1:
			p.value(t.RequiresGrad)
		case 2:
			p.newOrderedDict()
		}
	})
	p.op('R')
	p.made[t] = p.put()
}

// rebuild writes the call that makes a tensor of a storage.
func (p *pickler) rebuild(v View) {
	p.global("torch._utils", "_rebuild_tensor_v2")
	p.tuple(6, func(i int) {
		switch i {
		case 0:
			p.storage(v.Of)
		case 1:
			p.int(v.Offset)
		case 2:
			p.ints(v.Shape)
		case 3:
			p.ints(v.Stride)
		case 4:
			p.value(v.Of.RequiresGrad && !v.Of.Parameter)
		case 5:
			p.newOrderedDict()
		}
	})
	p.op('R')
	p.put()
}

// storage writes a persistent id and takes down what has to be in the archive for it.
func (p *pickler) storage(t *Tensor) {
	class, ok := storageClasses[t.dtype()]
	if !ok {
		p.fail("tensor %q: no element type %q", t.Name, t.DType)
	}
	key, ok := p.keys[t]
	if !ok {
		key = len(p.records)
		p.keys[t] = key
		size := t.numel() * class.size
		if t.Data != nil && int64(len(t.Data)) != size {
			p.fail("tensor %q: %d bytes vs %d of shape %v and type %s", t.Name, len(t.Data), size, t.Shape, t.dtype())
		}
		r := Record{Name: "data/" + strconv.Itoa(key), Data: t.Data}
		if t.Data == nil {
			r.Zeros = size
		}
		p.records = append(p.records, r)
	}
	p.tuple(5, func(i int) {
		switch i {
		case 0:
			p.string("storage")
		case 1:
			p.global("torch", class.name)
		case 2:
			p.string(strconv.Itoa(key))
		case 3:
			p.string(t.location())
		case 4:
			p.int(t.numel())
		}
	})
	p.op('Q') // BINPERSID
}
