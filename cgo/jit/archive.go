package jit

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// check refuses what libtorch would not: what people hand over by mistake, and damaged files. libtorch does not verify the
// archive's checksums; of files with a few wrong bytes it loads many with wrong weights, and some end the process. A file
// that was forged with right checksums can still do that.
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
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("got a damaged archive (%w): copy the file again", err)
	}
	for _, f := range z.File {
		if err = checkMember(f); err != nil {
			return fmt.Errorf("got a damaged archive (%s: %w): copy the file again", f.Name, err)
		}
	}
	return nil
}

// checkMember reads a member to its end, where its checksum is compared.
func checkMember(f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if !strings.HasSuffix(f.Name, ".py") {
		_, err = io.Copy(io.Discard, r)
		return err
	}
	source, err := io.ReadAll(io.LimitReader(r, 64<<20))
	if err != nil {
		return err
	}
	return checkSource(string(source))
}

// maxNesting is far above what people write and far below what fills the stack of libtorch's recursive parser.
const maxNesting = 1000

func checkSource(source string) error {
	depth := 0
	for i := range len(source) {
		switch source[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case '\n':
			if depth < 0 {
				depth = 0 // brackets in a string or a comment
			}
		}
		if depth > maxNesting {
			return fmt.Errorf("got source with more than %d brackets inside each other", maxNesting)
		}
	}
	return nil
}
