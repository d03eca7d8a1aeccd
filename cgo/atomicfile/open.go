package atomicfile

import (
	"fmt"
	"os"
)

// OpenRegular opens a file for reading. It looks first, because opening a named pipe waits for somebody who writes to it:
// what is no regular file is an error. Errors name the file.
func OpenRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}
