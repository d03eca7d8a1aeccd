package torchsave

import "strings"

// object runs the opcodes that name, make and change objects.
func (m *machine) object(op byte) error {
	switch op {
	case 'c': // GLOBAL
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.made(&Opaque{Name: module + "." + name}, 64+len(module)+len(name))
	case 0x93: // STACK_GLOBAL
		name, err := m.pop()
		if err != nil {
			return err
		}
		module, err := m.pop()
		if err != nil {
			return err
		}
		n, ok1 := name.(string)
		d, ok2 := module.(string)
		if !ok1 || !ok2 || len(n) > maxName || len(d) > maxName {
			return malformed("the name of a class is not a name")
		}
		return m.made(&Opaque{Name: d + "." + n}, 64+len(n)+len(d))
	case 'Q': // BINPERSID
		id, err := m.pop()
		if err != nil {
			return err
		}
		s, err := m.storage(id)
		if err != nil {
			return err
		}
		return m.push(s.handle)
	}
	// The others take something from above what they work on.
	if op == 0x92 { // NEWOBJ_EX: keyword arguments come first
		if _, err := m.pop(); err != nil {
			return err
		}
	}
	arg, err := m.pop()
	if err != nil {
		return err
	}
	if op == 'b' { // BUILD: attributes, such as the _metadata of a state dict; nobody reads them
		v, err := m.top()
		if err != nil {
			return err
		}
		switch v.(type) {
		case *Dict, *Opaque, *Tensor:
			return nil
		}
		return malformed("the pickle gives attributes to a value that has none")
	}
	fn, err := m.pop()
	if err != nil {
		return err
	}
	args, ok := arg.(*List)
	if !ok {
		return malformed("the pickle calls with arguments that are no tuple")
	}
	v, err := m.call(fn, args.Items)
	if err != nil {
		return err
	}
	return m.made(v, 96) // the largest of them, a Tensor
}

// call makes the objects that checkpoints consist of. Whatever else a pickle would call becomes an Opaque.
func (m *machine) call(fn Value, args []Value) (Value, error) {
	f, ok := fn.(*Opaque)
	switch {
	case !ok:
		return nil, malformed("the pickle calls a value that is no class or function")
	case f.made:
		return f, nil
	}
	switch f.Name {
	case "collections.OrderedDict":
		return m.orderedDict(args)
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
		return m.tensor(args, strings.HasSuffix(f.Name, "3"))
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		if len(args) < 2 {
			return nil, malformed("a parameter of %d arguments", len(args))
		}
		t, ok := args[0].(*Tensor)
		if !ok {
			return nil, malformed("a parameter that is no tensor")
		}
		p := *t
		p.RequiresGrad, _ = args[1].(bool)
		return &p, nil
	case "torch.Size", "__builtin__.set", "__builtin__.frozenset", "builtins.set", "builtins.frozenset":
		if len(args) == 1 {
			if l, ok := args[0].(*List); ok {
				return l, nil
			}
		}
	case "_codecs.encode", "__builtin__.bytes", "__builtin__.bytearray":
		if b, ok, err := m.latin1(args); ok || err != nil {
			return b, err
		}
	}
	return &Opaque{Name: f.Name, made: true}, nil
}

// latin1 makes bytes of text with a character for each, or of nothing: what they are in protocol 2.
func (m *machine) latin1(args []Value) ([]byte, bool, error) {
	if len(args) == 0 {
		return []byte{}, true, nil
	}
	s, ok := args[0].(string)
	if len(args) != 2 || !ok || args[1] != Value("latin1") && args[1] != Value("latin-1") {
		return nil, false, nil
	}
	if err := m.charge(len(s) + len(s)/8); err != nil {
		return nil, false, err
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, false, malformed("bytes above 255")
		}
		b = append(b, byte(r))
	}
	return b, true, nil
}

