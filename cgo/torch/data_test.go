package torch_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math"
	"slices"
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

func roundTrip[T torch.Element](t *testing.T, d torch.DType, data ...T) {
	t.Helper()
	s := scope(t)
	x := torch.FromSlice(s, data, int64(len(data)), 1)
	if x.DType() != d {
		t.Errorf("%T: got %s vs %s", data, x.DType(), d)
	}
	sameShape(t, d.String(), x, int64(len(data)), 1)
	if got := torch.Slice[T](x); !slices.Equal(got, data) {
		t.Errorf("%s: got %v vs %v", d, got, data)
	}
	raw := x.RawBytes()
	y, err := s.FromBytes(raw, d, torch.CPU, 1, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) != len(data)*d.Size() || !slices.Equal(torch.Slice[T](y), data) {
		t.Errorf("%s: raw bytes: got %v vs %v", d, torch.Slice[T](y), data)
	}
	// A view is read in its own order.
	if got := torch.Slice[T](x.Flip(0).Transpose(0, 1)); got[0] != data[len(data)-1] {
		t.Errorf("%s: view: got %v", d, got)
	}
	if none := torch.FromSlice[T](s, nil); none.Numel() != 0 || len(torch.Slice[T](none)) != 0 || none.DType() != d {
		t.Errorf("%s: empty: got %v", d, none)
	}
}

func TestRoundTrips(t *testing.T) {
	roundTrip(t, torch.Float32, 0, math.Pi, -math.MaxFloat32, float32(math.Inf(1)))
	roundTrip(t, torch.Float64, 0, math.Pi, -math.MaxFloat64, math.Inf(1))
	roundTrip(t, torch.Float16, torch.Half(0), 0x3c00, 0xfbff, 0x7c00)
	roundTrip(t, torch.BFloat16, torch.BF16(0), 0x3f80, 0xff7f, 0x7f80)
	roundTrip(t, torch.Int64, int64(0), math.MaxInt64, math.MinInt64)
	roundTrip(t, torch.Int32, int32(0), math.MaxInt32, math.MinInt32)
	roundTrip(t, torch.Int16, int16(0), math.MaxInt16, math.MinInt16)
	roundTrip(t, torch.Int8, int8(0), math.MaxInt8, math.MinInt8)
	roundTrip(t, torch.Uint8, uint8(0), 1, 255)
	roundTrip(t, torch.Bool, true, true, false)
}

// Every one of the 65536 numbers, against libtorch's own conversion.
func TestHalves(t *testing.T) {
	s := scope(t)
	half, bf := make([]torch.Half, 1<<16), make([]torch.BF16, 1<<16)
	for i := range half {
		half[i], bf[i] = torch.Half(i), torch.BF16(i)
	}
	for name, test := range map[string]struct {
		x  *torch.Tensor
		of func(i int) float32
	}{
		"half": {torch.FromSlice(s, half), func(i int) float32 { return half[i].Float32() }},
		"bf16": {torch.FromSlice(s, bf), func(i int) float32 { return bf[i].Float32() }},
	} {
		for i, want := range test.x.Float32s() {
			got := test.of(i)
			if math.Float32bits(got) != math.Float32bits(want) && !(got != got && want != want) {
				t.Fatalf("%s %#04x: got %v vs %v", name, i, got, want)
			}
		}
	}
}

func TestFromSliceErrors(t *testing.T) {
	s := scope(t)
	for _, test := range []struct {
		f    func()
		want string
	}{
		{func() { torch.FromSlice(s, []float32{1, 2, 3}, 2, 2) }, "torch: FromSlice: got 3 element(s) vs shape [2 2]"},
		{func() { torch.FromSlice(s, []float32{1, 2}, -1, -2) }, "torch: FromSlice: got 2 element(s) vs shape [-1 -2]"},
		{func() { torch.FromSlice(s, []float32{}, 1<<40, 1<<40) }, "torch: FromSlice: got 0 element(s) vs shape [1099511627776 1099511627776]"},
		{func() { torch.Slice[float64](s.FromFloat32s([]float32{1})) }, "torch: Slice: got elements of float32[1] cpu vs a []float64: convert with To(torch.float64)"},
		{func() { torch.Slice[bool](s.Zeros([]int64{1}, torch.Options{DType: torch.Uint8})) }, "torch: Slice: got elements of uint8[1] cpu vs a []bool: convert with To(torch.bool)"},
		{func() { a23(s).Float64() }, "torch: Float64: got 6 elements vs 1"},
		{func() { a23(s).Bool() }, "torch: Float64: got 6 elements vs 1"},
		{func() { vec(s).Int64() }, "torch: Int64: got 0 elements vs 1"},
	} {
		if got := panics(t, test.f).Error(); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
	for _, test := range []struct {
		n     int
		d     torch.DType
		shape []int64
		want  string
	}{
		{7, torch.Float32, []int64{2}, "torch: FromBytes: got 7 byte(s) vs float32[2]"},
		{8, torch.Float32, []int64{3}, "torch: FromBytes: got 8 byte(s) vs float32[3]"},
		{8, torch.Float32, []int64{-2}, "torch: FromBytes: got 8 byte(s) vs float32[-2]"},
		{8, torch.Int64, []int64{1 << 62}, "torch: FromBytes: got 8 byte(s) vs int64[4611686018427387904]"},
		{1, torch.Uint8, make([]int64, 17), "torch: FromBytes: got 1 byte(s) vs uint8[0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0]"},
	} {
		_, err := s.FromBytes(make([]byte, test.n), test.d, torch.CPU, test.shape...)
		if err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %q", err, test.want)
		}
	}
}

