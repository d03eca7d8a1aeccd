package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
)

// lineStart is how every line of the log begins, which tells a cut line of ours from somebody else's file.
const lineStart = `{"step":`

// repairTail makes the file end with a whole line. What follows the last newline is kept if it is an object that only
// lacks its newline, and removed if it is the beginning of a line, or the zeros that some file systems leave after a
// power failure.
func repairTail(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	tail, err := lastLine(f, info.Size())
	if err != nil || len(tail) == 0 {
		return err
	}
	text := bytes.TrimRight(tail, "\x00")
	switch {
	case len(text) == len(tail) && bytes.HasPrefix(text, []byte(lineStart)) && json.Valid(text):
		_, err = f.Write([]byte{'\n'})
		return err
	case bytes.HasPrefix(text, []byte(lineStart)), bytes.HasPrefix([]byte(lineStart), text):
		return f.Truncate(info.Size() - int64(len(tail)))
	}
	return errors.New("last line is not a line of a log")
}

// lastLine returns what follows the last newline of a file of the given size.
func lastLine(r io.ReaderAt, size int64) ([]byte, error) {
	var tail []byte
	for end := size; end > 0; {
		begin := max(0, end-4096)
		block := make([]byte, end-begin, int(end-begin)+len(tail))
		if _, err := r.ReadAt(block, begin); err != nil && err != io.EOF {
			return nil, err
		}
		if i := bytes.LastIndexByte(block, '\n'); i >= 0 {
			return append(block[i+1:], tail...), nil
		}
		tail, end = append(block, tail...), begin
		if len(tail) > 1<<20 {
			return nil, errors.New("last line is too long for a log")
		}
	}
	return tail, nil
}
