package hub

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
)

// Fetch returns a file of the hub, from the caches if [Client.Find] finds it there, without asking the network; otherwise it
// is downloaded to Cache. With force it is downloaded anew whatever there is, and replaces it: also a <cache>/NAME, which
// would hide it, becomes a link to the new one. Until the new file was verified the old one stays.
//
// The error has one of the kinds of this package, or is one of the file system, or wraps that of ctx. What a failed download
// left is resumed by the next. A file that is there but damaged is downloaded anew.
func (c *Client) Fetch(ctx context.Context, f File, force bool) (Result, error) {
	f, err := f.checked()
	if err != nil {
		return Result{}, c.at("fetch", err)
	}
	r, err := c.fetch(ctx, f, force)
	if err != nil {
		return Result{}, c.at(f.String(), err)
	}
	return r, nil
}

func (c *Client) fetch(ctx context.Context, f File, force bool) (Result, error) {
	var damage error
	if !force {
		var r Result
		var ok bool
		if r, ok, damage = c.find(f); ok {
			return r, nil
		}
	}
	switch {
	case c.Offline && force:
		return Result{}, &failure{kinds: []error{ErrOffline}, what: "to be downloaded anew, but offline", advice: "go online, or use the file that is there"}
	case c.Offline && damage != nil:
		return Result{}, damage
	case c.Offline:
		return Result{}, &failure{kinds: []error{ErrOffline}, what: "not in " + c.Cache + ", and offline", advice: "go online once, or copy the file there as " + f.Name}
	}
	k, err := c.begin(f)
	if err != nil {
		return Result{}, err
	}
	defer k.end()
	for round := 1; ; round++ {
		r, err := k.download(ctx, force)
		// Once more from the beginning, the hub's description included: it may have changed between two requests.
		if again := errors.Is(err, ErrChecksum) || errors.Is(err, errChanged); !again || round == 2 {
			return r, err
		}
	}
}

// download asks for the description, waits for its turn, and fetches.
func (k *call) download(ctx context.Context, force bool) (Result, error) {
	m, err := k.metadata(ctx)
	if err != nil {
		return Result{}, err
	}
	s, err := k.store()
	if err != nil {
		return Result{}, err
	}
	defer s.close()
	release, err := s.lock(ctx, m.etag)
	if err != nil {
		return Result{}, err
	}
	defer release()
	r := Result{Path: s.full(s.snapshot(m.commit, k.file.Name)), Commit: m.commit, Verified: m.etag.checkable()}
	if !force {
		// Perhaps another process has just finished, or another revision has the same file.
		if sum, size, err := s.verify(s.blob(m.etag), m); err == nil {
			r.SHA256, r.Size, r.FromCache = sum, size, true
			return r, k.publish(s, m, false)
		}
	}
	if r.SHA256, r.Size, err = k.fill(ctx, s, m); err != nil {
		return Result{}, err
	}
	return r, k.publish(s, m, force)
}

// fill makes the blob.
func (k *call) fill(ctx context.Context, s *store, m metadata) (sum string, size int64, err error) {
	name := s.blob(m.etag) + partial
	part, err := s.open(m.etag)
	if err != nil {
		return "", 0, err
	}
	d := &download{call: k, meta: m, part: part, path: s.full(name)}
	err = d.run(ctx)
	if err == nil {
		if e := part.Sync(); e != nil {
			err = disk("write", d.path, e)
		}
	}
	if e := part.Close(); err == nil && e != nil {
		err = disk("write", d.path, e)
	}
	if err == nil {
		m.size = d.size
		if sum, size, err = s.verify(name, m); err != nil && errors.Is(err, ErrChecksum) {
			f := new(failure)
			errors.As(err, &f)
			err = wrong(show(k.url), f.cause.Error()) // the server is to blame, not the disk
		}
	}
	if err != nil {
		if errors.Is(err, ErrChecksum) {
			s.root.Remove(name) // best effort: if it stays, it is wrong the next time as well
		}
		return "", 0, err
	}
	return sum, size, s.replace(name, s.blob(m.etag))
}

// publish makes the finished blob the snapshot's file, and then the revision's, so that no name ever leads to nothing.
func (k *call) publish(s *store, m metadata, force bool) error {
	blob := s.blob(m.etag)
	if err := s.point(blob, s.snapshot(m.commit, k.file.Name)); err != nil {
		return err
	}
	if err := s.refer(k.file.Revision, m.commit); err != nil {
		return err
	}
	if !force || !k.file.published() {
		return nil
	}
	// The look-up takes this one first.
	info, err := s.root.Lstat(k.file.Name)
	if err != nil || info.IsDir() {
		return nil
	}
	return s.point(s.snapshot(m.commit, k.file.Name), k.file.Name)
}

// verify compares a file with what the hub says of it.
func (s *store) verify(name string, m metadata) (sum string, size int64, err error) {
	info, err := s.root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrInvalid
	}
	var f *os.File
	if err == nil {
		f, err = s.root.Open(name)
	}
	if err != nil {
		return "", 0, disk("read", s.full(name), err)
	}
	defer f.Close()
	return m.etag.verify(f, s.full(name), info.Size(), m.size)
}

// verify compares the size bytes of r with an etag, and with a length unless that is -1.
func (e etag) verify(r io.Reader, where string, size, want int64) (string, int64, error) {
	if size == 0 || want >= 0 && size != want {
		return "", 0, &failure{kinds: []error{ErrChecksum}, what: where, cause: lengthError{size, want}}
	}
	got, err := e.sum(r, size)
	if err != nil {
		return "", 0, disk("read", where, err)
	}
	if err := e.compare(got); err != nil {
		return "", 0, &failure{kinds: []error{ErrChecksum}, what: where, cause: err}
	}
	return got.sha256, size, nil
}
