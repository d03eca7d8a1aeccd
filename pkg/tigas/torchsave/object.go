package torchsave

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
		return m.made(&Opaque{Name: module + "." + name}, 48+len(module)+len(name))
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
		if !ok1 || !ok2 || len(n) > 500 || len(d) > 500 {
			return malformed("the name of a class is not a name")
		}
		return m.made(&Opaque{Name: d + "." + n}, 48+len(n)+len(d))
	case 'Q': // BINPERSID
		id, err := m.pop()
		if err != nil {
			return err
		}
		s, err := m.storage(id)
		if err != nil {
			return err
		}
		return m.push(&Opaque{Name: "torch storage " + s.key, made: true, storage: s})
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
		return malformed("the pickle gives attributes to a %T", v)
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
	return m.made(v, 64)
}

// call makes the objects that checkpoints consist of. Whatever else a pickle would call becomes an Opaque.
func (m *machine) call(fn Value, args []Value) (Value, error) {
	f, ok := fn.(*Opaque)
	switch {
	case !ok:
		return nil, malformed("the pickle calls a %T", fn)
	case f.made:
		return f, nil
	}
	switch f.Name {
	case "collections.OrderedDict":
		return m.orderedDict(args)
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return m.tensor(args)
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
	case "torch.Size":
		if len(args) == 1 {
			if l, ok := args[0].(*List); ok {
				return l, nil
			}
		}
	}
	return &Opaque{Name: f.Name, made: true}, nil
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
	for _, p := range pairs.Items {
		p, ok := p.(*List)
		if !ok || len(p.Items) != 2 {
			return nil, malformed("an OrderedDict of something else than pairs")
		}
		if err := m.charge(128); err != nil {
			return nil, err
		}
		d.set(p.Items[0], p.Items[1])
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
	if !ok1 || !ok2 || !ok3 || n < 0 {
		return nil, malformed("a storage without type, key and size")
	}
	dtype, ok := storages[c.Name]
	if !ok {
		return nil, malformed("a storage of the class %s, which is not supported", quote(c.Name))
	}
	if n > 1<<58 {
		return nil, malformed("a storage of %d elements", n)
	}
	if s := m.stores[key]; s != nil {
		if s.dtype != dtype || s.numel != n {
			return nil, malformed("storage %s described in two ways", quote(key))
		}
		return s, nil
	}
	s := &storage{key: key, dtype: dtype, numel: n}
	m.stores[key] = s
	return s, m.charge(128)
}

// tensor reads the arguments of _rebuild_tensor(_v2): storage, offset, sizes, strides and perhaps requires_grad.
func (m *machine) tensor(args []Value) (Value, error) {
	if len(args) < 4 {
		return nil, malformed("a tensor of %d arguments", len(args))
	}
	o, ok := args[0].(*Opaque)
	if !ok || o.storage == nil {
		return nil, malformed("a tensor without a storage")
	}
	offset, ok := args[1].(int64)
	shape, err1 := ints(args[2])
	stride, err2 := ints(args[3])
	if !ok || err1 != nil || err2 != nil {
		return nil, malformed("a tensor without offset, sizes and strides")
	}
	grad := false
	if len(args) > 4 {
		grad, _ = args[4].(bool)
	}
	if err := m.charge(96 + 16*len(shape)); err != nil {
		return nil, err
	}
	return view(o.storage, offset, shape, stride, grad)
}

func ints(v Value) ([]int64, error) {
	l, ok := v.(*List)
	if !ok || len(l.Items) > maxDims {
		return nil, ErrFormat
	}
	out := make([]int64, len(l.Items))
	for i, e := range l.Items {
		n, ok := e.(int64)
		if !ok {
			return nil, ErrFormat
		}
		out[i] = n
	}
	return out, nil
}
