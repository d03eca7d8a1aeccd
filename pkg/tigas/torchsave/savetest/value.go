package savetest

import "slices"

// Value is what can be saved:
//
//	nil, bool, int, int64, float64, string
//	List, Tuple, Dict, OrderedDict
//	Tensor, *Tensor, View
//	Raw
type Value = any

// List is a list.
type List []Value

// Tuple is a tuple.
type Tuple []Value

// Dict is a dict.
type Dict []Item

// Item is an entry of a Dict.
type Item struct{ Key, Value Value }

// OrderedDict is a collections.OrderedDict. Metadata, if not nil, becomes its attribute _metadata, as state dicts have it.
type OrderedDict struct {
	Items    []Item
	Metadata Value
}

// Tensor is a contiguous tensor in a storage of its own. The same pointer in two places is one tensor, and one storage.
type Tensor struct {
	Name     string  // its key in a state dict; not saved otherwise
	DType    string  // as torch spells it, such as "int64"; float32 if empty
	Shape    []int64 // empty for a scalar
	Data     []byte  // its elements in row-major order, little endian; zeros if nil
	Location string  // the device it was on, such as "cuda:0"; "cpu" if empty
	// Parameter makes it a torch.nn.Parameter, RequiresGrad one that is trained. State dicts hold neither.
	Parameter, RequiresGrad bool
}

// View is a tensor that shows elements of another one. It is written as it is, inside its storage or not.
type View struct {
	Of            *Tensor
	Offset        int64
	Shape, Stride []int64
}

// Raw is a piece of pickle, written as it is where a value should stand. It should push one value and not use the memo.
type Raw []byte

// storageClasses are the names that torch has for storages, and the bytes of an element.
var storageClasses = map[string]struct {
	name string
	size int64
}{
	"float64": {"DoubleStorage", 8}, "float32": {"FloatStorage", 4}, "float16": {"HalfStorage", 2},
	"bfloat16": {"BFloat16Storage", 2}, "int64": {"LongStorage", 8}, "int32": {"IntStorage", 4},
	"int16": {"ShortStorage", 2}, "int8": {"CharStorage", 1}, "uint8": {"ByteStorage", 1}, "bool": {"BoolStorage", 1},
	"complex64": {"ComplexFloatStorage", 8}, "complex128": {"ComplexDoubleStorage", 16},
}

func (t *Tensor) dtype() string {
	if t.DType == "" {
		return "float32"
	}
	return t.DType
}

func (t *Tensor) location() string {
	if t.Location == "" {
		return "cpu"
	}
	return t.Location
}

func (t *Tensor) numel() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// strides are those of a contiguous tensor.
func (t *Tensor) strides() []int64 {
	s := make([]int64, len(t.Shape))
	n := int64(1)
	for i := len(s) - 1; i >= 0; i-- {
		s[i] = n
		n *= max(t.Shape[i], 1)
	}
	return s
}

// Pairs is the Dict of keys and values in turn.
func Pairs(keysAndValues ...Value) Dict {
	d := Dict{}
	for i := 0; i < len(keysAndValues); i += 2 {
		d = append(d, Item{keysAndValues[i], keysAndValues[i+1]})
	}
	return d
}

// With returns a copy of d with the value under key replaced, or with one more entry.
func (d Dict) With(key string, value Value) Dict {
	out := slices.Clone(d)
	for i := range out {
		if out[i].Key == key {
			out[i].Value = value
			return out
		}
	}
	return append(out, Item{key, value})
}

// Without returns a copy of d without key.
func (d Dict) Without(key string) Dict {
	return slices.DeleteFunc(slices.Clone(d), func(e Item) bool { return e.Key == key })
}
