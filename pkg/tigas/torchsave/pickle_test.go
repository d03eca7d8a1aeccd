package torchsave

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// TestOpcodes runs pickles that are written by hand, after the table of opcodes in Python's pickletools.
func TestOpcodes(t *testing.T) {
	list := func(v ...Value) *List { return &List{Items: v} }
	none := &List{}
	for _, c := range []struct {
		pickle string
		want   Value
	}{
		{"\x80\x05\x95........K\x07.", int64(7)},
		{"J\xff\xff\xff\xff.", int64(-1)},
		{"J\x00\x00\x00\x80.", int64(math.MinInt32)},
		{"M\xff\xff.", int64(65535)},
		{"\x8a\x00.", int64(0)},
		{"\x8a\x01\xff.", int64(-1)},
		{"\x8a\x02\xff\x00.", int64(255)},
		{"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", int64(math.MinInt64)},
		{"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", int64(math.MaxInt64)},
		{"\x8b\x03\x00\x00\x00\x01\x02\x83.", int64(0x830201 - 1<<24)},
		{"G\x3f\xf8\x00\x00\x00\x00\x00\x00.", 1.5},
		{"\x8c\x02\xc3\xa4.", "ä"},
		{"\x8d\x01\x00\x00\x00\x00\x00\x00\x00a.", "a"},
		{"T\x01\x00\x00\x00a.", "a"},
		{"U\x01a.", "a"},
		{"C\x01\xff.", []byte{0xff}},
		{"B\x01\x00\x00\x00\xff.", []byte{0xff}},
		{"\x8e\x01\x00\x00\x00\x00\x00\x00\x00\xff.", []byte{0xff}},
		{"\x96\x01\x00\x00\x00\x00\x00\x00\x00\xff.", []byte{0xff}},
		{"c_codecs\nencode\nX\x03\x00\x00\x00a\xc3\xbfX\x06\x00\x00\x00latin1\x86R.", []byte("a\xff")},
		{"c__builtin__\nbytes\n)R.", []byte{}},
		{"c__builtin__\nset\n](NK\x01e\x85R.", list(nil, int64(1))},
		{"cbuiltins\nfrozenset\n]\x85R.", none},
		{"ctorch\nSize\nK\x02K\x03\x86\x85R.", list(int64(2), int64(3))},
		{"NK\x01\x86.", list(nil, int64(1))},
		{"N\x88\x89\x87.", list(nil, true, false)},
		{"(N(t0t.", list(nil)},
		{"(NNNl.", list(nil, nil, nil)},
		{"\x8f(K\x01\x90.", list(int64(1))},
		{"(K\x01\x91.", list(int64(1))},
		{"]Na\x88a.", list(nil, true)},
		{"N(NN1.", nil},
		{"N(0.", nil},
		{"K\x012\x86.", list(int64(1), int64(1))},
		{"}q\x00h\x000.", &Dict{}},
		{"K\x01\x94K\x02\x94h\x00h\x01\x86.", list(int64(1), int64(2))},
		{"K\x01q\x07h\x07j\x07\x00\x00\x00\x86.", list(int64(1), int64(1))},
		{"K\x01r\x00\x01\x00\x00j\x00\x01\x00\x00.", int64(1)},
		{"(K\x01K\x02d.", &Dict{Items: []Item{{int64(1), int64(2)}}}},
		{"}K\x01K\x02s.", &Dict{Items: []Item{{int64(1), int64(2)}}}},
		{"}(U\x01aK\x01U\x01bK\x02U\x01aK\x03u.", &Dict{Items: []Item{{"a", int64(3)}, {"b", int64(2)}}}},
		{"}(C\x01aNC\x01aNu.", &Dict{Items: []Item{{[]byte("a"), nil}, {[]byte("a"), nil}}}},
		{"ccollections\nOrderedDict\n)R.", &Dict{}},
		{"ccollections\nOrderedDict\n)\x81}b.", &Dict{}},
		{"ccollections\nOrderedDict\n]U\x01aK\x01\x86a\x85R.", &Dict{Items: []Item{{"a", int64(1)}}}},
		{"cos\nsystem\nU\x01x\x85R.", &Opaque{Name: "os.system", made: true}},
		{"U\x02osU\x06system\x93.", &Opaque{Name: "os.system"}},
		{"cm\nC\n)\x81}U\x01aNsb.", &Opaque{Name: "m.C", made: true}},
		{"cm\nC\n)}\x92.", &Opaque{Name: "m.C", made: true}},
		{"cm\nC\n)R)R.", &Opaque{Name: "m.C", made: true}},
		{"cm\nC\n)R(NNuNaNNs.", &Opaque{Name: "m.C", made: true}},
		{"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", &Opaque{Name: "an integer of more than 64 bits", made: true}},
		{"N. and more", nil},
	} {
		got, err := unpickle([]byte(c.pickle), maxValues)
		require.NoError(t, err, "%q", c.pickle)
		require.Equal(t, c.want, got, "%q", c.pickle)
	}
}

