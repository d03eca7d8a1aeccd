package jit

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// What no archive of a network exceeds.
const (
	maxUnpacked = 64 << 20 // bytes beside 32 times the file's own; source code is compressed to a tenth
	maxSource   = 64 << 20 // of one file
	maxPickle   = 16 << 20 // a network of a thousand tensors has 100 KB
	maxEntries  = 1 << 18
)

// check refuses what libtorch would not: what people hand over by mistake, damaged files, and forged ones as far as they can
// be told. libtorch does not verify the archive's checksums: of files with a few wrong bytes it loads many with wrong
// weights, and some end the process. It believes what pickles say about lengths and memory, so these are looked through
// first (see pickle). What is left is the source code, which is a program.
func check(data []byte) error {
	const want = "want a TorchScript file, as torch.jit.save writes it"
	switch {
	case len(data) == 0:
		return errors.New("got an empty file; " + want)
	case bytes.HasPrefix(data, []byte("\x80\x02")):
		return errors.New("got a pickle of an old torch.save; " + want)
	case !bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return errors.New("got neither a TorchScript archive nor a checkpoint; " + want)
	case !bytes.Contains(data, []byte("constants.pkl")):
		return errors.New("got a torch.save checkpoint (weights only, no code); " + want)
	}
	a, err := openArchive(data)
	if err == nil {
		err = a.check()
	}
	if err != nil {
		return fmt.Errorf("got a damaged archive (%w): copy the file again", err)
	}
	return nil
}

// archive is the members of a file by their names without the folder that all are in.
type archive struct {
	files   []*zip.File
	members map[string]*zip.File
}

// openArchive reads the directory, and sees that libtorch will find the same one: the two search it in different ways.
func openArchive(data []byte) (*archive, error) {
	n, err := entries(data)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	if uint64(len(z.File)) != n {
		return nil, fmt.Errorf("got %d members vs %d in its directory", len(z.File), n)
	}
	a := &archive{z.File, make(map[string]*zip.File, len(z.File))}
	folder, _, _ := strings.Cut(z.File[0].Name, "/")
	packed, unpacked := uint64(len(data)), uint64(0)
	seen := make(map[string]bool, len(z.File)) // libtorch does not tell upper case from lower
	for _, f := range z.File {
		name, ok := strings.CutPrefix(f.Name, folder+"/")
		switch {
		case strings.Contains(f.Name, "\x00"):
			return nil, fmt.Errorf("got a member with the name %s", quote(f.Name))
		case !ok:
			return nil, fmt.Errorf("got the members %s and %s of two folders", quote(z.File[0].Name), quote(f.Name))
		case seen[strings.ToLower(name)]:
			return nil, fmt.Errorf("got two members %s", quote(name))
		case f.CompressedSize64 > packed:
			return nil, fmt.Errorf("its members claim more than its %d bytes", len(data))
		case f.Method != zip.Store && f.Method != zip.Deflate || f.Flags&1 != 0:
			return nil, fmt.Errorf("got the member %s in a way that torch does not write", quote(name))
		case f.Method == zip.Store && f.CompressedSize64 != f.UncompressedSize64:
			return nil, fmt.Errorf("got the member %s of %d bytes and of %d", quote(name), f.CompressedSize64, f.UncompressedSize64)
		}
		seen[strings.ToLower(name)] = true
		packed -= f.CompressedSize64
		if unpacked += f.UncompressedSize64; f.UncompressedSize64 > 1<<50 || unpacked > maxUnpacked+32*uint64(len(data)) {
			return nil, fmt.Errorf("got %d bytes that unpack to %d and more", len(data), unpacked)
		}
		a.members[name] = f
	}
	if a.members["model.json"] != nil { // libtorch would read it with code that nobody looks after
		return nil, errors.New("got the format of torch before 1.2")
	}
	return a, nil
}

