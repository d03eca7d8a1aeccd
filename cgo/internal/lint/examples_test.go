package lint

import (
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/tigas-train/tigas-train/"

// shown are the packages whose every entry point has an example.
var shown = []string{"cgo/torch", "pkg/tigas", "pkg/sched", "pkg/trainers"}

// notShown are entry points without an example, and why.
var notShown = map[string]string{
	"cgo/torch.HandleOf":          siblings,
	"cgo/torch.HandleOfGenerator": siblings,
	"cgo/torch.AdoptHandle":       siblings,
	"cgo/torch.CheckScope":        siblings,
	"cgo/torch.KindOf":            siblings,
	"cgo/torch.DeviceCode":        siblings,
	"cgo/torch.DTypeCode":         siblings,
	"cgo/torch.EncodeArgs":        siblings,
}

const siblings = "for the packages of cgo: its types are internal to them"

// implied are methods that fmt, errors and encoding call: an example that prints a value shows them without their names.
var implied = []string{"String", "GoString", "Error", "Unwrap", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText",
	"MarshalBinary", "UnmarshalBinary"}

// Whoever looks a function up finds how it is called, in code that the tests run.
func TestEveryEntryPointHasAnExample(t *testing.T) {
	c := checker{fset: token.NewFileSet(), packages: map[string]*types.Package{}}
	for _, folder := range shown {
		t.Run(folder, func(t *testing.T) {
			pkg, err := c.Import(module + folder)
			require.NoError(t, err)
			seen := c.examples(t, folder)
			shared := sharedMethods(pkg)
			names := entryPoints(pkg)
			for except := range notShown {
				if name, ok := strings.CutPrefix(except, folder+"."); ok {
					require.Contains(t, names, name, "an exception for what does not exist")
				}
			}
			for _, name := range names {
				full := folder + "." + name
				if notShown[full] != "" {
					continue
				}
				_, method, _ := strings.Cut(name, ".")
				if !seen[name] && !(shared[method] && seen["."+method]) {
					t.Errorf("%s: no example mentions it: add it to one in %s/example*_test.go", full, folder)
				}
			}
		})
	}
}

// entryPoints are the names of the exported functions, variables and types of pkg, and of the types' methods, as "Tensor.Add".
func entryPoints(pkg *types.Package) (names []string) {
	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if _, ok := obj.(*types.Const); ok || !obj.Exported() {
			continue
		}
		names = append(names, name)
		named, ok := obj.Type().(*types.Named)
		if _, isType := obj.(*types.TypeName); !ok || !isType {
			continue
		}
		for m := range named.Methods() { // not those of an interface: what implements it has them
			if m.Exported() && !slices.Contains(implied, m.Name()) {
				names = append(names, name+"."+m.Name())
			}
		}
	}
	return names
}

// sharedMethods are those that several types have, with one name and one signature: an example of any of them is enough.
func sharedMethods(pkg *types.Package) map[string]bool {
	first := map[string]types.Type{}
	shared := map[string]bool{}
	for _, name := range pkg.Scope().Names() {
		obj, ok := pkg.Scope().Lookup(name).(*types.TypeName)
		if !ok || !obj.Exported() {
			continue
		}
		named, ok := obj.Type().(*types.Named)
		if !ok {
			continue
		}
		for m := range named.Methods() {
			if first[m.Name()] == nil {
				first[m.Name()] = m.Type()
			} else if types.Identical(first[m.Name()], m.Type()) {
				shared[m.Name()] = true
			}
		}
	}
	return shared
}

// checker finds the types of sources without compiling them: cgo's part and the packages of others are taken as empty, and
// what then has no type has no name that is looked for here.
type checker struct {
	fset     *token.FileSet
	packages map[string]*types.Package
}

func (c *checker) config() *types.Config {
	return &types.Config{Importer: c, FakeImportC: true, Error: func(error) {}}
}

// Import is that of [types.Importer].
func (c *checker) Import(importPath string) (*types.Package, error) {
	if p := c.packages[importPath]; p != nil {
		return p, nil
	}
	folder, ours := strings.CutPrefix(importPath, module)
	if !ours {
		p := types.NewPackage(importPath, path.Base(importPath))
		p.MarkComplete()
		c.packages[importPath] = p
		return p, nil
	}
	dir := filepath.Join("../../..", filepath.FromSlash(folder))
	list, err := build.ImportDir(dir, 0) // for the files that this machine's tags choose
	if err != nil {
		return nil, err
	}
	files, err := c.parse(dir, append(list.GoFiles, list.CgoFiles...))
	if err != nil {
		return nil, err
	}
	p, _ := c.config().Check(importPath, c.fset, files, nil)
	c.packages[importPath] = p
	return p, nil
}

func (c *checker) parse(dir string, names []string) (files []*ast.File, err error) {
	for _, name := range names {
		f, err := parser.ParseFile(c.fset, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// examples returns what the examples of a package mention, by the names of [entryPoints]; all of them must have an output,
// for only those are run.
func (c *checker) examples(t *testing.T, folder string) map[string]bool {
	dir := filepath.Join("../../..", filepath.FromSlash(folder))
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	var names []string
	for _, p := range paths {
		if strings.HasPrefix(filepath.Base(p), "example") {
			names = append(names, filepath.Base(p))
			continue
		}
		text, err := os.ReadFile(p)
		require.NoError(t, err)
		require.NotContains(t, string(text), "\nfunc Example", "%s: examples are in example*_test.go, as users write them", p)
	}
	files, err := c.parse(dir, names)
	require.NoError(t, err)
	info := types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	_, _ = c.config().Check(module+folder+"_test", c.fset, files, &info)
	shows := doc.Examples(files...)
	require.NotEmpty(t, shows)
	seen := map[string]bool{}
	for _, e := range shows {
		require.True(t, e.Output != "" || e.EmptyOutput, "Example%s has no // Output: it is not run", e.Name)
		ast.Inspect(e.Code, func(n ast.Node) bool { // the whole file, where it is an example of its own
			switch n := n.(type) {
			case *ast.Ident:
				note(seen, module+folder, info.Uses[n])
			case *ast.FuncDecl: // a type of one's own with a method of an interface
				if n.Recv != nil {
					seen["."+n.Name.Name] = true
				}
			case *ast.SelectorExpr:
				if s := info.Selections[n]; s != nil { // a field or method shows its type too
					note(seen, module+folder, typeOf(s.Recv()))
				}
			}
			return true
		})
	}
	return seen
}

// note adds the name of obj, if it is an entry point of the package; a method's also without its type.
func note(seen map[string]bool, importPath string, obj types.Object) {
	if obj == nil || obj.Pkg() == nil || obj.Pkg().Path() != importPath {
		return
	}
	if c, ok := obj.(*types.Const); ok { // shows the type that it is a value of
		note(seen, importPath, typeOf(c.Type()))
		return
	}
	f, ok := obj.(*types.Func)
	if !ok || f.Signature().Recv() == nil {
		seen[obj.Name()] = true
	} else if recv := typeOf(f.Signature().Recv().Type()); recv != nil {
		seen[recv.Name()+"."+f.Name()] = true
		seen[recv.Name()], seen["."+f.Name()] = true, true
	}
}

// typeOf is the name that a type was declared with, through a pointer; nil if it has none.
func typeOf(t types.Type) types.Object {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := types.Unalias(t).(*types.Named); ok {
		return n.Obj()
	}
	return nil
}
