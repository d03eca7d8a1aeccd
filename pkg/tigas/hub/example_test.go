package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/tigas-train/tigas-train/pkg/tigas/hub"
)

// The server stands for the hub; leave Endpoint "" for the real one.
func ExampleClient_Fetch() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Repo-Commit", "0123456789abcdef0123456789abcdef01234567")
		w.Header().Set("ETag", `"ce013625030ba8dba906f756967f9e9ca394464a"`) // git's name of "hello\n"
		fmt.Fprintln(w, "hello")
	}))
	defer server.Close()
	dir, err := os.MkdirTemp("", "hub")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	c := &hub.Client{Endpoint: server.URL, Cache: filepath.Join(dir, "models")}
	for range 2 {
		r, err := c.Fetch(context.Background(), hub.File{}, false)
		if err != nil {
			panic(err)
		}
		path, _ := filepath.Rel(c.Cache, r.Path)
		fmt.Println(filepath.ToSlash(path), r.Size, r.Verified, r.FromCache)
	}
	freed, err := c.Clear()
	fmt.Println(freed > 0, err)
	// Output:
	// models--H1merka--TIGAS/snapshots/0123456789abcdef0123456789abcdef01234567/best_model.pt 6 true false
	// models--H1merka--TIGAS/snapshots/0123456789abcdef0123456789abcdef01234567/best_model.pt 6 true true
	// true <nil>
}
