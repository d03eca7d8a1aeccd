package data

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// zipEntry is an entry as its directory describes it; what is not given is right.
type zipEntry struct {
	name     string
	data     []byte
	deflated bool
	claims   uint64 // of its length
	flags    uint16
	mode     fs.FileMode
}

func zipOf(entries ...zipEntry) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		if e.deflated {
			h.Method = zip.Deflate
		}
		if e.claims == 0 && e.flags == 0 {
			must(must(w.CreateHeader(h)).Write(e.data))
			continue
		}
		h.Flags, h.UncompressedSize64, h.CompressedSize64 = e.flags, e.claims, uint64(len(e.data))
		must(must(w.CreateRaw(h)).Write(e.data))
	}
	must(0, w.Close())
	return b.Bytes()
}

func openZipBytes(b []byte) (*Zip, error) {
	return newZip(bytes.NewReader(b), int64(len(b)), "set.zip", maxDirectory)
}

// deflatedZeros is what n zeros are compressed to, without a zip file around them.
func deflatedZeros(n int) []byte {
	z := zipOf(zipEntry{name: "a.png", data: make([]byte, n), deflated: true})
	r := must(zip.NewReader(bytes.NewReader(z), int64(len(z))))
	at := must(r.File[0].DataOffset())
	return z[at:][:r.File[0].CompressedSize64]
}

func TestHostileZips(t *testing.T) {
	good := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, quarters(16, 16)) })
	for name, c := range map[string]struct {
		entry zipEntry
		want  string // of the error when the picture is read; "" for none
	}{
		"plain":               {zipEntry{name: "a.png", data: good}, ""},
		"out of the folder":   {zipEntry{name: "../../a.png", data: good}, ""},
		"from the root":       {zipEntry{name: "/etc/a.png", data: good}, ""},
		"backslashes":         {zipEntry{name: `x\..\a.png`, data: good}, ""},
		"wrong extension":     {zipEntry{name: "a.jpg", data: good}, ""},
		"link":                {zipEntry{name: "a.png", data: []byte("/etc/passwd"), mode: fs.ModeSymlink | 0o777}, "set.zip: a.png: got a link"},
		"device":              {zipEntry{name: "a.png", data: good, mode: fs.ModeDevice | 0o666}, "got a link or a device"},
		"encrypted":           {zipEntry{name: "a.png", data: good, claims: 10, flags: 1}, "set.zip: a.png: got an encrypted entry"},
		"nested":              {zipEntry{name: "a.png", data: zipOf(zipEntry{name: "b.png", data: good})}, "unknown format"},
		"claims a terabyte":   {zipEntry{name: "a.png", data: good, claims: 1 << 40}, "too large: 1099511627776 bytes"},
		"claims more":         {zipEntry{name: "a.png", data: good, claims: 400 << 20}, "unexpected EOF"},
		"claims less":         {zipEntry{name: "a.png", data: deflatedZeros(8 << 20), deflated: true, claims: 1000}, "not a valid zip file"},
		"zeros, a thousandth": {zipEntry{name: "a.png", data: make([]byte, 4<<20), deflated: true}, "unknown format"},
		"a name of two lines": {zipEntry{name: "a\n\x1b[2J\xff.png", data: good[:50]}, `set.zip: "a\n\x1b[2J\xff.png": data: decode`},
	} {
		t.Run(name, func(t *testing.T) {
			z, err := openZipBytes(zipOf(c.entry))
			require.NoError(t, err)
			require.Equal(t, 1, z.Len())
			n := allocated(func() {
				for _, ds := range []Dataset{z, AsScored(z)} {
					_, err = ds.Image(0)
					if c.want == "" {
						require.NoError(t, err)
						continue
					}
					require.ErrorContains(t, err, c.want)
					requireLine(t, err)
				}
			})
			require.Less(t, n, int64(2*16<<20))
		})
	}
}

// As for whoever unpacks the file: of one name there is one picture, the last.
func TestZipNamesCountOnce(t *testing.T) {
	one := func(w int) []byte { return hostilePNG(w, 1, 8, 0, false) }
	z, err := openZipBytes(zipOf(zipEntry{name: "b.png", data: one(1)}, zipEntry{name: "a.png", data: one(2)},
		zipEntry{name: "b.png", data: one(3)}, zipEntry{name: "b.png", data: one(4)}, zipEntry{name: "c.txt"}))
	require.NoError(t, err)
	require.Equal(t, 2, z.Len())
	for i, want := range []int{2, 4} {
		img, err := z.Image(i)
		require.NoError(t, err)
		require.Equal(t, want, img.Bounds().Dx())
	}
}

func TestZipDirectories(t *testing.T) {
	var many []zipEntry
	for i := range 20_000 {
		many = append(many, zipEntry{name: fmt.Sprintf("%05d.png", i)})
	}
	file := zipOf(many...)
	start := time.Now()
	var z *Zip
	n := allocated(func() {
		var err error
		z, err = openZipBytes(file)
		require.NoError(t, err)
	})
	require.Equal(t, 20_000, z.Len())
	require.Less(t, n, int64(10*len(file)))
	require.Less(t, time.Since(start), 2*time.Second)
	_, err := newZip(bytes.NewReader(file), int64(len(file)), "set.zip", 1<<20)
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorContains(t, err, "the directory has more than 1 MB: unpack the file into a folder")

	_, err = openZipBytes(zipOf(zipEntry{name: "a.txt"}, zipEntry{name: "__MACOSX/a.png"}, zipEntry{name: ".a.png"}))
	require.ErrorIs(t, err, ErrNoImages)
	require.ErrorContains(t, err, "among 3 entries")
	path := filepath.Join(t.TempDir(), "cut\n.zip")
	require.NoError(t, os.WriteFile(path, file[:len(file)/2], 0o644))
	_, err = OpenZip(path)
	require.ErrorContains(t, err, "not a valid zip file")
	requireLine(t, err)
}