func TestScalars(t *testing.T) {
	s := scope(t)
	if got := s.Scalar(2.5).RequiresGrad(true).Float64(); got != 2.5 {
		t.Errorf("got %v vs 2.5", got)
	}
	if got := s.Scalar(-2.5).Reshape(1, 1).Int64(); got != -2 {
		t.Errorf("got %v vs -2", got)
	}
	if !s.Scalar(.5).Bool() || s.Scalar(0).Bool() {
		t.Error("bool: got the opposite")
	}
	if got := a23(s).To(torch.Int16).Float32s(); !slices.Equal(got, []float32{1, 2, 3, 4, 5, 6}) {
		t.Errorf("got %v", got)
	}
	// The slice is copied: what happens to it later does not matter.
	data := []float32{1, 2}
	x := torch.FromSlice(s, data)
	data[0] = 9
	near(t, "copied", vals(x), []float64{1, 2}, 0)
}

// Bytes of a file may be anything; a bool that is neither 0 nor 1 would be undefined behaviour in Go too.
func TestBoolBytes(t *testing.T) {
	s := scope(t)
	x, err := s.FromBytes([]byte{0, 1, 2, 255}, torch.Bool, torch.CPU, 4)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.RawBytes(); !bytes.Equal(got, []byte{0, 1, 1, 1}) {
		t.Errorf("got %v vs [0 1 1 1]", got)
	}
}

func TestOutOfMemory(t *testing.T) {
	s := scope(t)
	before := torch.LiveTensors()
	for _, shape := range [][]int64{{1 << 50}, {1 << 30, 1 << 18}} {
		e := panics(t, func() { s.Zeros(shape, torch.Options{DType: torch.Uint8}) })
		if !errors.Is(e, torch.ErrOutOfMemory) {
			t.Errorf("got %v vs ErrOutOfMemory", e)
		}
		says(t, e, "torch: zeros: ")
	}
	x := s.Ones([]int64{1})
	err := s.Scoped(func(in *torch.Scope) error {
		in.Use(x).Expand(1 << 50).AddScalar(1)
		return nil
	})
	if !errors.Is(err, torch.ErrOutOfMemory) {
		t.Errorf("got %v vs ErrOutOfMemory", err)
	}
	for _, shape := range [][]int64{{-1}, {2, -3}, {math.MaxInt64}, {1 << 40, 1 << 40}, {math.MinInt64}} {
		says(t, torch.Try(func() { s.Zeros(shape) }), "torch: zeros: ")
	}
	if n := torch.LiveTensors(); n != before+1 {
		t.Errorf("got %d live tensors vs %d", n, before+1)
	}
	if got := x.AddScalar(1).Float64(); got != 2 {
		t.Errorf("afterwards: got %v vs 2", got)
	}
}

func TestManyDimensions(t *testing.T) {
	s := scope(t)
	shape := slices.Repeat([]int64{1}, 17)
	x := s.Zeros(shape)
	says(t, panics(t, func() { x.Shape() }), "torch: Shape: more than 16 dimensions")
	sameShape(t, "16", x.Reshape(shape[:16]...), shape[:16]...)
}

