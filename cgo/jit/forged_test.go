package jit

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// member is one of an archive, by its name without the folder.
type member struct {
	name string
	data []byte
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // a mistake of the test
	}
	return v
}

// membersOf unpacks an archive.
func membersOf(b []byte) (l []member) {
	z := must(zip.NewReader(bytes.NewReader(b), int64(len(b))))
	for _, f := range z.File {
		_, name, _ := strings.Cut(f.Name, "/")
		l = append(l, member{name, must(io.ReadAll(must(f.Open())))})
	}
	return l
}

// archiveOf is an archive of these members with right checksums, in a folder.
func archiveOf(folder string, l []member) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range l {
		h := &zip.FileHeader{Name: folder + m.name, CRC32: crc32.ChecksumIEEE(m.data), CompressedSize64: uint64(len(m.data)), UncompressedSize64: uint64(len(m.data))}
		must(must(w.CreateRaw(h)).Write(m.data))
	}
	must(0, w.Close())
	return b.Bytes()
}

func fixture(name string) []byte { return must(os.ReadFile(filepath.Join("testdata", name))) }

// with is an archive of Python's with one member in place of another.
func with(name string, data []byte) []byte {
	l := membersOf(fixture("python.pt"))
	for i := range l {
		if l[i].name == name {
			l[i].data = data
			return archiveOf("m/", l)
		}
	}
	return archiveOf("m/", append(l, member{name, data}))
}

// Parts of pickles: a storage of four floats, which is record 0 of the archive, and what stands around it.
const (
	reference = "(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
	rebuild   = "ctorch._utils\n_rebuild_tensor_v2\n"
	noHooks   = "ccollections\nOrderedDict\n)R"
)

