package torch_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// wave is the input of testdata/ops.py.
func wave(s *torch.Scope, seed float64, shape ...int64) *torch.Tensor {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(math.Sin(0.37*float64(i) + seed))
	}
	return torch.FromSlice(s, v, shape...)
}

// gradOf is grad of testdata/ops.py.
func gradOf(f func(xs []*torch.Tensor) *torch.Tensor, xs ...*torch.Tensor) []*torch.Tensor {
	for _, x := range xs {
		x.RequiresGrad(true)
	}
	y := f(xs)
	return torch.Grad(y.Mul(wave(y.Scope(), 9, y.Shape()...)).Sum(), xs, torch.GradOptions{})
}

// TestPyTorchFixtures compares with what PyTorch 1.13 computed in testdata/ops.py.
func TestPyTorchFixtures(t *testing.T) {
	const tol = 3e-6 // float32, sums of some forty products
	text, err := os.ReadFile("testdata/ops.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]struct {
		Shape []int64
		Data  []float64
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}

	s := scope(t)
	type list = []*torch.Tensor
	x, w, wt, b := wave(s, 0, 2, 4, 3, 4), wave(s, 1, 3, 4, 3, 3), wave(s, 2, 4, 3, 3, 3), wave(s, 3, 3)
	c4, d4 := wave(s, 4, 4), wave(s, 5, 4)
	mean, variance := wave(s, 6, 4), wave(s, 7, 4).Abs().AddScalar(0.5)
	small, y := wave(s, 8, 1, 2, 5, 7), wave(s, 10, 2, 4, 3, 4)
	rm, rv := mean.Clone(), variance.Clone()
	got := map[string]list{
		"conv2d":                {x.Conv2d(w, b, torch.ConvOptions{})},
		"conv2d stride padding": {x.Conv2d(w, b, torch.ConvOptions{Stride: 2, Padding: 1})},
		"conv2d dilation":       {x.Conv2d(w, nil, torch.ConvOptions{Dilation: 2, Padding: 2})},
		"conv2d groups":         {x.Conv2d(wave(s, 1, 4, 2, 3, 3), c4, torch.ConvOptions{Groups: 2})},
		"conv2d grad": gradOf(func(v list) *torch.Tensor {
			return v[0].Conv2d(v[1], nil, torch.ConvOptions{Stride: 2, Padding: 1})
		}, x.Clone(), w.Clone()),
		"conv transpose":          {x.ConvTranspose2d(wt, b, torch.ConvOptions{})},
		"conv transpose stride":   {x.ConvTranspose2d(wt, nil, torch.ConvOptions{Stride: 2, Padding: 1, OutputPadding: 1})},
		"conv transpose dilation": {x.ConvTranspose2d(wt, nil, torch.ConvOptions{Dilation: 2})},
		"linear":                  {x.Linear(wave(s, 1, 3, 4), b)},
		"layer norm":              {x.LayerNorm([]int64{3, 4}, wave(s, 1, 3, 4), wave(s, 2, 3, 4), 1e-3)},
		"group norm":              {x.GroupNorm(2, c4, d4, 1e-3)},
		"avg pool":                {x.AvgPool2d(2)},
		"max pool":                {x.MaxPool2d(2)},
		"nearest":                 {small.UpsampleNearest2d(10, 14)},
		"bilinear up":             {small.Resize(8, 9, false)},
		"bilinear down":           {small.Resize(2, 3, false)},
		"antialias down":          {small.Resize(2, 3, true)},
		"antialias up":            {small.Resize(7, 8, true)},
		"antialias grad":          gradOf(func(v list) *torch.Tensor { return v[0].Resize(2, 3, true) }, small.Clone()),
		"reflection pad":          {small.ReflectionPad2d([]int64{2, 1, 3, 0})},
		"mse":                     {x.MSE(y)},
		"l1":                      {x.L1(y)},
		"smooth l1":               {x.SmoothL1(y, 0.4)},
		"bce":                     {x.MulScalar(30).BCEWithLogits(y.Abs())},
		"gelu":                    {y.GELU()},
		"softmax":                 {x.Softmax(1)},
		"log softmax":             {x.LogSoftmax(-1)},
		"batch norm train":        {x.BatchNorm(c4, d4, rm, rv, true, 0.2, 1e-3), rm, rv},
		"batch norm eval":         {x.BatchNorm(c4, d4, mean, variance, false, 0.2, 1e-3)},
	}
	if len(got) != len(want) {
		t.Errorf("got %d cases vs %d in ops.json", len(got), len(want))
	}
	for name, results := range got {
		if len(results) != len(want[name]) {
			t.Errorf("%s: got %d results vs %d", name, len(results), len(want[name]))
			continue
		}
		for i, r := range results {
			if !slices.Equal(r.Shape(), want[name][i].Shape) {
				t.Errorf("%s: got shape %v vs %v", name, r.Shape(), want[name][i].Shape)
			}
			near(t, name, vals(r), want[name][i].Data, tol)
		}
	}
}
