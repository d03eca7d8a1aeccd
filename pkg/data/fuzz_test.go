package data

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fuzzPixels stands for MaxPixels: what claims more takes the same way out, and a machine that fuzzes has little memory.
const fuzzPixels = 1 << 16

// pictureSeeds are pictures of every format and kind, and attacks of a few kilobytes.
func pictureSeeds(f *testing.F) {
	files := pillowFiles(f)
	for _, name := range []string{
		"scene_420_q30.jpg", "noise_440_8x16.jpg", "noise_422_2x2.jpg", "progressive_420.jpg", "progressive_422.jpg", "restart.jpg", "cmyk.jpg", "grey.jpg",
		"rgba.png", "palette_alpha.png", "grey16_trns.png", "rgba16.png", "bit.png",
		"offset_trns.gif", "offset.gif", "grey.gif", "rgb.bmp", "palette.bmp", "rgb.tiff", "turned.tiff", "palette.tiff",
		"lossy.webp", "lossy_alpha.webp", "lossless.webp",
	} {
		f.Add(files[name])
	}
	f.Add(webp)
	f.Add(hostilePNG(30000, 30000, 1, 0, false)[:200])
	f.Add(hostilePNG(1, 1<<16, 8, 0, false))
	f.Add(hostilePNG(128, 256, 16, 6, true))
	f.Add(hostileJPEG(64, 64, 3, true, 40))
	f.Add(hostileJPEG(40, 24, 1, false, 20))
	f.Add(append(exifHead(6, binary.BigEndian), hostileJPEG(16, 24, 3, true, 5)[2:]...))
	f.Add(hostileTIFF(64, 64, 8, 8, 8))
	f.Add(hostileTIFF(20, 30, 0, 1, 8))
	f.Add(hostileTIFF(8, 64, 1024, 8, 1)[:3000])
	f.Add(hostileWebP(200, 300))
	f.Add(hostileBMP(200, -300))
	f.Add(manyFrames(50))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00"))
	f.Add([]byte("II*\x00\x08\x00\x00\x00"))
}

// exifHead is the beginning of a JPEG with an orientation.
func exifHead(o uint16, order binary.AppendByteOrder) []byte {
	t := exifOf(o, order)
	return append(append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, byte(len(t) + 8)}, "Exif\x00\x00"...), t...)
}

// exifOf is a TIFF directory with an orientation and nothing else.
func exifOf(o uint16, order binary.AppendByteOrder) []byte {
	b := order.AppendUint16([]byte{"MI"[btoi(order == binary.AppendByteOrder(binary.LittleEndian))]}, 0)[:1]
	b = append(b, b[0])
	b = order.AppendUint16(order.AppendUint32(order.AppendUint16(b, 42), 8), 1)
	b = order.AppendUint16(order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x0112), 3), 1), o)
	return append(b, 0, 0, 0, 0, 0, 0)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// FuzzDecode wants of any file an error on one line, or a picture of the size that was claimed, in the memory that was
// reckoned with: what Memory counts is what is used.
func FuzzDecode(f *testing.F) {
	pictureSeeds(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		var h *header
		var err error
		slack := int64(2<<20 + 8*len(file))
		if n := allocated(func() { h, err = inspect(file, fuzzPixels) }); n > slack {
			t.Fatalf("inspect: %d bytes for a file of %d", n, len(file))
		}
		if err != nil {
			requireLine(t, err)
			return
		}
		if h.w < 1 || h.h < 1 || h.w > maxSide || h.h > maxSide || h.w*h.h > fuzzPixels {
			t.Fatalf("%d x %d is let through", h.w, h.h)
		}
		slack += 64 << 10 * tilesOf(file, h.w, h.h).n * int64(btoi(h.kind == "tiff")) // garbage of each zlib.Reader
		within := func(what string, most int64, use func()) {
			if n := allocated(use); n > most+slack {
				t.Fatalf("%s: %d bytes vs %d for %d x %d of a %s of %d bytes", what, n, most, h.w, h.h, h.kind, len(file))
			}
		}
		var img image.Image
		within("upright", h.memory, func() { img, err = h.upright(file) })
		if (err == nil) == (img == nil) {
			t.Fatalf("a picture %v and the error %v", img != nil, err)
		}
		var p *RGB
		var err2 error
		within("rgb", h.memory, func() { p, err2 = h.rgb(file) })
		if (err == nil) != (err2 == nil) {
			t.Fatalf("upright: %v, rgb: %v", err, err2)
		}
		if err != nil {
			requireLine(t, err)
			requireLine(t, err2)
			return
		}
		w, hh := h.w, h.h
		if h.turned >= 5 && h.kind == "tiff" {
			w, hh = hh, w
		}
		if p.W != w || p.H != hh || len(p.Pix) != 3*w*hh {
			t.Fatalf("rgb: got %d x %d, %d bytes vs %d x %d", p.W, p.H, len(p.Pix), w, hh)
		}
		size := img.Bounds().Size()
		if h.turned >= 5 && h.kind == "jpeg" {
			size = image.Pt(size.Y, size.X)
		}
		if size != image.Pt(h.w, h.h) && !(h.kind == "gif" && size.X <= h.w && size.Y <= h.h) {
			t.Fatalf("upright: got %v vs %d x %d", size, h.w, h.h)
		}
		again, err := h.rgb(file)
		if err != nil || !bytes.Equal(p.Pix, again.Pix) {
			t.Fatalf("another picture the second time: %v", err)
		}
		const r = 8
		pix := make([]byte, 3*r*r)
		work := Transform{Resolution: r}.work(h.w, h.h)
		within("stretch", work, func() { p.Stretch(pix, r) })
		within("apply", work, func() { Transform{Resolution: r}.Apply(pix, img, nil) })

		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, p))
		q, err := DecodeRGB(b.Bytes())
		if err != nil || !bytes.Equal(p.Pix, q.Pix) {
			t.Fatalf("as a PNG it is another picture: %v", err)
		}
	})
}

