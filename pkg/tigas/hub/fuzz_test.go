package hub

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// lineOf wants an error as a caller sees it to be one line that does not fill a screen. some is what it quotes of.
func lineOf(t *testing.T, c *Client, err error, some ...string) {
	t.Helper()
	s := c.at("file", err).Error()
	most := 800
	for _, x := range some {
		most += 4 * min(len(x), 300)
	}
	if !strings.HasPrefix(s, "hub: file: ") || len(s) > most || strings.ContainsAny(s, "\n\r\x1b\x00") || !utf8.ValidString(s) {
		t.Fatalf("got error %q", s)
	}
}

// FuzzHeaders has a server say anything. What becomes a name of a file, a length or a wait must be one.
func FuzzHeaders(f *testing.F) {
	const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, s := range [][8]string{
		{commit1, `"` + hash + `"`, "100", "7", "", "bytes 0-99/100", "", "302"},
		{"../../../../x", `"../../x"`, "-5", "-3", `"api";r=0;t=55`, "bytes */100", "GatedRepo", "403"},
		{strings.Repeat("A", 40), `W/"a b"`, "9223372036854775808", "soon", "t=99999999", "bytes 5-/*", "RepoNotFound\x00", "401"},
		{"", "", "", "Fri, 31 Dec 9999 23:59:59 GMT", "", "bytes 18446744073709551616-1/2", "EntryNotFound", "404"},
		{commit1 + "\n", `"x.incomplete"`, " 12 ", "4294967296", "", "bytes 1-2/*", strings.Repeat("x", 5000), "429"},
		{commit2, "\"\xff\"", "1e3", "1.5", "t=5", "BYTES 1-2/3", "\xff\x1b[2J", "500"},
	} {
		f.Add(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])
	}
	c := &Client{Endpoint: "https://hub.example"}
	k, err := c.begin(File{}.filled())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, commit, tag, length, after, limit, content, code, status string) {
		e := parseEtag(tag)
		if e != "" && (!filepath.IsLocal(string(e)) || strings.ContainsAny(string(e), `/\`) || len(e) > 128 || strings.HasSuffix(string(e), partial)) {
			t.Fatalf("the name of a file: %q", e)
		}
		if again := parseEtag(string(e)); again != e {
			t.Fatalf("%q again: %q", e, again)
		}
		if start, total, ok := contentRange(content); start < -1 || total < -1 || ok && !strings.HasPrefix(content, "bytes ") {
			t.Fatalf("%q: %d, %d, %v", content, start, total, ok)
		}
		n, _ := strconv.Atoi(status)
		h := http.Header{}
		for name, v := range map[string]string{headCommit: commit, headEtag: tag, headSize: length, "Retry-After": after, "RateLimit": limit, headError: code, headReason: code} {
			h.Set(name, v)
		}
		if d := patience(h); d < 0 || d > max(1<<32*time.Second, time.Until(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))) {
			t.Fatalf("a wait of %v", d)
		}
		a := &answer{Response: &http.Response{StatusCode: n, Header: h}, at: &url.URL{Scheme: "https", Host: "hub.example", Path: "/x"}}
		m, err := k.read(a)
		if err != nil {
			lineOf(t, c, err, commit, length, code)
		} else if !isCommit(m.commit) || m.etag != e || m.size != -1 && (m.size < 1 || m.size > c.maxSize()) {
			t.Fatalf("got %+v", m)
		}
		lineOf(t, c, k.refused(a), code)
	})
}

// FuzzNames has a caller ask for any file of any repository: what is let through stays inside of the cache and is one URL.
func FuzzNames(f *testing.F) {
	for _, s := range [][3]string{
		{"", "", ""}, {"owner/name", "a/b.pt", "refs/pr/1"}, {"../x", "../../etc/passwd", ".."}, {"a--b", "x" + partial, commit1},
		{"a/b/c", "/a", "a b"}, {"a.git", "a//b", "a\x00"}, {"ä", `a\b`, "main?x=1"}, {"a/b\n", "b\n", "main#x"}, {strings.Repeat("a", 97), "a/../b", "%2e%2e"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	c := &Client{Cache: f.TempDir(), Endpoint: "https://hub.example"}
	f.Fuzz(func(t *testing.T, repo, name, revision string) {
		file, err := File{repo, name, revision}.checked()
		if err != nil {
			lineOf(t, c, err, repo, name, revision)
			return
		}
		if again, err := file.checked(); err != nil || again != file {
			t.Fatalf("%+v again: %+v, %v", file, again, err)
		}
		s := &store{client: c, folder: file.folder()}
		for _, p := range []string{s.folder, file.Name, file.Revision, s.snapshot(commit1, file.Name), "refs/" + file.Revision} {
			if !filepath.IsLocal(filepath.FromSlash(p)) || len(p) > 2000 || strings.ContainsAny(p, "\\\x00\n") {
				t.Fatalf("a path: %q", p)
			}
		}
		if strings.Contains(s.folder, "/") || strings.ReplaceAll(strings.TrimPrefix(s.folder, "models--"), "--", "/") != file.Repo {
			t.Fatalf("%q is the folder of %q", s.folder, file.Repo)
		}
		k, err := c.begin(file)
		if err != nil || k.url.Host != "hub.example" || k.url.RawQuery != "" || k.url.Fragment != "" || !strings.HasPrefix(k.url.Path, "/"+file.Repo+"/resolve/") {
			t.Fatalf("asks %v, %v", k, err)
		}
	})
}

// A ref is a line. What is something else in its place is not read.
func TestRefsThatAreNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main")
	for text, want := range map[string]string{commit1: commit1, commit1 + "\n": commit1, "": "", "main": "", strings.Repeat("1", 41): "",
		commit1 + strings.Repeat(" ", 1<<20): ""} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		require.Equal(t, want, readRef(path))
	}
	require.Empty(t, readRef(filepath.Dir(path)))
	require.Empty(t, readRef(path+".none"))
}
