package tensorboard

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Events that protoc 3.21 encoded (protoc --encode=Event, of a schema with the fields of reader_test.go), wall_time 1700000001.
func TestEventBytes(t *testing.T) {
	for name, c := range map[string]struct {
		add  func(w *Writer)
		want string
	}{
		"start": {
			func(w *Writer) { w.Restart(400) },
			"0900004040fc54d9411090033a020801",
		},
		"start at 0": {
			func(w *Writer) { w.Restart(0) },
			"0900004040fc54d9413a020801",
		},
		"zero at a negative step": {
			func(w *Writer) { w.Scalar("n", -3, 0) },
			"0900004040fc54d94110fdffffffffffffffff012a0a0a080a016e1500000000",
		},
		"image": {
			func(w *Writer) { w.Image("i", 300, []byte("abc"), 2, 300) },
			"0900004040fc54d94110ac022a130a110a0169220c080210ac0218032203616263",
		},
		"text": {
			func(w *Writer) { w.Text("t", 5, "hi") },
			"0900004040fc54d94110052a1d0a1b0a0174420c0807120412020801420268694a080a060a0474657874",
		},
		"histogram": { // counts of numpy.histogram with PyTorch's limits
			func(w *Writer) { w.Histogram("h", 300, []float64{2, -1.5, 0, 0.25, -1.5}) },
			"0900004040fc54d94110ac022aaa010aa7010a01682aa10109000000000000f8bf11000000000000004019000000000000144021000000000000e8bf" +
				"29000000000020214032388545cc9fc0a2f7bf000000000000000011ea2d819997713ded5ad35fc5eace3f9c0b81c11f01d13fdc94cd2e8d75ff3f" +
				"e011f10c744d01403a3800000000000000400000000000000000000000000000f03f0000000000000000000000000000f03f0000000000000000" +
				"000000000000f03f",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, m := inMemory(t)
			c.add(w)
			require.NoError(t, w.Flush())
			data, err := records(m.Bytes())
			require.NoError(t, err)
			require.Greater(t, len(data), 1)
			for _, d := range data[1:] { // Restart's are two
				require.Equal(t, c.want, hex.EncodeToString(d))
			}
		})
	}
}

func TestScalars(t *testing.T) {
	w, m := inMemory(t)
	w.now = clock(1700000001.25)
	values := []float64{0, math.Copysign(0, -1), 1.5, -3e-5, math.NaN(), math.Inf(1), math.Inf(-1), 1e39, -1e300, 1e-46, math.Pi}
	steps := []int64{0, 1, -1, 127, 128, 1 << 40, math.MaxInt64, math.MinInt64}
	for _, step := range steps {
		for _, v := range values {
			w.Scalar("a/b c", step, v)
		}
	}
	require.NoError(t, w.Close())
	got := events(t, m.Bytes())
	require.Len(t, got, len(steps)*len(values))
	for i, e := range got {
		step, _ := e["step"].(int64) // 0 is left out
		require.Equal(t, steps[i/len(values)], step)
		require.Equal(t, 1700000001.25, e["wall_time"])
		v := value(t, e)
		require.Equal(t, "a/b c", v["tag"])
		want, number := float32(values[i%len(values)]), v["simple_value"].(float32)
		require.True(t, want == number && math.Signbit(float64(want)) == math.Signbit(float64(number)) ||
			math.IsNaN(float64(want)) && math.IsNaN(float64(number)), "got %v vs %v", number, want)
	}
}

// shown is what TensorBoard's two readers show of the files of a folder, in order: tag, step and value of each scalar. python
// is plugin_event_accumulator.py, which counts START records; otherwise it is reservoir.rs, which looks at each tag's steps.
func shown(t *testing.T, python bool, files ...[]byte) []string {
	type point struct {
		tag  string
		step int64
		text string
	}
	var points []point
	started := false
	for _, file := range files {
		for _, e := range events(t, file) {
			step, _ := e["step"].(int64)
			if e["session_log"] != nil {
				require.Equal(t, object{"status": int64(1)}, e["session_log"])
				if python && started {
					points = slices.DeleteFunc(points, func(p point) bool { return p.step >= step })
				}
				started = true
				continue
			}
			v := value(t, e)
			tag := v["tag"].(string)
			if !python {
				points = slices.DeleteFunc(points, func(p point) bool { return p.tag == tag && p.step >= step })
			}
			points = append(points, point{tag, step, fmt.Sprintf("%s %d %v", tag, step, v["simple_value"])})
		}
	}
	var texts []string
	for _, p := range points {
		texts = append(texts, p.text)
	}
	return texts
}

