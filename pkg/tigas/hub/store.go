package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// partial is what the names of unfinished files end in.
const partial = ".incomplete"

// store is a repository's part of a cache that is written to. All names are relative to root, which no symbolic link leads
// out of.
type store struct {
	client *Client
	root   *os.Root
	folder string // models--OWNER--NAME
}

// store makes the cache if it is not there. The caller must close it.
func (k *call) store() (*store, error) {
	if k.Cache == "" {
		return nil, &failure{what: "no cache folder given"}
	}
	if err := os.MkdirAll(k.Cache, 0o755); err != nil {
		return nil, disk("make the cache", k.Cache, err)
	}
	root, err := os.OpenRoot(k.Cache)
	if err != nil {
		return nil, disk("open the cache", k.Cache, err)
	}
	return &store{k.Client, root, k.file.folder()}, nil
}

func (s *store) close() { s.root.Close() }

// full is the path of a name as the caller knows the cache.
func (s *store) full(name string) string {
	return filepath.Join(s.client.Cache, filepath.FromSlash(name))
}

func (s *store) blob(e etag) string { return path.Join(s.folder, "blobs", string(e)) }

func (s *store) snapshot(commit, name string) string {
	return path.Join(s.folder, "snapshots", commit, name)
}

// parents makes the folders above a name.
func (s *store) parents(name string) error {
	if err := s.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return disk("make", s.full(path.Dir(name)), err)
	}
	return nil
}

// lock is held by whoever downloads e.
func (s *store) lock(ctx context.Context, e etag) (release func(), err error) {
	name := path.Join(".locks", s.folder, string(e)+".lock")
	if err := s.parents(name); err != nil {
		return nil, err
	}
	every := s.client.poll
	if every <= 0 {
		every = 100 * time.Millisecond
	}
	release, err = lock(ctx, s.root, name, func(ctx context.Context) error { return pause(ctx, every) })
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, &failure{what: "another process downloads it", cause: ctx.Err()}
	case err != nil:
		return nil, disk("lock", s.full(name), err)
	}
	return release, nil
}

// open opens the partial file of e, as it is or new.
func (s *store) open(e etag) (*os.File, error) {
	name := s.blob(e) + partial
	if err := s.parents(name); err != nil {
		return nil, err
	}
	if err := s.only(name); err != nil {
		return nil, err
	}
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, disk("open", s.full(name), err)
	}
	return f, nil
}

// only removes what has the name and is no regular file: a link to another one would make us write there.
func (s *store) only(name string) error {
	info, err := s.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return disk("look at", s.full(name), err)
	case info.Mode().IsRegular():
		return nil
	}
	return s.remove(name)
}

func (s *store) remove(name string) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk("remove", s.full(name), err)
	}
	return nil
}

// replace gives a finished file its name. The folder is synced as well, as far as the system can do it: without it a crash
// may undo the renaming, but not leave half a file.
func (s *store) replace(from, to string) error {
	if err := s.root.Rename(from, to); err != nil {
		return disk("rename to", s.full(to), err)
	}
	if d, err := s.root.Open(path.Dir(to)); err == nil {
		d.Sync()
		d.Close()
	}
	return nil
}

// point makes name a link to the file to, or a copy of it where there are no links. What has the name is replaced.
func (s *store) point(to, name string) error {
	if err := s.parents(name); err != nil {
		return err
	}
	link := strings.Repeat("../", strings.Count(name, "/")) + to
	if dir := s.folder + "/"; strings.HasPrefix(name, dir) && strings.HasPrefix(to, dir) { // as Python's client writes it
		link = strings.Repeat("../", strings.Count(name, "/")-1) + strings.TrimPrefix(to, dir)
	}
	if now, err := s.root.Readlink(name); err == nil && now == link {
		return nil
	}
	temp := name + "." + rand.Text()[:8] + ".tmp"
	symlink := s.client.symlink
	if symlink == nil {
		symlink = (*os.Root).Symlink
	}
	if symlink(s.root, link, temp) != nil {
		if err := s.copy(to, temp); err != nil {
			s.root.Remove(temp)
			return err
		}
	}
	if err := s.replace(temp, name); err != nil {
		s.root.Remove(temp)
		return err
	}
	return nil
}

func (s *store) copy(from, to string) error {
	r, err := s.root.Open(from)
	if err != nil {
		return disk("read", s.full(from), err)
	}
	defer r.Close()
	w, err := s.root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return disk("write", s.full(to), err)
	}
	_, err = io.Copy(w, r)
	if err == nil {
		err = w.Sync()
	}
	if e := w.Close(); err == nil {
		err = e
	}
	if err != nil {
		return disk("write", s.full(to), err)
	}
	return nil
}

// refer remembers the commit that a branch or tag is at.
func (s *store) refer(revision, commit string) error {
	if revision == commit {
		return nil
	}
	name := path.Join(s.folder, "refs", revision)
	if now, err := s.root.ReadFile(name); err == nil && string(now) == commit {
		return nil
	}
	if err := s.parents(name); err != nil {
		return err
	}
	temp := name + "." + rand.Text()[:8] + ".tmp"
	if err := s.root.WriteFile(temp, []byte(commit), 0o644); err != nil {
		s.root.Remove(temp)
		return disk("write", s.full(name), err)
	}
	if err := s.replace(temp, name); err != nil {
		s.root.Remove(temp)
		return err
	}
	return nil
}
