package data

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// hostilePNG is w x h pixels of zeros, the most that a byte of zlib can unpack to.
func hostilePNG(w, h int, depth, colour byte, interlaced bool) []byte {
	bits := int(depth) * map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
	var z bytes.Buffer
	zw := zlib.NewWriter(&z)
	pass := func(w, h int) {
		row := make([]byte, 1+(w*bits+7)/8)
		for range h {
			must(zw.Write(row))
		}
	}
	lace := byte(0)
	if !interlaced {
		pass(w, h)
	} else {
		lace = 1
		for _, p := range [][4]int{{8, 8, 0, 0}, {8, 8, 4, 0}, {4, 8, 0, 4}, {4, 4, 2, 0}, {2, 4, 0, 2}, {2, 2, 1, 0}, {1, 2, 0, 1}} {
			if pw, ph := (w-p[2]+p[0]-1)/p[0], (h-p[3]+p[1]-1)/p[1]; pw > 0 && ph > 0 {
				pass(pw, ph)
			}
		}
	}
	must(0, zw.Close())
	return pngOf(w, h, depth, colour, lace, z.Bytes())
}

func pngOf(w, h int, depth, colour, interlace byte, idat []byte) []byte {
	be := binary.BigEndian
	b := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		b = be.AppendUint32(b, uint32(len(data)))
		from := len(b)
		b = append(append(b, name...), data...)
		b = be.AppendUint32(b, crc32.ChecksumIEEE(b[from:]))
	}
	chunk("IHDR", append(be.AppendUint32(be.AppendUint32(nil, uint32(w)), uint32(h)), depth, colour, 0, 0, interlace))
	if colour == 3 {
		chunk("PLTE", []byte{1, 2, 3, 4, 5, 6})
	}
	chunk("IDAT", idat)
	chunk("IEND", nil)
	return b
}

// hostileJPEG has scans that go over all blocks and change nothing: of a progressive one ten bytes each, as one code says that
// the next 32,767 blocks are as they were.
func hostileJPEG(w, h, components int, progressive bool, scans int) []byte {
	b := []byte{0xff, 0xd8}
	segment := func(marker byte, data ...byte) {
		b = append(b, 0xff, marker, byte((len(data)+2)>>8), byte(len(data)+2))
		b = append(b, data...)
	}
	segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...)
	frame := []byte{8, byte(h >> 8), byte(h), byte(w >> 8), byte(w), byte(components)}
	for c := range components {
		frame = append(frame, byte(c+1), 0x11, 0)
	}
	// Two tables of one code each, a single 0: no difference, and the end of the block or of many.
	segment(map[bool]byte{false: 0xc0, true: 0xc2}[progressive], frame...)
	one := make([]byte, 15)
	segment(0xc4, append([]byte{0x00, 1}, append(one, 0)...)...)
	blocks := ((w + 7) / 8) * ((h + 7) / 8)
	var scan, data []byte
	if progressive {
		segment(0xc4, append([]byte{0x10, 1}, append(one, 0xe0)...)...)
		scan = []byte{1, 1, 0, 1, 63, 0x10}
		for bits := make([]bool, 0, 32); blocks > 0 || len(bits) > 0; {
			if blocks > 0 {
				bits = append(bits, false)
				for range 14 {
					bits = append(bits, true)
				}
				blocks -= 32767
			}
			for len(bits) >= 8 || blocks <= 0 && len(bits) > 0 {
				v := byte(0)
				for i := range 8 {
					if v <<= 1; i < len(bits) && bits[i] {
						v |= 1
					}
				}
				bits = bits[min(8, len(bits)):]
				if data = append(data, v); v == 0xff {
					data = append(data, 0)
				}
			}
		}
	} else {
		segment(0xc4, append([]byte{0x10, 1}, append(one, 0)...)...)
		scan = []byte{1, 1, 0, 0, 63, 0}
		data = make([]byte, (2*blocks+7)/8)
	}
	for range scans {
		segment(0xda, scan...)
		b = append(b, data...)
	}
	return append(b, 0xff, 0xd9)
}

