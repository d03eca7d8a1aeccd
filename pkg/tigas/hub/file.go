package hub

import (
	"fmt"
	"regexp"
	"strings"
)

// The published detector, and the defaults for the fields of [File] that are "".
const (
	DefaultRepo     = "H1merka/TIGAS"
	DefaultName     = "best_model.pt"
	DefaultRevision = "main"
)

// File names a file of a model repository on the hub. The zero File is the published detector.
type File struct {
	Repo     string // "owner/name" or "name"; "": DefaultRepo
	Name     string // path inside the repository; "": DefaultName
	Revision string // branch, tag or commit; "": DefaultRevision
}

// Result is a file on disk.
type Result struct {
	Path      string // below Cache or HFCache
	SHA256    string // of its bytes as they are now, 64 hex digits
	Size      int64  // in bytes, at least 1
	Commit    string // 40 hex digits; "" if unknown
	FromCache bool   // nothing was downloaded for it by this call
	Verified  bool   // its bytes have the checksum that the hub has for it; false: nobody could compare
}

// String is "owner/name/file", with "@revision" behind it if that is not main.
func (f File) String() string {
	f = f.filled()
	if f.Revision == DefaultRevision {
		return f.Repo + "/" + f.Name
	}
	return f.Repo + "/" + f.Name + "@" + f.Revision
}

func (f File) filled() File {
	if f.Repo == "" {
		f.Repo = DefaultRepo
	}
	if f.Name == "" {
		f.Name = DefaultName
	}
	if f.Revision == "" {
		f.Revision = DefaultRevision
	}
	return f
}

// published says whether files of unknown revision may stand for f.
func (f File) published() bool { return f.Repo == DefaultRepo && f.Revision == DefaultRevision }

// folder is the repository's name in a cache. "--" does not occur in repositories, so that it can be read back.
func (f File) folder() string { return "models--" + strings.ReplaceAll(f.Repo, "/", "--") }

var (
	repoForm = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]{0,95}/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}$`)
	pathForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}(/[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}){0,7}$`)
	hexForm  = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// checked fills in the defaults and refuses what could not be a part of a path or of a URL.
func (f File) checked() (File, error) {
	f = f.filled()
	switch {
	case !repoForm.MatchString(f.Repo) || strings.Contains(f.Repo, "--") || strings.Contains(f.Repo, "..") || strings.HasSuffix(f.Repo, ".git"):
		return f, &failure{kinds: []error{ErrName}, what: fmt.Sprintf("repository %s is not of the form owner/name", quote(f.Repo))}
	case !pathForm.MatchString(f.Name) || strings.Contains(f.Name, "..") || strings.HasSuffix(f.Name, partial):
		return f, &failure{kinds: []error{ErrName}, what: fmt.Sprintf("file %s is not the name of a file in a repository", quote(f.Name))}
	case !pathForm.MatchString(f.Revision) || strings.Contains(f.Revision, ".."):
		return f, &failure{kinds: []error{ErrName}, what: fmt.Sprintf("revision %s is not a branch, tag or commit", quote(f.Revision))}
	}
	return f, nil
}

// isCommit says whether s is the full name of a commit. The hub and its Python client write them in lower case.
func isCommit(s string) bool { return hexForm.MatchString(s) }