// entries is the number of entries in the directory. The directory must be the file's end, as torch writes it; where it says
// something twice, in 32 bits and in 64, it must say the same.
func entries(data []byte) (uint64, error) {
	le := binary.LittleEndian
	const endLen, locatorLen, end64Len = 22, 20, 56
	at := len(data) - endLen
	if at < 0 || string(data[at:at+4]) != "PK\x05\x06" || le.Uint16(data[at+20:]) != 0 {
		return 0, errors.New("it does not end with its directory")
	}
	end := data[at:]
	n, size, offset := uint64(le.Uint16(end[10:])), uint64(le.Uint32(end[12:])), uint64(le.Uint32(end[16:]))
	directoryEnd := uint64(at)
	if l := at - locatorLen; l >= end64Len && string(data[l:l+4]) == "PK\x06\x07" {
		l64 := l - end64Len
		if le.Uint64(data[l+8:]) != uint64(l64) || string(data[l64:l64+4]) != "PK\x06\x06" || le.Uint64(data[l64+4:]) != end64Len-12 {
			return 0, errors.New("the end of its directory is not where it should be")
		}
		end = data[l64:]
		n64, size64, offset64 := le.Uint64(end[32:]), le.Uint64(end[40:]), le.Uint64(end[48:])
		if n != min(n64, 0xffff) || size != min(size64, 1<<32-1) || offset != min(offset64, 1<<32-1) {
			return 0, errors.New("it has two directories")
		}
		n, size, offset, directoryEnd = n64, size64, offset64, uint64(l64)
	} else if n == 0xffff || size == 1<<32-1 || offset == 1<<32-1 {
		return 0, errors.New("a part of its directory is missing")
	}
	switch {
	case n == 0:
		return 0, errors.New("it has no members")
	case n > maxEntries:
		return 0, fmt.Errorf("got %d members vs at most %d", n, maxEntries)
	case offset > directoryEnd || size != directoryEnd-offset:
		return 0, errors.New("its directory is not in its place")
	}
	return n, nil
}

// check reads every member to its end, and those that libtorch would believe.
func (a *archive) check() error {
	for _, f := range a.files {
		_, name, _ := strings.Cut(f.Name, "/")
		if err := a.checkMember(name, f); err != nil {
			return fmt.Errorf("%s: %w", quote(f.Name), err)
		}
	}
	return nil
}

func (a *archive) checkMember(name string, f *zip.File) error {
	limit, look := uint64(0), func([]byte) error { return nil } // others are not read by libtorch, or as bytes
	lower := strings.ToLower(name)                              // libtorch finds them by that
	code := strings.HasPrefix(lower, "code/")
	switch {
	case code && strings.HasSuffix(lower, ".py"):
		limit, look = maxSource, func(text []byte) error { return checkSource(string(text)) }
	case lower == "data.pkl", lower == "constants.pkl", code && strings.HasSuffix(lower, ".debug_pkl"):
		dir := strings.TrimSuffix(name, ".pkl") + "/" // of the storages
		limit, look = maxPickle, func(b []byte) error {
			root, err := checkPickle(b, func(key string) *zip.File { return a.members[dir+key] })
			if err == nil && code {
				err = checkRanges(root)
			}
			return err
		}
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	in, sum := io.Reader(r), crc32.NewIEEE()
	if f.CRC32 == 0 { // archive/zip compares all others
		in = io.TeeReader(r, sum)
	}
	var b []byte
	switch {
	case limit == 0:
		_, err = io.Copy(io.Discard, in)
	case f.UncompressedSize64 > limit:
		err = fmt.Errorf("got %d bytes vs at most %d", f.UncompressedSize64, limit)
	default:
		b, err = io.ReadAll(in)
	}
	if err == nil && sum.Sum32() != 0 {
		err = zip.ErrChecksum
	}
	if err != nil {
		return err
	}
	return look(b)
}

// quote shows a name of the archive: on one line, and no longer than a line.
func quote(s string) string {
	const most = 80
	if q := strconv.Quote(s); q == `"`+s+`"` && len(s) <= most {
		return s
	}
	return fmt.Sprintf("%.80q", s)
}