// hostileTIFF has tiles of tw x th, or strips of th rows if tw is 0, all of which point at the same bytes.
func hostileTIFF(w, h, tw, th int, compression uint32) []byte {
	n, pixels := (h+th-1)/th, w*th
	if tw > 0 {
		n, pixels = n*((w+tw-1)/tw), tw*th
	}
	data := make([]byte, min(4*pixels, 1<<20))
	if compression == 8 {
		var z bytes.Buffer
		zw := zlib.NewWriter(&z)
		must(zw.Write(data))
		must(0, zw.Close())
		data = z.Bytes()
	}
	le := binary.LittleEndian
	type entry struct {
		tag, kind uint16
		count     int
		value     uint32
	}
	e := []entry{{256, 4, 1, uint32(w)}, {257, 4, 1, uint32(h)}, {258, 3, 4, 8}, {259, 3, 1, compression}, {262, 3, 1, 2}}
	if tw == 0 {
		e = append(e, entry{273, 4, n, 8}, entry{278, 4, 1, uint32(th)}, entry{279, 4, n, uint32(len(data))})
	} else {
		e = append(e, entry{322, 4, 1, uint32(tw)}, entry{323, 4, 1, uint32(th)}, entry{324, 4, n, 8}, entry{325, 4, n, uint32(len(data))})
	}
	e = append(e, entry{338, 3, 1, 2})
	b := append(le.AppendUint32([]byte("II*\x00"), uint32(8+len(data))), data...)
	b = le.AppendUint16(b, uint16(len(e)))
	at := len(b) + 12*len(e) + 4
	var lists []byte
	for _, e := range e {
		b = le.AppendUint32(le.AppendUint16(le.AppendUint16(b, e.tag), e.kind), uint32(e.count))
		if e.count == 1 {
			b = le.AppendUint32(b, e.value)
			continue
		}
		b = le.AppendUint32(b, uint32(at+len(lists)))
		for range e.count {
			if e.kind == 3 {
				lists = le.AppendUint16(lists, uint16(e.value))
			} else {
				lists = le.AppendUint32(lists, e.value)
			}
		}
	}
	return append(append(b, 0, 0, 0, 0), lists...)
}

// hostileWebP is a lossless picture whose pixels take no bits at all: each tree has one symbol.
func hostileWebP(w, h int) []byte {
	v, n := uint64(0x2f)|uint64(w-1)<<8|uint64(h-1)<<22, 40
	b := binary.LittleEndian.AppendUint64(nil, v)[:n/8]
	b = append(b, 0x88, 0x88, 0x08, 0, 0, 0) // no transform, no cache, one group; five times 1000: simple, one symbol, 0
	f := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(12+len(b)))...)
	f = append(f, "WEBPVP8L"...)
	return append(binary.LittleEndian.AppendUint32(f, uint32(len(b))), append(b, 0)[:len(b)+len(b)%2]...)
}

func hostileBMP(w, h int32) []byte {
	b := make([]byte, 54)
	copy(b, "BM")
	le := binary.LittleEndian
	le.PutUint32(b[10:], 54)
	le.PutUint32(b[14:], 40)
	le.PutUint32(b[18:], uint32(w))
	le.PutUint32(b[22:], uint32(h))
	b[26], b[28] = 1, 24
	return b
}

// manyFrames is a GIF with n frames of the same pixel.
func manyFrames(n int) []byte {
	g := gif.GIF{}
	for range n {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Black, color.White}))
		g.Delay = append(g.Delay, 1)
	}
	var b bytes.Buffer
	must(0, gif.EncodeAll(&b, &g))
	return b.Bytes()
}

// must is v; errors of writers to memory are mistakes of the test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// allocated is how many bytes f allocates, freed ones too.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// requireLine wants a text that does not fill a screen or write on it.
func requireLine(t testing.TB, err error) {
	t.Helper()
	s := err.Error()
	if !utf8.ValidString(s) || len(s) > 9000 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Fatalf("not one line: %q", s)
	}
}

