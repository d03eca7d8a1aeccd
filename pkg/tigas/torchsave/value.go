package torchsave

// Value is one of
//
//	nil, bool, int64, float64, string, []byte
//	*List          list, tuple, set
//	*Dict          dict, OrderedDict
//	*Tensor        torch.Tensor, torch.nn.Parameter
//	*Opaque        anything else
//
// A file may hold cycles: a list may contain itself. Code that walks values must not rely on an end.
type Value = any

// List is a list, tuple or set.
type List struct{ Items []Value }

// Dict is a dict with its entries in the order of the file.
type Dict struct {
	Items []Item
	index map[string]int // of the items whose key is a string, if there are more than a few items
}

// few items are compared faster than hashed.
const few = 8

// Item is an entry of a Dict. Key is a string in all dicts that this package knows of but an optimizer's, which counts its
// parameters.
type Item struct{ Key, Value Value }

// Get returns the value under a string key, and whether there is one.
func (d *Dict) Get(key string) (Value, bool) {
	i := d.find(key)
	if i < 0 {
		return nil, false
	}
	return d.Items[i].Value, true
}

// find returns the place of a string key, -1 if there is none.
func (d *Dict) find(key string) int {
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return i
		}
		return -1
	}
	for i, e := range d.Items {
		if s, ok := e.Key.(string); ok && s == key {
			return i
		}
	}
	return -1
}

// set replaces the value of a string key; of other keys all are kept, as nobody looks them up.
func (d *Dict) set(key, value Value) {
	s, ok := key.(string)
	if ok {
		if i := d.find(s); i >= 0 {
			d.Items[i].Value = value
			return
		}
	}
	d.Items = append(d.Items, Item{key, value})
	switch {
	case d.index != nil && ok:
		d.index[s] = len(d.Items) - 1
	case d.index == nil && len(d.Items) > few:
		d.index = map[string]int{}
		for i, e := range d.Items {
			if s, ok := e.Key.(string); ok {
				d.index[s] = i
			}
		}
	}
}

// Opaque is a function, a class, or what a file makes by one that this package does not know. Nothing was called.
type Opaque struct {
	Name string // such as "numpy.core.multiarray.scalar"

	made    bool // what a call of Name returned, not Name itself
	storage *storage
}