// zipped is a .gz of some bytes.
func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	must(w.Write(b))
	must(0, w.Close())
	return out.Bytes()
}

func tarOf(name string, kind byte, data []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h := &tar.Header{Name: name, Typeflag: kind, Mode: 0o644}
	if kind == tar.TypeReg {
		h.Size = int64(len(data))
	} else {
		h.Linkname, data = "/etc/passwd", nil
	}
	must(0, w.WriteHeader(h))
	must(w.Write(data))
	must(0, w.Close())
	return b.Bytes()
}

func TestHostileRecords(t *testing.T) {
	record := make([]byte, 2*cifarRecord)
	for name, c := range map[string]struct {
		tar  []byte
		most int64
		want string
		len  int
	}{
		"as it should be":         {tarOf("x/data_batch_1.bin", tar.TypeReg, record), maxRaw, "", 2},
		"out of the folder":       {tarOf("../../data_batch_1.bin", tar.TypeReg, record), maxRaw, "", 2},
		"link":                    {tarOf("data_batch_1.bin", tar.TypeSymlink, nil), maxRaw, "", 0},
		"hard link":               {tarOf("data_batch_1.bin", tar.TypeLink, nil), maxRaw, "", 0},
		"more than may be":        {tarOf("data_batch_1.bin", tar.TypeReg, record), cifarRecord, "too large", 0},
		"cut off":                 {tarOf("data_batch_1.bin", tar.TypeReg, record)[:2000], maxRaw, "unexpected EOF", 0},
		"half a record":           {tarOf("data_batch_1.bin", tar.TypeReg, record[:100]), maxRaw, "got 100 bytes vs records of 3073", 0},
		"a megabyte of something": {tarOf("readme.html", tar.TypeReg, make([]byte, 3<<20)), maxRaw, "too large: it unpacks", 0},
	} {
		cf := cifar{most: c.most}
		err := cf.addTar(bytes.NewReader(zipped(c.tar)), 1<<20)
		if c.want != "" {
			require.ErrorContains(t, err, c.want, name)
			requireLine(t, err)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.len, cf.set().Len(), name)
	}

	head := func(n, h, w uint32) []byte {
		b := []byte{0, 0, 8, 3}
		for _, v := range []uint32{n, h, w} {
			b = append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
		}
		return b
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":           {nil, "no IDX header"},
		"labels":            {[]byte{0, 0, 8, 1, 0, 0, 0, 1, 7, 7, 7, 7, 7, 7, 7, 7, 7}, "no IDX header"},
		"no pictures":       {head(0, 28, 28), "got 0 pictures"},
		"claims everything": {head(1<<32-1, 1<<15, 1<<15), "too large: 4294967295 pictures of 32768 x 32768"},
		"claims a gigabyte": {head(1<<20, 32, 32), "got 0 bytes vs 1048576 pictures of 32 x 32"},
		"one byte less":     {append(head(1, 2, 2), 1, 2, 3), "got 3 bytes vs 1 pictures of 2 x 2"},
		"one byte more":     {append(head(1, 2, 2), 1, 2, 3, 4, 5), "got more bytes vs 1 pictures of 2 x 2"},
	} {
		for _, gz := range []bool{false, true} {
			file := c.file
			if gz {
				file = zipped(file)
			}
			var err error
			n := allocated(func() { _, err = readIDX(bytes.NewReader(file), gz, maxRaw) })
			require.ErrorContains(t, err, c.want, name)
			requireLine(t, err)
			require.Less(t, n, int64(3<<20), name)
		}
	}
	_, err := readIDX(bytes.NewReader(zipped(append(head(1, 2, 2), 1, 2, 3, 4))[:30]), true, maxRaw)
	require.ErrorContains(t, err, "unexpected EOF")
}

// Two links in each of many folders lead to as many places as there are ways; each folder counts once.
func TestLinksDoNotMultiply(t *testing.T) {
	dir := t.TempDir()
	const deep = 40
	for i := range deep {
		d := filepath.Join(dir, fmt.Sprint("d", i))
		require.NoError(t, os.Mkdir(d, 0o755))
		for _, name := range []string{"a", "b"} {
			require.NoError(t, os.Symlink(fmt.Sprintf("../d%d", i+1), filepath.Join(d, name)))
		}
	}
	last := filepath.Join(dir, fmt.Sprint("d", deep))
	require.NoError(t, os.Mkdir(last, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(last, "a.png"), nil, 0o644))
	f, err := OpenFolder(filepath.Join(dir, "d0"))
	require.NoError(t, err)
	require.Equal(t, 1, f.Len())
	f, err = OpenFolder(dir)
	require.NoError(t, err)
	require.Equal(t, 2, f.Len(), "in its folder, and once behind a link")
}
