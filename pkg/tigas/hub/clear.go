package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Clear deletes what [Client.List] lists, unfinished downloads and locks, and returns how many bytes that freed. The folder
// itself stays.
//
// Nothing is deleted if there is anything in the folder that is not of this cache: it is then somebody's home, or Hugging
// Face's own cache, or holds a file that somebody put there; the error names it. Links are deleted, not followed. While
// another process downloads, the error is ErrBusy.
func (c *Client) Clear() (freed int64, err error) {
	freed, err = c.clear()
	return freed, c.at("clear "+c.Cache, err)
}

func (c *Client) clear() (int64, error) {
	if c.Cache == "" {
		return 0, &failure{what: "no cache folder given"}
	}
	full, err := filepath.Abs(c.Cache)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, disk("read", c.Cache, err)
	}
	if filepath.Dir(full) == full {
		return 0, &failure{what: "this is the root of the file system", advice: "nothing was deleted"}
	}
	if c.HFCache != "" {
		mine, err1 := os.Stat(full)
		theirs, err2 := os.Stat(c.HFCache)
		if err1 == nil && err2 == nil && os.SameFile(mine, theirs) {
			return 0, &failure{what: "this is Hugging Face's own cache, with models of other programs", advice: "nothing was deleted"}
		}
	}
	root, err := os.OpenRoot(full)
	if err != nil {
		return 0, disk("open", c.Cache, err)
	}
	defer root.Close()
	list, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return 0, disk("read", c.Cache, err)
	}
	var foreign, names []string
	for _, e := range list {
		if bad := unknown(root, e); bad != "" {
			foreign = append(foreign, quote(bad))
		}
		names = append(names, e.Name())
	}
	if len(foreign) > 0 {
		more := ""
		if len(foreign) > 3 {
			foreign, more = foreign[:3], fmt.Sprintf(" and %d more", len(foreign)-3)
		}
		return 0, &failure{what: "holds " + strings.Join(foreign, ", ") + more + ", not of this cache", advice: "nothing was deleted: move it away, or delete by hand"}
	}
	release, err := allLocks(root)
	if err != nil {
		return 0, err
	}
	defer release()
	// The locks last: as long as they are there, they are held.
	slices.SortStableFunc(names, func(a, b string) int { return strings.Compare(lastKey(a), lastKey(b)) })
	var freed int64
	for _, name := range names {
		size := bytesIn(root, name)
		if err := root.RemoveAll(name); err != nil {
			return freed, disk("delete", filepath.Join(c.Cache, name), err)
		}
		freed += size
	}
	return freed, nil
}

func lastKey(name string) string {
	if name == ".locks" {
		return "1"
	}
	return "0"
}

// repoFolders are what huggingface_hub makes in the folder of a repository.
var repoFolders = []string{"blobs", "snapshots", "refs", ".no_exist", "trees"}

// unknown returns the path of something in an entry of the cache that is not of it; "" if all of it is.
func unknown(root *os.Root, e fs.DirEntry) string {
	name := e.Name()
	if !e.IsDir() {
		link := e.Type()&fs.ModeSymlink != 0
		switch {
		case !link && !e.Type().IsRegular():
			return name
		case name == DefaultName, strings.HasSuffix(name, partial):
			return ""
		case link && (name == ".locks" || name == ConvertedFolder || strings.HasPrefix(name, "models--")):
			return ""
		case name == "CACHEDIR.TAG": // by which backups know what to leave out; newer versions of huggingface_hub make it
			text, err := root.ReadFile(name)
			if err == nil && strings.HasPrefix(string(text), "Signature: 8a477f597d28d172789f06886806bc55") {
				return ""
			}
		}
		return name
	}
	switch {
	case strings.HasPrefix(name, "models--"):
		list, err := fs.ReadDir(root.FS(), name)
		for _, e := range list {
			if !e.IsDir() || !slices.Contains(repoFolders, e.Name()) {
				return path.Join(name, e.Name())
			}
		}
		return or(name, err)
	case name == ConvertedFolder:
		return strangerIn(root, name, func(base string) bool {
			return strings.HasSuffix(base, ".pt") || strings.HasSuffix(base, partial) || strings.HasSuffix(base, ".tmp")
		})
	case name == ".locks":
		return strangerIn(root, name, func(base string) bool { return strings.HasSuffix(base, ".lock") })
	}
	// A folder that somebody made for detectors: the look-up searches it.
	files := 0
	bad := strangerIn(root, name, func(base string) bool { files++; return base == DefaultName })
	if bad == "" && files == 0 {
		return name
	}
	return bad
}

func or(name string, err error) string {
	if err != nil {
		return name
	}
	return ""
}

// strangerIn returns the path of the first file below a folder that known does not know; what cannot be read is one.
func strangerIn(root *os.Root, dir string, known func(base string) bool) (bad string) {
	fs.WalkDir(root.FS(), dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err == nil && d.IsDir():
			return nil
		case err == nil && (d.Type().IsRegular() || d.Type()&fs.ModeSymlink != 0) && known(d.Name()):
			return nil
		}
		bad = name
		return fs.SkipAll
	})
	return bad
}

// allLocks takes every lock there is, so that nobody downloads into what is deleted.
func allLocks(root *os.Root) (release func(), err error) {
	var held []*os.File
	release = func() {
		for _, f := range held {
			f.Close()
		}
	}
	err = fs.WalkDir(root.FS(), ".locks", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		f, err := tryLock(root, name)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return &failure{kinds: []error{ErrBusy}, what: "another process downloads into it", advice: "nothing was deleted: wait for it, or end it"}
		}
		if err != nil {
			return disk("lock", name, err)
		}
		held = append(held, f)
		return nil
	})
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// bytesIn is what deleting an entry frees.
func bytesIn(root *os.Root, name string) (n int64) {
	fs.WalkDir(root.FS(), name, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}
