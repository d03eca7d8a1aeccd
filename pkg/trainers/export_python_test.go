package trainers

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// numbers are those of testdata/load_export.py.
func (x exportedMethod) numbers(s *torch.Scope, n int64) (in []*torch.Tensor) {
	for i, shape := range x.shapes {
		if x.times && i == 1 {
			in = append(in, s.Arange(0, n, torch.Options{DType: torch.Int64}))
			continue
		}
		shape = append([]int64{n}, shape...)
		all := int64(1)
		for _, v := range shape {
			all *= v
		}
		in = append(in, s.Arange(0, all, torch.Options{DType: torch.Float64}).MulScalar(0.7).Sin().Reshape(shape...).To(torch.Float32))
	}
	return in
}

// sparse is every so many of the numbers of tensors, as testdata/load_export.py prints them.
func sparse(ts []*torch.Tensor) (l [][]float64) {
	for _, t := range ts {
		all := torch.Slice[float64](t.Detach().To(torch.Float64).Reshape(-1))
		var some []float64
		for i := 0; i < len(all); i += max(1, len(all)/50) {
			some = append(some, all[i])
		}
		l = append(l, some)
	}
	return l
}

// Python loads what is exported: it computes the same, has the names of the state dict, trains, and
// what it writes then is loaded here.
func TestExportInPython(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import torch").Run() != nil {
		t.Skip("no python3 with torch")
	}
	require.NoError(t, torch.Seed(3))
	root := torch.NewScope()
	defer root.Close()
	all := exportable(t, root)
	dir := t.TempDir()
	args := []string{filepath.Join("testdata", "load_export.py")}
	var names []string
	for name, e := range all {
		m, err := e.TorchScript(root)
		require.NoError(t, err, name)
		path := filepath.Join(dir, fmt.Sprint(len(names))+".pt")
		require.NoError(t, m.Save(path))
		shapes := map[string][][]int64{}
		for _, x := range e.methods {
			l := [][]int64{}
			for _, s := range x.shapes {
				l = append(l, append([]int64{}, s...))
			}
			shapes[x.name] = l
		}
		text, err := json.Marshal(shapes)
		require.NoError(t, err)
		names, args = append(names, name), append(args, path, string(text))
	}
	cmd := exec.Command(python, args...)
	cmd.Env = append(os.Environ(), "OMP_WAIT_POLICY=PASSIVE")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	require.NoError(t, err)
	var results []struct {
		Names, Parameters []string
		Training          bool
		Out               map[string][][]float64
		Gradients         int
		After             [][]float64
	}
	require.NoError(t, json.Unmarshal(text, &results))
	require.Len(t, results, len(names))
	const n = 8
	for i, r := range results {
		name, e := names[i], all[names[i]]
		var dict, params []string
		for k := range nn.StateDict(e.Net) {
			dict = append(dict, k)
		}
		if f, ok := e.Net.(models.FixedTensors); ok {
			dict = append(dict, slices.Collect(maps.Keys(f.FixedTensors()))...)
		}
		for k := range nn.Params(e.Net) {
			params = append(params, k)
		}
		require.ElementsMatch(t, dict, r.Names, name)
		require.ElementsMatch(t, params, r.Parameters, name)
		require.False(t, r.Training)
		// The logarithms of variances are no part of a reconstruction.
		require.GreaterOrEqual(t, r.Gradients, len(params)-2, name)
		torch.NoGrad(func() {
			for _, x := range e.methods {
				// Python may be of another libtorch, whose kernels sum in another order.
				near(t, sparse(x.run(x.numbers(root, n))), r.Out[x.name], 1e-4, name+" "+x.name)
			}
			m, err := jit.Load(root, filepath.Join(dir, fmt.Sprint(i)+".pt.trained"), torch.CPU)
			require.NoError(t, err, name)
			x := e.methods[0]
			in := []any{}
			for _, v := range x.numbers(root, n) {
				in = append(in, v)
			}
			got := []any{m.MustCall(x.name, in...)}
			if l, ok := got[0].(jit.Tuple); ok {
				got = l
			}
			var ts []*torch.Tensor
			for _, v := range got {
				ts = append(ts, v.(*torch.Tensor))
			}
			near(t, sparse(ts), r.After, 1e-4, name+" trained")
		})
	}
}

func near(t *testing.T, got, want [][]float64, tolerance float64, what string) {
	t.Helper()
	require.Equal(t, len(want), len(got), what)
	for i := range want {
		require.InDeltaSlice(t, want[i], got[i], tolerance, what)
	}
}