// FuzzEXIF wants an orientation of any bytes, the same one whether they are alone or in a JPEG.
func FuzzEXIF(f *testing.F) {
	for o := range uint16(10) {
		f.Add(exifOf(o, binary.LittleEndian))
		f.Add(exifOf(o, binary.BigEndian))
	}
	f.Add([]byte("MM\x00*\xff\xff\xff\xff"))
	f.Add([]byte("II*\x00\x08\x00\x00\x00\xff\xff"))
	f.Add([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\xff\xff\xff\xff\xf0\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o := tiffOrientation(b)
		if o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
		_, _ = tilesOf(b, 100, 100), faxed(b)
		if n := len(b) + 8; n < 1<<16 && len(b) > 8 {
			head := append([]byte{0xff, 0xd8, 0xff, 0xe1, byte(n >> 8), byte(n)}, "Exif\x00\x00"...)
			if got := frameOf(append(head, b...)).turned; got != o {
				t.Fatalf("in a JPEG: %d vs %d", got, o)
			}
		}
		sum := 0
		for _, body := range segments(b) {
			sum += len(body) + 2
		}
		if got := frameOf(b); sum > len(b) || got.turned < 1 || got.turned > 8 || got.scans > len(b)/4 || got.pixels(9, 9) < 81 {
			t.Fatalf("%d bytes of segments in %d: %+v", sum, len(b), got)
		}
	})
}

// FuzzZip wants of any archive a list of pictures that can be read, each within its limit and the memory that its bytes allow.
func FuzzZip(f *testing.F) {
	file := hostilePNG(4, 4, 8, 2, false)
	for _, e := range [][]zipEntry{
		{{name: "a.png", data: file}}, {{name: "00/a.png", data: file, deflated: true}, {name: "dataset.json"}},
		{{name: "../a.png", data: file}, {name: "a.png", data: file}, {name: "a.png", data: []byte("/etc/passwd"), mode: 0o777 | 1<<27}},
		{{name: "a.png", data: file, claims: 1 << 40}}, {{name: "b.gif", data: deflatedZeros(1 << 20), deflated: true, claims: 10}},
		{{name: "a.png", data: zipOf(zipEntry{name: "b.png", data: file})}}, {{name: "a.png", data: file, claims: 10, flags: 1}},
		{{name: "\n\xff.png", data: make([]byte, 1<<20), deflated: true}}, {{name: "a.txt"}},
	} {
		f.Add(zipOf(e...))
	}
	const most = 1 << 20
	f.Fuzz(func(t *testing.T, b []byte) {
		var z *Zip
		var err error
		if n := allocated(func() { z, err = newZip(bytes.NewReader(b), int64(len(b)), "set.zip", maxDirectory) }); n > int64(1<<20+12*len(b)) {
			t.Fatalf("%d bytes for a file of %d", n, len(b))
		}
		if err != nil {
			requireLine(t, err)
			return
		}
		if !slices.IsSortedFunc(z.entries, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) }) || z.Len() < 1 {
			t.Fatal("not sorted, or empty")
		}
		for i := range min(z.Len(), 20) {
			if i > 0 && z.entries[i].Name == z.entries[i-1].Name {
				t.Fatalf("%q twice", z.entries[i].Name)
			}
			if !IsPicture(z.entries[i].Name) {
				t.Fatalf("%q is a picture", z.entries[i].Name)
			}
			var out []byte
			n := allocated(func() {
				s := zipSource{z, i}
				r, size, sure, err2 := s.open()
				if err = err2; err == nil {
					out, err = readAtMost(r, size, sure, most)
					r.Close()
				}
			})
			if n > int64(4*most+16*len(b)) || len(out) > most {
				t.Fatalf("%d bytes for an entry of %d", n, len(out))
			}
			if err != nil {
				requireLine(t, err)
			} else if len(out) != int(z.entries[i].UncompressedSize64) {
				t.Fatalf("%d bytes of an entry of %d", len(out), z.entries[i].UncompressedSize64)
			}
		}
	})
}

