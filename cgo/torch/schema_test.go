package torch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// TestDeclaredOperators reads this package's source: every operator that it names must exist in the libtorch at hand, and
// every call must give it no fewer arguments than have no default and no more than there are.
func TestDeclaredOperators(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	fset := token.NewFileSet()
	declared := map[string]string{} // variable -> operator
	var calls []*ast.CallExpr
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, v := range n.Values {
					if c, ok := v.(*ast.CallExpr); ok && calls1(c) == "op" {
						declared[n.Names[i].Name] = literal(t, c.Args[0])
					}
				}
			case *ast.CallExpr:
				calls = append(calls, n)
			}
			return true
		})
	}
	if len(declared) < 120 {
		t.Fatalf("got %d declarations of operators: is the parser blind?", len(declared))
	}
	used := map[string]bool{}
	for _, c := range calls {
		sel, ok := c.Fun.(*ast.SelectorExpr)
		if !ok {
			continue
		}
		recv, ok := sel.X.(*ast.Ident)
		if !ok {
			continue
		}
		name, args := declared[recv.Name], c.Args
		switch {
		case name != "" && sel.Sel.Name == "call1":
		case name != "" && sel.Sel.Name == "callMulti":
			args = args[1].(*ast.CompositeLit).Elts
		case sel.Sel.Name == "Call" && len(args) > 0:
			if l, ok := args[0].(*ast.BasicLit); ok {
				name, args = literal(t, l), args[1:]
			}
		}
		if name == "" {
			continue
		}
		used[recv.Name] = true
		schema, err := torch.SchemaOf(name)
		if err != nil {
			t.Errorf("%s: %v", fset.Position(c.Pos()), err)
			continue
		}
		least, most := arity(schema)
		if n := len(args); n < least || n > most {
			t.Errorf("%s: got %d arguments vs %d to %d: %s", fset.Position(c.Pos()), n, least, most, schema)
		}
	}
	for v, name := range declared {
		if !torch.Has(name) {
			t.Errorf("%s: libtorch %s has no %s", v, torch.Version(), name)
		}
		if !used[v] {
			t.Errorf("%s: declared and not called", v)
		}
	}
}

func calls1(c *ast.CallExpr) string {
	if f, ok := c.Fun.(*ast.Ident); ok {
		return f.Name
	}
	return ""
}

func literal(t *testing.T, e ast.Expr) string {
	s, err := strconv.Unquote(e.(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// arity counts the arguments of a schema's text that have no default, and all of them.
func arity(schema string) (least, most int) {
	args, _, _ := strings.Cut(schema, ") -> ")
	_, args, _ = strings.Cut(args, "(")
	depth := 0
	for part := range strings.FieldsFuncSeq(args, func(r rune) bool {
		switch r {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		}
		return r == ',' && depth == 0
	}) {
		switch part = strings.TrimSpace(part); {
		case part == "*" || part == "":
			continue
		case !strings.Contains(part, "="):
			least = most + 1
		}
		most++
	}
	return least, most
}

func TestSchemas(t *testing.T) {
	schema, err := torch.SchemaOf("aten::softplus")
	if err != nil || schema != "aten::softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor" {
		t.Errorf("got %q, %v", schema, err)
	}
	if least, most := arity("aten::f(Tensor a, int[2] b=[0, 1], *, bool c, float d=0.) -> (Tensor, Tensor)"); least != 3 || most != 4 {
		t.Errorf("arity: got %d to %d vs 3 to 4", least, most)
	}
	if !torch.Has("aten::add.Tensor") || torch.Has("aten::add.Tenser") || torch.Has("") || torch.Has("aten::add.") {
		t.Error("Has: got a wrong answer")
	}
	if _, err := torch.SchemaOf("aten::nonsense"); err == nil {
		t.Error("got no error for the schema of nonsense")
	}
	names, err := torch.Operators()
	if err != nil || len(names) < 2000 {
		t.Fatalf("got %d operators, %v", len(names), err)
	}
	all := map[string]bool{}
	for _, n := range names {
		all[n] = true
	}
	if !all["aten::add.Tensor"] || !all["aten::relu"] {
		t.Error("aten::add.Tensor or aten::relu is missing from Operators")
	}
}
