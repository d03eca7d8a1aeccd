// Package lint holds the rules of this repository that no linter knows, as tests.
package lint

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// each calls visit for every source file below the folders, with its path from the root and its text.
func each(t *testing.T, suffix string, folders []string, visit func(path, text string)) {
	t.Helper()
	const root = "../../.."
	n := 0
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			visit(rel, string(text))
			n++
			return err
		})
		require.NoError(t, err)
	}
	require.NotZero(t, n)
}

// What goes wrong with libtorch under Go's scheduler and collector, and what libraries do not do.
func TestForbiddenCalls(t *testing.T) {
	for pattern, why := range map[string]string{
		`runtime\.SetFinalizer`:         "scopes free tensors; the one net is AddCleanup on a scope",
		`iter\.Pull2?\(`:                "its coroutines must not meet locked threads",
		`\blog\.(Fatal|Panic|Print)`:    "libraries return errors",
		`os\.Exit`:                      "libraries return errors",
		`fmt\.Print`:                    "libraries are handed a writer",
		`os\.(Getenv|LookupEnv|Args)\b`: "flags and environment belong to cmd",
		`runtime\.GC\(\)`:               "memory does not wait for the collector",
	} {
		re := regexp.MustCompile(pattern)
		comment := regexp.MustCompile(`(?m)^\s*//.*$`)
		each(t, ".go", []string{"cgo", "pkg"}, func(path, text string) {
			if path == filepath.FromSlash("pkg/gotorch/step.go") && strings.HasPrefix(pattern, `runtime\.GC`) {
				return // that of gotorch does
			}
			require.NotRegexp(t, re, comment.ReplaceAllString(text, ""), "%s: %s", path, why)
		})
	}
}

func TestOnlyOnePackageImportsC(t *testing.T) {
	each(t, ".go", []string{"cgo", "pkg", "cmd", "bench"}, func(path, text string) {
		// What scripts/gotorch.sh writes says where a library is, and no more.
		if path := filepath.ToSlash(path); !strings.HasPrefix(path, "cgo/internal/ctorch/") && path != "pkg/gotorch/cgotorch_local.go" {
			require.NotContains(t, text, "import \"C\"", path)
		}
	})
}

// Every shim function that can fail runs inside the guard that no exception leaves.
func TestShimFunctionsAreGuarded(t *testing.T) {
	function := regexp.MustCompile(`(?ms)^int (ct_\w+)\([^;{]*char \*\*msg\) \{(.*?)^\}`)
	oneLine := regexp.MustCompile(`(?m)^int (ct_\w+)\([^;{]*char \*\*msg\) \{ (.*) \}$`)
	n := 0
	each(t, ".cc", []string{"cgo/internal/ctorch"}, func(path, text string) {
		for _, m := range append(function.FindAllStringSubmatch(text, -1), oneLine.FindAllStringSubmatch(text, -1)...) {
			require.Contains(t, m[2], "CT_GUARD(", "%s: %s", path, m[1])
			n++
		}
	})
	require.Greater(t, n, 30)
}

// Arrows between packages point one way: no package uses one of its own layer or above.
func TestLayers(t *testing.T) {
	layers := [][]string{
		{"cgo/internal", "cgo/torch", "cgo/jit", "cgo/cuda", "cgo/safetensors", "cgo/atomicfile"},
		{"pkg/nn", "pkg/optim", "pkg/sched", "pkg/data", "pkg/monitor", "pkg/metric", "pkg/roc"},
		{"pkg/models", "pkg/tigas", "pkg/checkpoint", "pkg/gotorch"},
		{"pkg/trainers"},
		{"cmd"},
	}
	rank := func(path string) int {
		for i, l := range layers {
			for _, p := range l {
				if path == p || strings.HasPrefix(path, p+"/") {
					return i
				}
			}
		}
		t.Fatalf("%s has no layer: add it to this test and to docs/architecture.md", path)
		return -1
	}
	imported := regexp.MustCompile(`(?m)^\s*"github.com/tigas-train/tigas-train/([^"]+)"$`)
	each(t, ".go", []string{"cgo", "pkg", "cmd"}, func(path, text string) {
		dir := filepath.ToSlash(filepath.Dir(path))
		for _, m := range imported.FindAllStringSubmatch(text, -1) {
			require.LessOrEqual(t, rank(m[1]), rank(dir), "%s imports %s", path, m[1])
			if strings.HasPrefix(dir, "pkg/tigas") {
				require.NotContains(t, []string{"pkg/nn", "pkg/optim"}, m[1], "pkg/tigas is used alone in loops of others")
			}
			require.NotEqual(t, [2]string{"pkg/data", "cgo/torch"}, [2]string{dir, m[1]}, "decoding goroutines stay out of libtorch")
		}
	})
}