// samePixels compares the planes of record i with its bytes.
func samePixels(t *testing.T, r *raw, i int, record []byte) {
	t.Helper()
	img, err := r.Image(i)
	if err != nil || img.Bounds() != image.Rect(0, 0, r.w, r.h) {
		t.Fatalf("got %v, %v", img.Bounds(), err)
	}
	for _, k := range []int{0, r.h*r.w - 1} {
		c := img.At(k%r.w, k/r.w).(color.RGBA)
		for plane, v := range []uint8{c.R, c.G, c.B} {
			if want := record[r.skip+min(plane, r.ch-1)*r.h*r.w+k]; v != want {
				t.Fatalf("pixel %d: got %d vs %d", k, v, want)
			}
		}
	}
}

// FuzzCIFAR reads records, and those of an archive that claims a size for them.
func FuzzCIFAR(f *testing.F) {
	record := make([]byte, 2*cifarRecord)
	for i := range record {
		record[i] = byte(i)
	}
	f.Add(record, int64(len(record)))
	f.Add(record[:cifarRecord], int64(1<<62))
	f.Add(record[:100], int64(-1<<63))
	f.Add([]byte{}, int64(0))
	const most = 8 * cifarRecord
	f.Fuzz(func(t *testing.T, b []byte, claimed int64) {
		c := cifar{most: most}
		claimed = max(0, claimed)
		var err error
		if n := allocated(func() { err = c.add(bytes.NewReader(b), claimed, 1<<10) }); n > int64(1<<16+4*len(b)) {
			t.Fatalf("%d bytes for %d", n, len(b))
		}
		good := len(b) > 0 && len(b)%cifarRecord == 0 && len(b) <= most && claimed <= most
		if (err == nil) != good {
			t.Fatalf("%d bytes, %d claimed: %v", len(b), claimed, err)
		}
		if err != nil {
			requireLine(t, err)
			return
		}
		r := c.set()
		if r.Len() != len(b)/cifarRecord {
			t.Fatalf("%d pictures in %d bytes", r.Len(), len(b))
		}
		samePixels(t, r, r.Len()-1, b[len(b)-cifarRecord:])
	})
}

// FuzzCIFARArchive reads a .tar.gz, which the fuzzer changes on the inside.
func FuzzCIFARArchive(f *testing.F) {
	record := make([]byte, cifarRecord)
	f.Add(tarOf("cifar-10-batches-bin/data_batch_1.bin", tar.TypeReg, record), true)
	f.Add(tarOf("../data_batch_\n.bin", tar.TypeReg, record[:99]), true)
	f.Add(tarOf("data_batch_1.bin", tar.TypeSymlink, nil), true)
	f.Add(zipped(tarOf("data_batch_1.bin", tar.TypeReg, record)), false)
	f.Add(zipped(make([]byte, 1<<20)), false)
	const most, mostTar = 4 * cifarRecord, 1 << 16
	f.Fuzz(func(t *testing.T, b []byte, inside bool) {
		if inside {
			b = zipped(b)
		}
		c := cifar{most: most}
		var err error
		if n := allocated(func() { err = c.addTar(bytes.NewReader(b), mostTar) }); n > 4<<20 {
			t.Fatalf("%d bytes for %d", n, len(b))
		}
		if err != nil {
			requireLine(t, err)
		} else if len(c.pix) > most || len(c.pix)%cifarRecord != 0 {
			t.Fatalf("%d bytes", len(c.pix))
		}
	})
}

// FuzzIDX reads pictures of one plane, plain or compressed.
func FuzzIDX(f *testing.F) {
	f.Add([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7, 8}, false, false)
	f.Add([]byte{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4}, true, true)
	f.Add(zipped([]byte{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7}), true, false)
	f.Add([]byte{0, 0, 8, 3, 255, 255, 255, 255, 0, 0, 128, 0, 0, 0, 128, 0}, false, false)
	f.Add(append([]byte{0, 0, 8, 3, 0, 0, 16, 0, 0, 0, 0, 16, 0, 0, 0, 16}, make([]byte, 100)...), true, true)
	const most = 1 << 20
	f.Fuzz(func(t *testing.T, b []byte, gz, inside bool) {
		plain := b
		if gz && inside {
			b = zipped(b)
		}
		var r *raw
		var err error
		if n := allocated(func() { r, err = readIDX(bytes.NewReader(b), gz, most) }); n > 4*most {
			t.Fatalf("%d bytes for %d", n, len(b))
		}
		if err != nil {
			requireLine(t, err)
			return
		}
		if r.Len() < 1 || len(r.pix) != r.Len()*r.h*r.w || len(r.pix) > most {
			t.Fatalf("%d pictures of %d x %d in %d bytes", r.Len(), r.w, r.h, len(r.pix))
		}
		if !gz || inside {
			if len(r.pix) != len(plain)-16 {
				t.Fatalf("%d bytes of %d", len(r.pix), len(plain))
			}
			samePixels(t, r, r.Len()-1, plain[len(plain)-r.stride:])
		}
	})
}
