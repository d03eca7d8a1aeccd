package savetest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
)

// Record is a record of an archive: its data, and so many zeros.
type Record struct {
	Name  string // without the archive's folder
	Data  []byte
	Zeros int64
}

// Format is how a file is written. The zero Format is that of torch 1.13.
type Format struct {
	Folder string // the folder of all records, "archive" if empty; torch names it after the file
	Newer  bool   // as torch 2.6 and later: storages in the order of their numbers, records that say more
}

// Write saves root in the format of torch 1.13.
func Write(w io.Writer, root Value) error { return Format{}.Write(w, root) }

// WriteFile saves root at path in the format of torch 1.13.
func WriteFile(path string, root Value) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return cmp.Or(Write(f, root), f.Close())
}

// Write saves root.
func (f Format) Write(w io.Writer, root Value) error {
	pickle, storages, err := Pickle(root)
	if err != nil {
		return err
	}
	records := []Record{{Name: "data.pkl", Data: pickle}}
	if f.Newer {
		records = append(records, Record{Name: ".format_version", Data: []byte("1")},
			Record{Name: ".storage_alignment", Data: []byte("64")}, Record{Name: "byteorder", Data: []byte("little")})
	} else {
		slices.SortFunc(storages, func(a, b Record) int { return cmp.Compare(a.Name, b.Name) })
	}
	records = append(append(records, storages...), Record{Name: "version", Data: []byte("3\n")})
	if f.Newer {
		records = append(records, Record{Name: ".data/serialization_id", Data: []byte("0123456789012345678901234567890123456789")})
	}
	return Archive(w, cmp.Or(f.Folder, "archive")+"/", records)
}

// align is where torch lets the data of a record begin.
const align = 64

// Archive writes a zip archive as torch does, byte for byte but for the date, the names of the records prefixed. The
// package archive/zip could not: it repeats in the directory the padding that stands before a record.
func Archive(w io.Writer, prefix string, records []Record) error {
	out := &writer{w: bufio.NewWriter(w)}
	var directory []byte
	for _, r := range records {
		directory = out.record(directory, prefix+r.Name, r)
	}
	at, le := out.n, binary.LittleEndian
	if out.err == nil && at+int64(len(directory)) > math.MaxUint32 {
		out.err = fmt.Errorf("savetest: an archive of %d bytes, more than 4 GB", at)
	}
	n, size := uint64(len(records)), uint64(len(directory))
	end := append(directory, "PK\x06\x06"...) // zip64, which torch always writes
	end = le.AppendUint64(end, 44)
	end = append(end, 0x1e, 3, 0x2d, 0, 0, 0, 0, 0, 0, 0, 0, 0) // made by, needs version 4.5, on disk 0 of 0
	for _, v := range []uint64{n, n, size, uint64(at)} {
		end = le.AppendUint64(end, v)
	}
	end = append(end, "PK\x06\x07\x00\x00\x00\x00"...)
	end = le.AppendUint64(end, uint64(at)+size)
	end = append(end, "\x01\x00\x00\x00PK\x05\x06\x00\x00\x00\x00"...)
	end = le.AppendUint16(le.AppendUint16(end, uint16(min(n, 0xffff))), uint16(min(n, 0xffff)))
	end = le.AppendUint32(le.AppendUint32(end, uint32(size)), uint32(at))
	out.write(append(end, 0, 0))
	return cmp.Or(out.err, out.w.Flush())
}

// writer counts what it writes, and stops at the first error.
type writer struct {
	w   *bufio.Writer
	n   int64
	crc uint32 // of the record so far
	err error
}

func (w *writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
	w.n += int64(len(b))
	w.crc = crc32.Update(w.crc, crc32.IEEETable, b)
}

var zeros [64 << 10]byte

// record writes a record and returns the directory with its entry.
func (w *writer) record(directory []byte, name string, r Record) []byte {
	le, start := binary.LittleEndian, w.n
	size := int64(len(r.Data)) + r.Zeros
	flags := uint16(0x808) // UTF-8, sizes behind the data
	if size == 0 {
		flags = 0x800
	}
	if size > math.MaxUint32 || start > math.MaxUint32 || len(name) > math.MaxUint16 {
		w.err = cmp.Or(w.err, fmt.Errorf("savetest: record %.80q of %d bytes at %d: more than zip holds", name, size, start))
		return directory
	}
	// The padding is an extra field FB, four bytes and as many Z as it takes.
	head := 30 + int64(len(name)) + 4
	pad := (align - (start+head)%align) % align
	b := append([]byte("PK\x03\x04\x00\x00"), byte(flags), byte(flags>>8))
	b = append(b, make([]byte, 18)...) // method, time, date, checksum and sizes
	b = le.AppendUint16(le.AppendUint16(b, uint16(len(name))), uint16(4+pad))
	b = append(append(b, name...), 'F', 'B')
	b = append(le.AppendUint16(b, uint16(pad)), bytes.Repeat([]byte("Z"), int(pad))...)
	w.write(b)
	w.crc = 0
	w.write(r.Data)
	for left := r.Zeros; left > 0 && w.err == nil; left -= int64(len(zeros)) {
		w.write(zeros[:min(left, int64(len(zeros)))])
	}
	sums := le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, w.crc), uint32(size)), uint32(size))
	if size > 0 {
		w.write(append([]byte("PK\x07\x08"), sums...))
	}
	d := append(directory, "PK\x01\x02\x00\x00\x00\x00"...)
	d = append(le.AppendUint16(d, flags), make([]byte, 6)...) // method, time, date
	d = le.AppendUint16(append(d, sums...), uint16(len(name)))
	d = append(d, make([]byte, 12)...) // no extra field, no comment, disk 0, no attributes
	return append(le.AppendUint32(d, uint32(start)), name...)
}