// Files that claim much are refused before anything is made for them; those that are cut off, or are of another kind than
// their name says, have a reason.
func TestHostilePictures(t *testing.T) {
	good := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, quarters(16, 16)) })
	gifScreen := []byte("GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff;")
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"PNG header":            {pngOf(30000, 30000, 8, 2, 0, nil), "30000 x 30000 vs at most 64 megapixels"},
		"PNG line":              {hostilePNG(1, 1<<20, 1, 0, false), "1 x 1048576 vs at most 65535 on a side"},
		"PNG of nothing":        {pngOf(0, 5, 8, 2, 0, nil), "non-positive dimension"},
		"JPEG header":           {hostileJPEG(65535, 65535, 3, true, 1), "65535 x 65535 vs at most"},
		"JPEG without height":   {hostileJPEG(8, 0, 1, false, 1), "got a picture of 8 x 0"},
		"JPEG of many scans":    {hostileJPEG(8192, 8192, 1, true, maxScans+1), "a JPEG of 8192 x 8192 in 33 scans vs at most 32"},
		"small, of more scans":  {hostileJPEG(1024, 2048, 3, true, 32*maxScans+1), "in 1025 scans vs at most 1024"},
		"not progressive":       {hostileJPEG(4096, 4096, 1, false, maxScans+1), "in 33 scans vs at most 32"},
		"GIF screen":            {gifScreen, "65535 x 65535 vs at most"},
		"WebP canvas":           {hostileWebP(16384, 16384), "16384 x 16384 vs at most"},
		"BMP header":            {hostileBMP(30000, 30000), "30000 x 30000 vs at most"},
		"BMP upside down":       {hostileBMP(30000, -30000), "30000 x 30000 vs at most"},
		"BMP of nothing":        {hostileBMP(0, 0), "got a picture of 0 x 0"},
		"TIFF header":           {hostileTIFF(30000, 30000, 0, 30000, 1), "30000 x 30000 vs at most"},
		"TIFF of tiny tiles":    {hostileTIFF(8192, 2048, 8, 8, 8), "in 262144 tiles vs at most 131072"},
		"text":                  {[]byte("hello, world"), "unknown format"},
		"a program":             {[]byte("\x7fELF\x02\x01\x01"), "unknown format"},
		"an archive":            {[]byte("PK\x03\x04"), "unknown format"},
		"PNG without its end":   {good[:len(good)/2], "not enough pixel data"},
		"PNG's first bytes":     {good[:20], "unexpected EOF"},
		"an empty file":         {nil, "unknown format"},
		"GIF of an empty frame": {[]byte("GIF89a\x02\x00\x02\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x01\x2c\x00;"), "got a picture of 0 x 0"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, decode := range []func([]byte) (any, error){
				func(b []byte) (any, error) { return Decode(b) },
				func(b []byte) (any, error) { return DecodeRGB(b) },
			} {
				var err error
				start := time.Now()
				bytes := allocated(func() { _, err = decode(c.file) })
				require.ErrorContains(t, err, c.want)
				requireLine(t, err)
				require.Less(t, bytes, int64(1<<20+len(c.file)), "bytes allocated")
				require.Less(t, time.Since(start), 5*time.Second) // far above what any takes: other programs may run
				if strings.Contains(c.want, "at most") {
					require.ErrorIs(t, err, ErrTooLarge)
				}
			}
		})
	}
}

// What people have goes through: large, of many scans, of many frames, long.
func TestUnusualPicturesAreRead(t *testing.T) {
	for name, file := range map[string][]byte{
		"JPEG of 18 scans":    hostileJPEG(640, 480, 3, true, 18),
		"TIFF of small tiles": hostileTIFF(640, 480, 16, 16, 8),
		"TIFF of rows":        hostileTIFF(64, 2000, 0, 1, 8),
		"GIF of 1000 frames":  manyFrames(1000),
		"a long strip":        hostilePNG(3, 40000, 8, 2, false),
		"lossless WebP":       hostileWebP(100, 50),
		"interlaced":          hostilePNG(300, 200, 16, 6, true),
	} {
		_, err := Decode(file)
		require.NoError(t, err, name)
		p, err := DecodeRGB(file)
		require.NoError(t, err, name)
		p.Stretch(make([]byte, 3*8*8), 8)
	}
}

// Scaling a picture with one long side keeps all its rows for a moment. That is bounded by the longest side that is read.
func TestLongStripIsScaledInBoundedMemory(t *testing.T) {
	file := hostilePNG(1, maxSide, 8, 0, false)
	const r = 64
	dst := make([]byte, 3*r*r)
	n := allocated(func() {
		p, err := DecodeRGB(file)
		require.NoError(t, err)
		p.Stretch(dst, r)
	})
	require.Less(t, n, int64(3*r*maxSide+8<<20))
}