// orderedDict makes a dict, of pairs if there are any, as Python 2 wrote them.
func (m *machine) orderedDict(args []Value) (Value, error) {
	d := &Dict{}
	if len(args) == 0 {
		return d, nil
	}
	pairs, ok := args[0].(*List)
	if !ok || len(args) > 1 {
		return nil, malformed("an OrderedDict of something else than pairs")
	}
	if err := m.charge(16 * len(pairs.Items)); err != nil { // they are looked at again by each call
		return nil, err
	}
	for _, p := range pairs.Items {
		p, ok := p.(*List)
		if !ok || len(p.Items) != 2 {
			return nil, malformed("an OrderedDict of something else than pairs")
		}
		if err := m.items(d, p.Items); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// storage reads a persistent id: ("storage", class, key, location, elements). Where a storage was, on which device, does
// not matter here.
func (m *machine) storage(id Value) (*storage, error) {
	l, ok := id.(*List)
	if !ok || len(l.Items) < 5 || l.Items[0] != Value("storage") {
		return nil, malformed("a reference to something else than a storage")
	}
	c, ok1 := l.Items[1].(*Opaque)
	key, ok2 := l.Items[2].(string)
	n, ok3 := l.Items[4].(int64)
	if !ok1 || !ok2 || !ok3 || n < 0 || len(key) > maxName {
		return nil, malformed("a storage without type, key and size")
	}
	dtype, ok := storages[c.Name]
	if !ok {
		return nil, malformed("a storage of the class %s, which is not supported", quote(c.Name))
	}
	if n > 1<<56 {
		return nil, malformed("a storage of %d elements", n)
	}
	n *= max(dtype.Size(), 1)
	if s := m.stores[key]; s != nil {
		if s.dtype != dtype || s.bytes != n {
			return nil, malformed("storage %s described in two ways", quote(key))
		}
		return s, nil
	}
	s := &storage{key: key, dtype: dtype, bytes: n}
	s.handle = &Opaque{Name: "torch.storage", made: true, storage: s}
	m.stores[key] = s
	return s, m.charge(256) // both, and an entry of the map
}

// tensor reads the arguments of _rebuild_tensor(_v2): storage, offset, sizes, strides and perhaps requires_grad, hooks and
// metadata. Before the metadata of _v3 stands the type: its storages have none.
func (m *machine) tensor(args []Value, v3 bool) (Value, error) {
	if len(args) < 4 {
		return nil, malformed("a tensor of %d arguments", len(args))
	}
	o, ok := args[0].(*Opaque)
	if !ok || o.storage == nil {
		return nil, malformed("a tensor without a storage")
	}
	offset, ok := args[1].(int64)
	shape, ok1 := ints(args[2])
	stride, ok2 := ints(args[3])
	if !ok || !ok1 || !ok2 {
		return nil, malformed("a tensor without offset, sizes and strides")
	}
	t := &Tensor{DType: o.storage.dtype, Shape: shape, Stride: stride, storage: o.storage, offset: offset}
	if len(args) > 4 {
		t.RequiresGrad, _ = args[4].(bool)
	}
	rest := args[min(6, len(args)):]
	if v3 && len(rest) > 0 {
		d, _ := rest[0].(*Opaque)
		if d == nil || d.made {
			return nil, malformed("a tensor without a type")
		}
		t.DType, rest = DType(strings.TrimPrefix(d.Name, "torch.")), rest[1:]
	}
	if t.DType.Size() == 0 {
		return nil, malformed("a tensor of the type %s, which is not supported", quote(string(t.DType)))
	}
	if len(rest) > 0 {
		// That the elements are to be conjugated, or their signs changed.
		if d, ok := rest[0].(*Dict); rest[0] != nil && (!ok || len(d.Items) > 0) {
			return nil, malformed("a tensor with metadata, such as a conjugate view, which is not supported")
		}
	}
	if err := m.charge(16 * len(shape)); err != nil {
		return nil, err
	}
	return t, t.check()
}

func ints(v Value) ([]int64, bool) {
	l, ok := v.(*List)
	if !ok || len(l.Items) > maxDims {
		return nil, false
	}
	out := make([]int64, len(l.Items))
	for i, e := range l.Items {
		if out[i], ok = e.(int64); !ok {
			return nil, false
		}
	}
	return out, true
}