func TestImages(t *testing.T) {
	s := scope(t)
	img := image.NewNRGBA(image.Rect(5, 7, 8, 9)) // 3 x 2, not from the origin
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 9)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	x := s.FromImage(img)
	sameShape(t, "image", x, 3, 2, 3)
	if x.DType() != torch.Uint8 {
		t.Errorf("got %s vs uint8", x.DType())
	}
	if got := torch.Slice[uint8](x)[6+2]; got != img.NRGBAAt(7, 7).G {
		t.Errorf("green of the third pixel: got %d vs %d", got, img.NRGBAAt(7, 7).G)
	}
	if got := x.ToImage(); !bytes.Equal(got.Pix, img.Pix) || got.Rect != image.Rect(0, 0, 3, 2) {
		t.Errorf("got %v %v vs %v", got.Rect, got.Pix, img.Pix)
	}
	// Floats are rounded and clamped; every level survives.
	if got := x.To(torch.Float32).DivScalar(255).ToImage(); !bytes.Equal(got.Pix, img.Pix) {
		t.Errorf("float32: got %v vs %v", got.Pix, img.Pix)
	}
	levels := s.Arange(0, 256).To(torch.Float32).DivScalar(255).Reshape(1, 1, 256).ToImage()
	for i := range 256 {
		if got := levels.NRGBAAt(i, 0); got != (color.NRGBA{uint8(i), uint8(i), uint8(i), 255}) {
			t.Fatalf("level %d: got %v", i, got)
		}
	}
	grey := s.FromFloat32s([]float32{-1, 2, .5}, 1, 1, 3).RequiresGrad(true).ToImage()
	for i, want := range []uint8{0, 255, 128} {
		if got := grey.NRGBAAt(i, 0).B; got != want {
			t.Errorf("clamped: got %d vs %d", got, want)
		}
	}
	// Colours are those without transparency, of any kind of picture.
	rgba := image.NewRGBA(image.Rect(0, 0, 1, 1))
	rgba.Set(0, 0, color.NRGBA{200, 100, 50, 128})
	near(t, "premultiplied", vals(s.FromImage(rgba)), []float64{200, 100, 50}, 0.03) // of eight bits
	pal := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.NRGBA{1, 2, 3, 255}})
	near(t, "palette", vals(s.FromImage(pal)), []float64{1, 2, 3}, 0)
	says(t, panics(t, func() { s.Zeros([]int64{4, 2, 2}).ToImage() }), "torch: ToImage: got shape [4 2 2] vs [3 H W] or [1 H W]")
	says(t, panics(t, func() { s.Zeros([]int64{2, 2}).ToImage() }), "torch: ToImage: got shape [2 2]")
}

func TestDTypes(t *testing.T) {
	s := scope(t)
	for d := torch.Float32; d <= torch.Bool; d++ {
		x := s.Zeros([]int64{2}, torch.Options{DType: d})
		if x.DType() != d || x.Bytes() != int64(2*d.Size()) || x.String() != d.String()+"[2] cpu" {
			t.Errorf("%s: got %v, %d bytes", d, x, x.Bytes())
		}
		if got := torch.Try(func() { x.RequiresGrad(true) }) == nil; got != d.IsFloat() {
			t.Errorf("%s: IsFloat: got %v vs %v", d, d.IsFloat(), got)
		}
	}
	if got := torch.DType(200).String(); got != "dtype(200)" {
		t.Errorf("got %q", got)
	}
}

func TestDevices(t *testing.T) {
	for _, test := range []struct {
		text string
		want torch.Device
		ok   bool
	}{
		{"cpu", torch.CPU, true},
		{"cuda", torch.CUDA(0), true},
		{"cuda:3", torch.CUDA(3), true},
		{"cuda:", torch.CPU, false},
		{"cuda:-1", torch.CPU, false},
		{"cuda:128", torch.CPU, false},
		{"cpu:0", torch.CPU, false},
		{"", torch.CPU, false},
		{"CUDA", torch.CPU, false},
	} {
		d, err := torch.ParseDevice(test.text)
		if d != test.want || (err == nil) != test.ok {
			t.Errorf("%q: got %v, %v", test.text, d, err)
		}
	}
	if torch.CUDA(1).String() != "cuda:1" || torch.CPU.String() != "cpu" || !torch.CUDA(1).IsCUDA() || torch.CUDA(1).Index() != 1 {
		t.Error("got a wrong name")
	}
	if err := torch.CPU.Check(); err != nil {
		t.Errorf("cpu: %v", err)
	}
	info, err := torch.CUDADevices()
	if err != nil {
		t.Fatal(err)
	}
	if err := torch.CUDA(info.Count).Check(); err == nil {
		t.Error("got no error for a device that is not there")
	}
	if info.Count > 0 {
		t.Skip("the rest is about machines without a GPU")
	}
	s := scope(t)
	says(t, torch.Try(func() { s.Zeros([]int64{1}, torch.Options{Device: torch.CUDA(0)}) }), "torch: zeros: ")
	says(t, torch.Try(func() { s.Scalar(1).ToDevice(torch.CUDA(0)) }), "torch: to.device: ", "float32[] cpu")
	_, err = s.FromBytes([]byte{1}, torch.Uint8, torch.CUDA(0), 1)
	says(t, err, "torch: FromBytes: ")
	_, err = s.RNGState(torch.CUDA(0))
	says(t, err, "torch: RNGState: ")
	_, err = s.NewGenerator(torch.CUDA(0), 1)
	says(t, err, "torch: NewGenerator: ")
}
