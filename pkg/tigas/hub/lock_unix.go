//go:build unix

package hub

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// lock takes the lock on the file name of root, which it makes, and waits for it as long as ctx lasts. Python's client takes
// the same one. wait is called before each look but the first.
//
// A file system without locks gives one that holds nobody off: a wrong mixture of two downloads is found by its checksum.
func lock(ctx context.Context, root *os.Root, name string, wait func(context.Context) error) (release func(), err error) {
	for {
		f, err := tryLock(root, name)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, err
		}
		if err := wait(ctx); err != nil {
			return nil, err
		}
	}
}

// tryLock returns EWOULDBLOCK if another one has the lock.
func tryLock(root *os.Root, name string) (*os.File, error) {
	for {
		f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o664)
		if err != nil {
			return nil, err
		}
		err = syscall.EINTR
		for err == syscall.EINTR {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		}
		switch err {
		case nil, syscall.ENOLCK, syscall.ENOSYS, syscall.ENOTSUP:
		default:
			f.Close()
			return nil, err
		}
		// Whoever cleared the cache meanwhile has unlinked it; the next one would lock another file of that name.
		mine, err := f.Stat()
		if err == nil {
			var now fs.FileInfo
			if now, err = root.Stat(name); err == nil && os.SameFile(mine, now) {
				return f, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}