// unicode is the opcode of a text.
func unicode(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// tensorAs is a pickle of a tensor of that storage.
func tensorAs(offset, size, stride string) string {
	return rebuild + "(" + reference + offset + size + stride + "\x89" + noHooks + "tR"
}

// forgeries are pickles that end libtorch's process, make it read what is not the file's, or take memory or time without
// end. The text is part of the error.
var forgeries = map[string]struct{ pickle, want string }{
	"nothing":                       {"", "no pickle of protocol 2"},
	"protocol":                      {"\x80\x04N.", "no pickle of protocol 2"},
	"no end":                        {"N", "it ends early"},
	"two values":                    {"NN.", "something left over"},
	"more behind it":                {"N.N", "something left over"},
	"nothing on the stack":          {".", "something left over"},
	"takes what is not there":       {"\x85.", "a value that is not there"},
	"below its mark":                {"N(\x85.", "a value that is not there"},
	"mark above the stack":          {"NN(\x86t.", "a value that is not there"},
	"ends what did not begin":       {"Nt.", "it ends what did not begin"},
	"opcode":                        {"N2.", "the opcode 0x32"},
	"a long text":                   {"X\xff\xff\xff\xffabc.", "it ends early"},
	"an integer of 9 bytes":         {"\x8a\x09123456789.", "an integer of 9 bytes vs 8"},
	"memory of 64 GB":               {"Nr\xff\xff\xff\xff.", "as number 4294967295 of 0"},
	"a gap in memory":               {"Nq\x01.", "as number 1 of 0"},
	"memory that was not stored":    {"Nq\x00h\x01.", "it fetches value 1 of 1"},
	"key without value":             {"}(Nu.", "a key without a value"},
	"key of a tuple":                {"}(N\x85Nu.", "a key that is none"},
	"list filled as a dict":         {"](X\x01\x00\x00\x00aNu.", "no new list or dict"},
	"fills what is not there":       {"(Ne.", "a value that is not there"},
	"fills below its mark":          {"]((Ne.", "a value that is not there"},
	"list in itself":                {"]q\x00(h\x00e.", "a value in itself"},
	"two lists in each other":       {"]q\x00]q\x01(h\x00eh\x00(h\x01e.", "no new list or dict"},
	"a function in itself":          {"ccollections\nOrderedDict\nh\x00.", "it fetches value 0 of 0"},
	"a number as a function":        {"K\x00)R.", "it calls a value that is no function"},
	"a number as a class":           {"K\x00)\x81.", "a new object of something else than a class"},
	"a function as a class":         {"ccollections\nOrderedDict\n)\x81.", "a new object of something else than a class"},
	"os.system":                     {"cos\nsystem\n" + unicode("ls") + "\x85R.", "got os.system, which is not supported"},
	"torch.load":                    {"ctorch\nload\n" + unicode("ls") + "\x85R.", "got torch.load, which is not supported"},
	"sparse":                        {"ctorch._utils\n_rebuild_sparse_tensor\nN\x85R.", "_rebuild_sparse_tensor, which is not supported"},
	"table of tensors":              {"ctorch.jit._pickle\nbuild_tensor_from_id\nK\x00\x85R.", "build_tensor_from_id, which is not supported"},
	"name without end":              {"c" + strings.Repeat("a", 5000), "a name that is none"},
	"name of other characters":      {"c__torch__\nA(\n", "a name that is none"},
	"list of nothing":               {"ctorch.jit._pickle\nbuild_intlist\n)R.", "build_intlist of other arguments"},
	"list of a number":              {"ctorch.jit._pickle\nbuild_tensorlist\nK\x01\x85R.", "build_tensorlist of other arguments"},
	"type of nothing":               {"ctorch.jit._pickle\nrestore_type_tag\n]\x85R.", "restore_type_tag of other arguments"},
	"type in brackets":              {"ctorch.jit._pickle\nrestore_type_tag\n]" + unicode(strings.Repeat("List[", 5000)+"int"+strings.Repeat("]", 5000)) + "\x86R.", "restore_type_tag of other arguments"},
	"half a complex number":         {"cbuiltins\ncomplex\nG12345678\x85R.", "complex of other arguments"},
	"device of two":                 {"ctorch\ndevice\n)R.", "torch.device of other arguments"},
	"storage of nothing":            {")Q.", "a reference to something else than a storage"},
	"storage of a number":           {"K\x01Q.", "a reference to something else than a storage"},
	"storage of no type":            {strings.Replace(reference, "ctorch\nFloatStorage\n", "K\x06", 1) + ".", "a reference to something else"},
	"storage of a foreign type":     {"ctorch\nMagicStorage\n.", "torch.MagicStorage, which is not supported"},
	"storage that is not there":     {strings.Replace(reference, "\x01\x00\x00\x000", "\x03\x00\x00\x00999", 1) + ".", "got no storage 999"},
	"storage longer than its data":  {strings.Replace(reference, "K\x04", "M\xff\xff", 1) + ".", "bytes vs 262140"},
	"storage of a negative length":  {strings.Replace(reference, "K\x04", "J\xff\xff\xff\xff", 1) + ".", "a storage of -1 elements"},
	"storage longer than memory":    {strings.Replace(reference, "K\x04", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", 1) + ".", "a storage of 9223372036854775807 elements"},
	"tensor larger than its data":   {tensorAs("K\x00", "K\x05\x85", "K\x01\x85") + ".", "ends at 5 of a storage of 4"},
	"tensor behind its data":        {tensorAs("K\x04", "K\x01\x85", "K\x01\x85") + ".", "ends at 5 of a storage of 4"},
	"tensor before its data":        {tensorAs("J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85") + ".", "a tensor at -1"},
	"tensor of negative size":       {tensorAs("K\x00", "J\xff\xff\xff\xff\x85", "K\x01\x85") + ".", "a size or stride that is none"},
	"tensor of wide strides":        {tensorAs("K\x00", "K\x02\x85", "M\xff\xff\x85") + ".", "ends at 65536 of a storage"},
	"tensor of overflowing strides": {tensorAs("K\x00", "K\xff\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x00\x85") + ".", "outside of its storage"},
	"tensor of overflowing size":    {tensorAs("K\x00", "\x8a\x08\xff\xff\xff\xff\xff\xff\x00\x00M\xff\xff\x86", "K\x00K\x00\x86") + ".", "too many elements"},
	"tensor of too few strides":     {tensorAs("K\x00", "K\x01K\x01\x86", "K\x01\x85") + ".", "2 sizes and 1 strides"},
	"tensor of a number":            {rebuild + "(K\x00K\x00))\x89NtR.", "a tensor of other arguments"},
	"tensor of nothing":             {rebuild + ")R.", "a tensor of other arguments"},
	"tensor of a list":              {rebuild + "]R.", "of other arguments"},
	"quantised without parameters":  {"ctorch._utils\n_rebuild_qtensor\n(" + reference + "K\x00))tR.", "without its parameters"},
	"quantised by nothing":          {"ctorch._utils\n_rebuild_qtensor\n(" + reference + "K\x00))ctorch\nper_channel_affine\n\x85\x89NtR.", "without its parameters"},
	"tuples in tuples":              {"N" + strings.Repeat("\x85", 100_000) + ".", "values inside each other"},
	"twice in each other":           {"N" + strings.Repeat("q\x00h\x00\x86", 100) + ".", "in others too often"},
}

// storagesOf are the storages of an archive, none shorter than 16 bytes.
func storagesOf(b []byte) func(key string) *zip.File {
	a := must(openArchive(b))
	for _, f := range a.members {
		f.UncompressedSize64 = max(f.UncompressedSize64, 16)
	}
	return func(key string) *zip.File { return a.members["data/"+key] }
}

func TestForgedPickles(t *testing.T) {
	storage := storagesOf(fixture("python.pt"))
	start := time.Now()
	for name, f := range forgeries {
		p := f.pickle
		if name != "nothing" && name != "protocol" {
			p = "\x80\x02" + p
		}
		_, err := checkPickle([]byte(p), storage)
		if err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%s: got error %v, want %q", name, err, f.want)
			continue
		}
		oneLine(t, err)
	}
	for name, p := range map[string]string{
		"tensor":        tensorAs("K\x00", "K\x02K\x02\x86", "K\x02K\x01\x86"),
		"its transpose": tensorAs("K\x00", "K\x02K\x02\x86", "K\x01K\x02\x86"),
		"one element":   tensorAs("K\x03", "K\x09\x85", "K\x00\x85"),
		"none":          tensorAs("K\x04", "K\x00\x85", "K\x01\x85"),
		"a number":      tensorAs("K\x02", ")", ")"),
		"conjugate":     strings.Replace(tensorAs("K\x00", ")", ")"), "tR", "}(X\x04\x00\x00\x00conj\x88utR", 1),
		"values":        "(K\x01M\x01\x02J\xff\xff\xff\xff\x8a\x0812345678G12345678\x88\x89Nt",
	} {
		if _, err := checkPickle([]byte("\x80\x02"+p+"."), storage); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

// oneLine wants an error that can stand in a log.
func oneLine(t testing.TB, err error) {
	t.Helper()
	if s := err.Error(); len(s) > 500 || strings.ContainsAny(s, "\n\r\x1b") || !utf8.ValidString(s) {
		t.Fatalf("got error %q", s)
	}
}

// What Python writes passes: every kind of value, and quantised weights.
func TestArchivesOfPython(t *testing.T) {
	for _, name := range []string{"python.pt", "quantised.pt"} {
		if err := check(fixture(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := check(archiveOf("other name/", membersOf(fixture(name)))); err != nil {
			t.Errorf("%s, packed again: %v", name, err)
		}
	}
	// What is beside the module may be anything.
	for _, name := range []string{"extra/a.pkl", "extra/code/a.py", "bytecode.pkl"} {
		if err := check(with(name, []byte("\x80\x04"+strings.Repeat("(", 5000)))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, ok := ReadFile(bytes.NewReader(fixture("python.pt")), int64(len(fixture("python.pt"))), "note.txt"); !ok || text != "hello" {
		t.Errorf("got %q, %v", text, ok)
	}
}

// forgedArchives are such whose structure is not what torch writes. The text is part of the error.
func forgedArchives() map[string][]byte {
	good := fixture("python.pt")
	l := membersOf(good)
	le := binary.LittleEndian
	change := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	end := len(good) - 22
	dir := bytes.Index(good, []byte("PK\x01\x02"))
	bomb := func(n int) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, name := range []string{"m/constants.pkl", "m/data/0"} {
			must(must(w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})).Write(make([]byte, n)))
		}
		must(0, w.Close())
		return b.Bytes()
	}
	two := archiveOf("m/", l)
	two = append(two[:len(two):len(two)], two...) // the first one's directory is not the file's end
	partly := archiveOf("m/", l)
	copy(partly[len(partly)-12:], "\xff\xff")
	return map[string][]byte{
		"it does not end with its directory":   append(bytes.Clone(good), 0),
		"not end with its directory)":          change(func(b []byte) { b[end+20] = 1 }),
		"it has two directories":               change(func(b []byte) { le.PutUint32(b[end+16:], uint32(dir)+46) }),
		"two directories)":                     change(func(b []byte) { b[end+10]++ }),
		"end of its directory is not where":    change(func(b []byte) { b[end-20+8]++ }),
		"directory is not where it should be)": change(func(b []byte) { b[end-76+4]++ }),
		"its directory is not in its place":    two,
		"got a damaged archive":                change(func(b []byte) { b[dir] = 'X' }),
		"zip: not a valid zip file":            change(func(b []byte) { le.PutUint32(b[dir+42:], 1) }),
		"a part of its directory is missing":   partly,
		`a member with the name "m/a\x00.py"`:  archiveOf("m/", append(l, member{"a\x00.py", nil})),
		"got two members DATA.pkl":             archiveOf("m/", append(l, member{"DATA.pkl", nil})),
		"two members data/0":                   archiveOf("m/", append(l, member{"data/0", nil})),
		"of two folders":                       archiveOf("", append([]member{{"m/constants.pkl", nil}}, member{"n/data.pkl", nil})),
		"the format of torch before 1.2":       archiveOf("m/", append(l, member{"model.json", []byte("{}")})),
		"bytes that unpack to":                 bomb(maxUnpacked + 1<<20),
		"claim more than its":                  change(func(b []byte) { le.PutUint32(b[dir+20:], 1<<30); le.PutUint32(b[dir+24:], 1<<30) }),
		"of 17 bytes and of":                   change(func(b []byte) { le.PutUint32(b[dir+20:], 17) }),
		"a way that torch does not write":      change(func(b []byte) { b[dir+10] = 12 }),
		"torch does not write":                 change(func(b []byte) { b[dir+8] |= 1 }),
		"zip: checksum error":                  change(func(b []byte) { copy(b[dir+16:], "\x00\x00\x00\x00") }),
		"got no pickle of protocol 2":          with("data.pkl", []byte("hello")),
		"opcode 0x32, which torch":             with("CODE/a.DEBUG_pkl", []byte("\x80\x02N2.")),
		"got no table of source ranges":        with("code/__torch__.py.debug_pkl", []byte("\x80\x02).")),
		"it calls a value that is no function": with("constants.pkl", []byte("\x80\x02K\x00)R.")),
		"as number 4294967295 of 0":            with("code/__torch__.py.debug_pkl", []byte("\x80\x02Nr\xff\xff\xff\xff.")),
		"brackets inside each other":           with("code/__torch__.py", []byte("x = "+strings.Repeat("(", 5000))),
		"bytes vs at most 16777216":            with("data.pkl", make([]byte, maxPickle+1)),
	}
}

func TestForgedArchives(t *testing.T) {
	for want, b := range forgedArchives() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		err := check(b)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
			continue
		}
		oneLine(t, err)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+8*len(b)) {
			t.Errorf("%s: %d bytes for %d", want, n, len(b))
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s: took %v", want, d)
		}
	}
}

// What would fill the stack of libtorch's compiler is refused, and what looks like it in a text or a list is not.
func TestNestedSource(t *testing.T) {
	many := func(s string) string { return strings.Repeat(s, 5000) }
	for name, s := range map[string]string{
		"brackets": "x = " + many("("), "sums": "x = a" + many(" + a"), "signs": "x = " + many("-") + "a", "calls": "f" + many("(a)"),
		"indices": "x = a" + many("[0]"), "attributes": "x = a" + many(".a"), "not": "x = " + many("not ") + "a", "and": "x = a" + many(" and a"),
		"conditions": "x = " + many("a if b else ") + "c", "comparisons": "x = a" + many(" < a"), "blocks": strings.Repeat(" ", 5000) + "x = 1",
		"elif": "if a:\n  x\n" + many("elif b:\n  x\n"), "continued": "x = a" + many(" + \\\na"), "in brackets": "x = (a" + many(" +\n a") + ")",
		"types": "def f(x: " + many("List[") + "int", "a comment that is a type": "# type: (" + many("List[") + "int",
		"after a text": `x = "a" ` + many("+ a"), "after a long text": `x = """"` + "\n" + `""" ` + many("+ a"), "after an open text": `x = "a` + "\nx = a" + many(" + a"),
		"after a quote in a text": `x = '\'' ` + many("+ a"),
	} {
		if err := checkSource(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, s := range map[string]string{
		"a list":            "x = [" + many("-1.5, ") + "]",
		"nested lists":      "x = [" + many("[-1.5, a.b], ") + "]",
		"statements":        many("x = a + b\n"),
		"a text":            `x = "` + many("(+") + `"` + "\n",
		"many texts":        many(`x = "(" + '[' + """{` + "\n" + `"""` + "\n"),
		"empty lines":       many("\n") + "x = 1",
		"a comment":         "# " + many("(+") + "\nx = 1\n",
		"arguments":         "f(" + many("a.b + c, ") + ")",
		"blocks":            "if a:\n" + many("  if b:\n    x = (1,\n  2)\n"),
		"words in names":    "x = [" + many("and_in_not_if, android, ") + "]",
		"brackets of texts": `raise Exception("no (")` + "\n" + many("x = a + b\n"),
	} {
		if err := checkSource(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