// pid is a persistent id on the stack; the storage has eight floats.
const pid = "(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x08tQ"

// rebuilt is a pickle that makes a tensor of arguments.
func rebuilt(args string) string { return "ctorch._utils\n_rebuild_tensor_v2\n(" + args + "tR." }

// TestRefusedPickles runs pickles that no program should write.
func TestRefusedPickles(t *testing.T) {
	for _, c := range []struct{ pickle, want string }{
		{"", "byte 0: the pickle ends early: want 1 more bytes, got 0"},
		{"N", "byte 1: the pickle ends early"},
		{".", "takes a value that is not there"},
		{"N(.", "takes a value that is not there"},
		{"0", "takes a value that is not there"},
		{"N(a", "takes a value that is not there"},
		{"2", "takes a value that is not there"},
		{"q\x00", "takes a value that is not there"},
		{"\x85", "takes a value that is not there"},
		{"N(\x85", "takes a value that is not there"},
		{"N\x87", "takes a value that is not there"},
		{"Q", "takes a value that is not there"},
		{"R", "takes a value that is not there"},
		{"NR", "takes a value that is not there"},
		{"\x92", "takes a value that is not there"},
		{"N\x93", "takes a value that is not there"},
		{"Nb", "takes a value that is not there"},
		{"Ns", "takes a value that is not there"},
		{"e", "ends a list that did not begin"},
		{"t", "ends a list that did not begin"},
		{"d", "ends a list that did not begin"},
		{"1", "ends a list that did not begin"},
		{"h\x00", "fetches value 0, which it did not store"},
		{"Nq\x02h\x01", "fetches value 1, which it did not store"},
		{"j\xff\xff\xff\xff", "fetches value 4294967295"},
		{"Nr\xff\xff\xff\xff", "makes more values than"},
		{"\x80\x06", "pickle protocol 6 vs at most 5"},
		{"\x80", "ends early"},
		{"\x95...", "ends early"},
		{"X\xff\xff\xff\xff", "ends early: want 4294967295 more bytes, got 0"},
		{"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "ends early: want 18446744073709551615 more bytes"},
		{"\x8b\xff\xff\xff\xff", "ends early"},
		{"G..", "ends early"},
		{"J", "ends early"},
		{"X\x01\x00\x00\x00\xff", "text that is not UTF-8"},
		{"cos\n", "a name without an end"},
		{"c" + strings.Repeat("x", 501) + "\n", "a name without an end"},
		{"I1\n", "opcode 0x49, which torch.save does not write"},
		{"i", "opcode 0x69"},
		{"\x82\x01", "opcode 0x82"},
		{"\x97", "opcode 0x97"},
		{"Na", "takes a value that is not there"},
		{"NNa", "fills a value that is no list or dict"},
		{"]NNs", "puts a key into a list"},
		{"}Na", "puts a value without a key into a dict"},
		{"}(Nu", "puts a key without a value into a dict"},
		{"(Nd", "puts a key without a value into a dict"},
		{"N)R", "calls a value that is no class or function"},
		{"cm\nC\nNR", "calls with arguments that are no tuple"},
		{"NNb", "gives attributes to a value that has none"},
		{"NN\x93", "the name of a class is not a name"},
		{"X\xff\x01\x00\x00" + strings.Repeat("x", 511) + "U\x01a\x93", "the name of a class is not a name"},
		{"c_codecs\nencode\nX\x02\x00\x00\x00\xc4\x80U\x06latin1\x86R", "bytes above 255"},
		{"ccollections\nOrderedDict\nN\x85R", "an OrderedDict of something else than pairs"},
		{"ccollections\nOrderedDict\n]Na\x85R", "an OrderedDict of something else than pairs"},
		{"NQ", "a reference to something else than a storage"},
		{")Q", "a reference to something else than a storage"},
		{"(C\x07storageNNNNtQ", "a reference to something else than a storage"},
		{"(]NNNNtQ", "a reference to something else than a storage"},
		{"(U\x07storageNNNNtQ", "a storage without type, key and size"},
		{"(U\x07storagectorch\nFloatStorage\nU\x010NJ\xff\xff\xff\xfftQ", "a storage without type, key and size"},
		{"(U\x07storagectorch\nQUInt8Storage\nU\x010NK\x01tQ", `a storage of the class "torch.QUInt8Storage", which is not supported`},
		{"(U\x07storagectorch\nFloatStorage\nU\x010N\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x7ftQ", "elements"},
		{pid + strings.Replace(pid, "K\x08", "K\x09", 1), `storage "0" described in two ways`},
		{pid + strings.Replace(pid, "Float", "Int", 1), `storage "0" described in two ways`},
		{rebuilt(""), "a tensor of 0 arguments"},
		{rebuilt("NNNN"), "a tensor without a storage"},
		{rebuilt("cm\nC\nK\x00))"), "a tensor without a storage"},
		{rebuilt(pid + "N))"), "a tensor without offset, sizes and strides"},
		{rebuilt(pid + "K\x00N)"), "a tensor without offset, sizes and strides"},
		{rebuilt(pid + "K\x00)N\x85"), "a tensor without offset, sizes and strides"},
		{rebuilt(pid + "K\x00(" + strings.Repeat("K\x01", 65) + "t)"), "a tensor without offset, sizes and strides"},
		{rebuilt(pid + "K\x00K\x01\x85)"), "a tensor of 1 sizes and 0 strides"},
		{rebuilt(pid + "J\xff\xff\xff\xff))"), "a tensor at -1 of its storage"},
		{rebuilt(pid + "K\x00J\xff\xff\xff\xff\x85K\x01\x85"), "a tensor with size -1 and stride 1"},
		{rebuilt(pid + "K\x00K\x01\x85J\xff\xff\xff\xff\x85"), "a tensor with size 1 and stride -1"},
		{rebuilt(pid + "K\x00K\x09\x85K\x01\x85"), "a tensor of shape [9] at 0, strides [1]: outside its storage of 8 elements"},
		{rebuilt(pid + "K\x08))"), "outside its storage"},
		{rebuilt(pid + "K\x00K\x02\x85K\x08\x85"), "outside its storage"},
		{rebuilt(pid + "K\x00" + long8("\x7f") + "\x85K\x00\x85"), "too many elements"},
		{rebuilt(pid + "K\x00" + long8("\x01") + "2\x86K\x002\x86"), "too many elements"},
		{rebuilt(pid + "K\x00K\x03\x85" + long8("\x7f") + "\x85"), "too far apart"},
		{rebuilt(pid + long8("\x7f") + "K\x02\x85" + long8("\x7f") + "\x85"), "too far apart"},
		{rebuilt(pid + "K\x00(" + strings.Repeat("K\x03", 64) + "t(" + strings.Repeat("K\x00", 64) + "t"), "[3 3 3 3 3 3 3 3 ...]: too many elements"},
		{rebuilt(pid + "K\x00))\x89N}U\x04conj\x88s"), "a tensor with metadata, such as a conjugate view, which is not supported"},
		{rebuilt(pid + "K\x00))\x89NK\x01"), "a tensor with metadata"},
		{"ctorch._utils\n_rebuild_parameter\n)R", "a parameter of 0 arguments"},
		{"ctorch._utils\n_rebuild_parameter\nN\x88\x86R", "a parameter that is no tensor"},
	} {
		v, err := unpickle([]byte(c.pickle), maxValues)
		require.Nil(t, v, "%q", c.pickle)
		require.ErrorIs(t, err, ErrFormat, "%q", c.pickle)
		require.ErrorContains(t, err, c.want, "%q", c.pickle)
		require.NoError(t, wellFormed(at("", err)))
	}
}

// long8 pushes an integer of 64 bits, all but the highest of its bytes 0.
func long8(highest string) string { return "\x8a\x08\x00\x00\x00\x00\x00\x00\x00" + highest }

// TestTypesOfNewerTorch reads tensors whose storages have no class of their own, as torch has them since 2.1.
func TestTypesOfNewerTorch(t *testing.T) {
	const untyped = "(U\x07storagectorch.storage\nUntypedStorage\nU\x010U\x03cpuK\x08tQ"
	v3 := func(dtype string) []byte {
		return []byte("\x80\x02ctorch._utils\n_rebuild_tensor_v3\n(" + untyped + "K\x01K\x02\x85K\x01\x85\x89}" + dtype + "tR.")
	}
	for dtype, size := range map[DType]int{Float8E4M3FN: 1, Float8E5M2: 1, Uint8: 1, Uint16: 2} {
		f, err := openBytes(pickled(v3("ctorch\n"+string(dtype)+"\n"), savetest.Record{Name: "data/0", Data: count(8)}))
		require.NoError(t, err)
		x := f.Root().(*Tensor)
		require.Equal(t, dtype, x.DType)
		require.Equal(t, count(8)[size:3*size], must(f.Read(x)))
	}
	for dtype, want := range map[string]string{
		"ctorch\nuint32\n": "outside its storage of 2 elements", "ctorch\nbits8\n": `a tensor of the type "bits8", which is not supported`,
		"N": "a tensor without a type", "": `a tensor of the type "", which is not supported`,
	} {
		_, err := openBytes(pickled(v3(dtype)))
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorContains(t, err, want)
	}
	_, err := unpickle([]byte(rebuilt(untyped+"K\x00))")), maxValues)
	require.ErrorContains(t, err, `a tensor of the type ""`)
}

// TestCycles reads what contains itself.
func TestCycles(t *testing.T) {
	v, err := unpickle([]byte("]q\x00h\x00a."), maxValues)
	require.NoError(t, err)
	require.Same(t, v, v.(*List).Items[0])
	v, err = unpickle([]byte("}q\x00U\x01ah\x00s."), maxValues)
	require.NoError(t, err)
	require.Same(t, v, get(t, v, "a", "a", "a"))
	v, err = unpickle([]byte("}q\x00h\x00h\x00s."), maxValues)
	require.NoError(t, err)
	require.Same(t, v, v.(*Dict).Items[0].Key)
	for _, pickle := range []string{
		"]q\x00h\x00aQ", "ctorch\nSize\n]q\x00h\x00a\x85R.", "ccollections\nOrderedDict\n]q\x00h\x00ah\x00\x85R.",
		"ctorch._utils\n_rebuild_tensor_v2\n]q\x00h\x00ah\x00R.",
	} {
		_, opened, err := examine(pickled([]byte(pickle)))
		require.NoError(t, err, "%q: %v", pickle, opened)
	}
}

// TestManyKeys checks lookups in dicts that are small and large.
func TestManyKeys(t *testing.T) {
	d := &Dict{}
	for i := range 100 {
		key := strings.Repeat("k", i+1)
		_, ok := d.Get(key)
		require.False(t, ok)
		d.set(key, i)
		d.set(int64(i), i)
		d.set(key, -i)
		for j := range i + 1 {
			v, ok := d.Get(strings.Repeat("k", j+1))
			require.True(t, ok)
			require.Equal(t, -j, v)
		}
	}
	require.Len(t, d.Items, 200)
	v, ok := (&Dict{Items: d.Items[:30]}).Get("kkk") // made by hand
	require.True(t, ok)
	require.Equal(t, -2, v)
}