func TestRestart(t *testing.T) {
	first, firstFile := inMemory(t)
	for step := int64(1); step <= 5; step++ {
		first.Scalar("a", step, float64(step))
	}
	require.NoError(t, first.Close())
	second, secondFile := inMemory(t) // from a state at step 3
	second.Restart(4)
	second.Scalar("a", 4, 40)
	second.Scalar("a", 5, 50)
	second.Scalar("a", 6, 60)
	require.NoError(t, second.Close())
	third, thirdFile := inMemory(t) // from one at step 5
	third.Restart(6)
	third.Scalar("a", 6, 600)
	require.NoError(t, third.Close())

	for _, python := range []bool{false, true} {
		require.Equal(t, []string{"a 1 1", "a 2 2", "a 3 3", "a 4 40", "a 5 50", "a 6 600"},
			shown(t, python, firstFile.Bytes(), secondFile.Bytes(), thirdFile.Bytes()))
	}
}

func TestImages(t *testing.T) {
	bounds := image.Rect(0, 0, 7, 5)
	transparent := image.NewNRGBA(bounds)
	transparent.SetNRGBA(1, 2, color.NRGBA{10, 200, 30, 40})
	opaque := image.NewNRGBA(bounds)
	for i := range opaque.Pix {
		opaque.Pix[i] = byte(i) | byte(i%4/3*255)
	}
	for name, c := range map[string]struct {
		picture    image.Image
		colorspace int64 // of summary.proto
	}{
		"gray":    {image.NewGray(bounds), 1},
		"RGB":     {opaque, 3},
		"RGBA":    {transparent, 4},
		"palette": {image.NewPaletted(bounds, palette.Plan9), 3},
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			require.NoError(t, png.Encode(&file, c.picture))
			w, m := inMemory(t)
			w.Image("samples", 12, file.Bytes(), 5, 7)
			require.NoError(t, w.Close())
			got := events(t, m.Bytes())
			require.Len(t, got, 1)
			v := value(t, got[0])
			require.Equal(t, "samples", v["tag"])
			require.Equal(t, int64(5), v.at("image", "height"))
			require.Equal(t, int64(7), v.at("image", "width"))
			require.Equal(t, c.colorspace, v.at("image", "colorspace"))
			read, err := png.Decode(bytes.NewReader(v.at("image", "encoded_image_string").([]byte)))
			require.NoError(t, err)
			require.Equal(t, bounds, read.Bounds())
			for y := range 5 {
				for x := range 7 {
					require.Equal(t, color.NRGBAModel.Convert(c.picture.At(x, y)), color.NRGBAModel.Convert(read.At(x, y)))
				}
			}
		})
	}
	require.Equal(t, uint64(2), colorspace([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x04")))
	require.Equal(t, uint64(3), colorspace(nil))
}

func TestText(t *testing.T) {
	w, m := inMemory(t)
	w.Text("config", 3, "# title\n\xff")
	require.NoError(t, w.Close())
	v := value(t, events(t, m.Bytes())[0])
	require.Equal(t, "text", v.at("metadata", "plugin_data", "plugin_name"))
	require.Equal(t, object{
		"dtype":        int64(7), // DT_STRING
		"tensor_shape": object{"dim": []any{object{"size": int64(1)}}},
		"string_val":   []any{[]byte("# title\n\uFFFD")},
	}, v["tensor"])
}

// Any tag and any value come back, and a tag that a string of protocol buffers cannot be, as near as it can be.
func FuzzRoundTrip(f *testing.F) {
	f.Add("Loss/G/loss", int64(100), 0.5)
	f.Add("", int64(0), 0.0)
	f.Add("\xff\xfe\x00", int64(-1), math.NaN())
	f.Add("\xed\xa0\x80 ü \u2028 🐈 \x7f\x00", int64(math.MinInt64), math.Inf(-1))
	f.Add(strings.Repeat("long ", 100), int64(1<<35), 1e300)
	f.Fuzz(func(t *testing.T, tag string, step int64, x float64) {
		w, m := inMemory(t)
		w.Scalar(tag, step, x)
		w.Image(tag, step, []byte(tag), len(tag), 1)
		w.Text(tag, step, tag)
		w.Histogram(tag, step, []float64{x, -x, x / 3})
		w.Restart(step)
		require.NoError(t, w.Close())
		got := events(t, m.Bytes())
		values := 4
		if math.IsNaN(x) || math.IsInf(x, 0) {
			values = 3 // no histogram
		}
		require.Len(t, got, values+2)
		for _, e := range got {
			read, _ := e["step"].(int64)
			require.Equal(t, step, read)
		}
		for _, e := range got[:values] {
			read := value(t, e)["tag"].(string)
			if utf8.ValidString(tag) {
				require.Equal(t, tag, read)
			} else {
				require.Equal(t, strings.ToValidUTF8(tag, "\uFFFD"), read)
			}
		}
		require.Equal(t, math.Float32bits(float32(x)), math.Float32bits(value(t, got[0])["simple_value"].(float32)))
		raw, _ := value(t, got[1]).at("image", "encoded_image_string").([]byte)
		require.Equal(t, tag, string(raw))
	})
}
