package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// brightness is a detector whose score is the mean of an image, so that a grey picture's score is known.
func brightness(t *testing.T) string { return detectorFile(t, "x.mean([1, 2, 3]) * self.a") }

// greys writes pictures of one grey each, NAME: level, and returns their folder.
func greys(t *testing.T, levels map[string]uint8) string {
	t.Helper()
	dir := t.TempDir()
	for name, v := range levels {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		img := image.NewRGBA(image.Rect(0, 0, 20, 10))
		for y := range 10 {
			for x := range 20 {
				img.SetRGBA(x, y, color.RGBA{v, v, v, 255})
			}
		}
		require.NoError(t, monitor.WritePNG(path, img))
	}
	return dir
}

// callWith is call with something on standard input.
func callWith(ctx context.Context, stdin string, args ...string) (code int, stdout string, err error) {
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs(jsonArgument(args))
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	if err = root.ExecuteContext(ctx); err != nil {
		code = exitCode(err)
	}
	return code, out.String(), err
}

func lineWith(t *testing.T, text, part string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	t.Fatalf("no line with %q in\n%s", part, text)
	return ""
}

func TestScoreTableIsSorted(t *testing.T) {
	dir := greys(t, map[string]uint8{"a.png": 51, "b.PNG": 229, "sub/c.png": 153, "d.png": 102}) // 0.2, 0.9, 0.6, 0.4
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad.png"), []byte("no picture"), 0o644))
	code, stdout, stderr := call("score", dir, "--model", brightness(t), "--size", "16", "--threads", "1")
	require.Equal(t, exitOK, code, stderr)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(t, lines, 6)
	for i, want := range []string{"0.8980  likely real    " + dir + "/b.PNG", "0.6000  probably real  " + dir + "/sub/c.png",
		"0.4000  probably fake  " + dir + "/d.png", "0.2000  likely fake    " + dir + "/a.png"} {
		require.Equal(t, filepath.ToSlash(want), lines[i])
	}
	require.Contains(t, lines[4], "not scored")
	require.Contains(t, lines[4], "bad.png: image: unknown format")
	// Mean (51+229+153+102)/4/255, population deviation, by hand.
	require.Equal(t, "4 pictures: mean 0.5245, std 0.2579, median 0.5000; 2 real, 2 fake at 0.5; 1 file not scored", lines[5])

	code, stdout, _ = call("score", dir, "--model", brightness(t), "--size", "16", "--sort", "path", "--threshold", "0.3", "--threads", "1")
	require.Equal(t, exitOK, code)
	lines = strings.Split(strings.TrimSpace(stdout), "\n")
	require.Contains(t, lines[0], "a.png")
	require.Contains(t, lines[1], "b.PNG")
	require.Contains(t, lines[2], "bad.png")
	require.Contains(t, lines[5], "3 real, 1 fake at 0.3")

	code, stdout, _ = call("score", dir, "--model", brightness(t), "--size", "16", "--show-top", "1", "--threads", "1", "--batch", "3")
	require.Equal(t, exitOK, code)
	lines = strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(t, lines, 6)
	require.Equal(t, "the 1 most real", lines[0])
	require.Contains(t, lines[1], "b.PNG")
	require.Equal(t, "the 1 most fake", lines[2])
	require.Contains(t, lines[3], "a.png")

	code, stdout, _ = call("score", filepath.Join(dir, "d.png"), filepath.Join(dir, "b.PNG"), "--model", brightness(t), "--size", "16",
		"--sort", "none", "--threads", "1")
	require.Equal(t, exitOK, code)
	require.Less(t, strings.Index(stdout, "d.png"), strings.Index(stdout, "b.PNG"))
}

func TestScoreJSON(t *testing.T) {
	dir := greys(t, map[string]uint8{"a.png": 51, "b.png": 204, "c.png": 153})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad.png"), []byte("no picture"), 0o644))
	model := brightness(t)
	check := func(text []byte) {
		var r scoreJSON
		require.NoError(t, json.Unmarshal(text, &r))
		require.Equal(t, model, r.Model.Name)
		require.Len(t, r.Model.SHA256, 64)
		require.Equal(t, 16, r.Model.ImageSize)
		require.Len(t, r.Results, 4)
		require.Equal(t, filepath.Join(dir, "b.png"), r.Results[0].Path)
		require.InDelta(t, 0.8, *r.Results[0].Score, 1e-6) // float32
		require.Equal(t, "likely real", r.Results[0].Verdict)
		require.Equal(t, 1, r.Results[0].Pictures)
		require.Nil(t, r.Results[3].Score)
		require.NotEmpty(t, r.Results[3].Error)
		require.Equal(t, 3, r.Count)
		require.Equal(t, 1, r.Failed)
		s := r.Statistics
		require.Equal(t, 3, s.TotalImages)
		require.Equal(t, []int{2, 1}, []int{s.PredictedReal, s.PredictedFake})
		for _, v := range [][2]float64{{*r.Mean, 1.6 / 3}, {s.MeanScore, 1.6 / 3}, {s.StdScore, 0.249444}, {s.MinScore, 0.2}, {s.MaxScore, 0.8},
			{s.MedianScore, 0.6}, {s.Q25Score, 0.4}, {s.Q75Score, 0.7}, {s.RealPercentage, 200. / 3}, {s.FakePercentage, 100. / 3}} {
			require.InDelta(t, v[1], v[0], 1e-5)
		}
	}
	base := []string{"score", dir, "--model", model, "--size", "16", "--threads", "1"}
	for _, args := range [][]string{{"--json"}, {"--json", "-"}, {"--json=-"}} {
		code, stdout, stderr := call(append(base, args...)...)
		require.Equal(t, exitOK, code, stderr)
		check([]byte(stdout))
	}
	out := filepath.Join(t.TempDir(), "new", "out.json")
	for _, args := range [][]string{{"--json", out}, {"--json=" + out}} {
		_ = os.Remove(out)
		code, stdout, stderr := call(append(base, args...)...)
		require.Equal(t, exitOK, code, stderr)
		require.Contains(t, stdout, "3 pictures: mean 0.5333")
		require.Contains(t, stderr, "wrote    "+out)
		text, err := os.ReadFile(out)
		require.NoError(t, err)
		check(text)
	}
	// A picture after --json is no file to write to.
	picture := filepath.Join(dir, "a.png")
	before, err := os.ReadFile(picture)
	require.NoError(t, err)
	code, stdout, _ := call("score", "--json", picture, "--model", model, "--size", "16", "--threads", "1", "-q")
	require.Equal(t, exitOK, code)
	require.True(t, json.Valid([]byte(stdout)))
	after, err := os.ReadFile(picture)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestJSONArgument(t *testing.T) {
	for _, test := range [][2]string{
		{"score a --json b.json c", "score a --json=b.json c"},
		{"score a --json B.JSON", "score a --json=B.JSON"},
		{"score --json - a", "score --json=- a"},
		{"score --json a.png", "score --json a.png"},
		{"score a --json", "score a --json"},
		{"score -- --json a.json", "score -- --json a.json"},
		{"detector info --json a.json", "detector info --json a.json"},
	} {
		require.Equal(t, test[1], strings.Join(jsonArgument(strings.Fields(test[0])), " "))
	}
	require.Empty(t, jsonArgument(nil))
}

func TestScoreListFromStandardInput(t *testing.T) {
	dir := greys(t, map[string]uint8{"a.png": 51, "b c.png": 204, "sub/d.png": 153})
	a, b, sub := filepath.Join(dir, "a.png"), filepath.Join(dir, "b c.png"), filepath.Join(dir, "sub")
	for name, list := range map[string]string{
		"lines": a + "\n" + b + "\r\n\n" + sub + "\n",
		"nuls":  a + "\x00" + b + "\x00" + sub + "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, err := callWith(t.Context(), list, "score", "-", "--model", brightness(t), "--size", "16", "--threads", "1")
			require.Equal(t, exitOK, code, err)
			require.Contains(t, stdout, "b c.png")
			require.Contains(t, stdout, "3 pictures")
		})
	}
	code, _, err := callWith(t.Context(), "", "score", "-")
	require.Equal(t, exitData, code)
	require.ErrorContains(t, err, "standard input: got no paths")
}

func TestScoreNothingReadable(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".jpg")), []byte("no picture"), 0o644))
	}
	code, stdout, stderr := call("score", dir, "--model", "embedded", "--threads", "1", "--json")
	require.Equal(t, exitData, code)
	require.Contains(t, stderr, "none of 3 pictures could be read")
	var r scoreJSON
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.Nil(t, r.Mean)
	require.Nil(t, r.Statistics)
	require.Equal(t, 3, r.Failed)

	// Where there is no file at all, no detector is asked for: that could mean a download.
	code, _, stderr = call("score", t.TempDir(), "--threads", "1")
	require.Equal(t, exitData, code)
	require.Contains(t, stderr, "none of 1 pictures could be read")
	require.Contains(t, stderr, "no usable images")

	// Among others an empty folder is a line.
	good := greys(t, map[string]uint8{"a.png": 51})
	code, stdout, stderr = call("score", t.TempDir(), good, "--model", "embedded", "--threads", "1", "-q")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "looked for .jpg")
	require.Contains(t, stdout, "1 picture: ")
}

func decodePNG(t *testing.T, path string) image.Rectangle {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	img, format, err := image.Decode(f)
	require.NoError(t, err)
	require.Equal(t, "png", format)
	return img.Bounds()
}

func TestScoreFigures(t *testing.T) {
	dir := greys(t, map[string]uint8{"a.png": 51, "b.png": 204, "c.png": 153})
	plot, sheet := filepath.Join(dir, "figures", "plot.png"), filepath.Join(dir, "sheet.png")
	args := []string{"score", dir, "--model", brightness(t), "--size", "16", "--threads", "1", "--plot", plot, "--sheet", sheet}
	for range 2 { // the second time the figures are below the folder, and are not scored
		code, stdout, stderr := call(args...)
		require.Equal(t, exitOK, code, stderr)
		require.Contains(t, stdout, "3 pictures")
		require.Equal(t, image.Rect(0, 0, monitor.FigureWidth, monitor.FigureHeight), decodePNG(t, plot))
		require.Greater(t, decodePNG(t, sheet).Dx(), 3*monitor.SheetCell)
	}
	// One picture has a histogram too.
	code, _, stderr := call("score", filepath.Join(dir, "a.png"), "--model", "embedded", "--plot", plot, "--threads", "1")
	require.Equal(t, exitOK, code, stderr)

	text := filepath.Join(dir, "notes.txt")
	require.NoError(t, os.WriteFile(text, nil, 0o644))
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--plot", filepath.Join(text, "p.png")}, exitOutput, "not a directory"},
		{[]string{"--sheet", filepath.Join(text, "p.png")}, exitOutput, "not a directory"},
		{[]string{"--json=" + filepath.Join(text, "p.json")}, exitOutput, "not a directory"},
		{[]string{"--plot", filepath.Join(dir, "p.pdf")}, exitUsage, "vs a .png file"},
		{[]string{"--json=p.txt"}, exitUsage, "vs a .json file"},
		{[]string{"--plot", plot, "--sheet", plot}, exitUsage, "for both"},
		{[]string{"--threshold", "nan"}, exitUsage, "--threshold: got NaN"},
		{[]string{"--crop", "random"}, exitUsage, "stretch or center"},
		{[]string{"--sort", "size"}, exitUsage, "score, path or none"},
		{[]string{"--show-top", "-1"}, exitUsage, "--show-top"},
		{[]string{"--batch", "0"}, exitUsage, "--batch"},
	} {
		code, stdout, stderr := call(append([]string{"score", filepath.Join(dir, "a.png"), "--model", "embedded", "--threads", "1"}, test.args...)...)
		require.Equal(t, test.code, code, stderr)
		require.Contains(t, stderr, test.want)
		require.Empty(t, stdout, "refused before anything is scored")
	}
}

// A folder that takes the plot's place while pictures are scored costs the plot, not the scores.
func TestScoresAreNotLostWithThePlot(t *testing.T) {
	var out bytes.Buffer
	dir := t.TempDir()
	s := scoreCommand{Plot: filepath.Join(dir, "gone", "plot.png"), Threshold: 0.5, Sort: sortScore, out: &out,
		console: &monitor.Console{W: &bytes.Buffer{}}}
	err := s.report(&tigas.Detector{Name: "x"}, finished([]scored{{Path: "a", Pictures: 1, each: []float64{0.25}}}), 1)
	require.Equal(t, exitOutput, exitCode(err))
	require.Contains(t, out.String(), "0.2500  likely fake    a\n")
}

func TestScoreSampleGrid(t *testing.T) {
	dir := t.TempDir()
	pix := make([]byte, 0, 3*3*8*8)
	for _, v := range []byte{51, 102, 153} {
		pix = append(pix, bytes.Repeat([]byte{v}, 3*8*8)...)
	}
	require.NoError(t, monitor.WriteGrid(filepath.Join(dir, "grid.png"), pix, 3, 8, 8, 2))
	sheet := filepath.Join(t.TempDir(), "sheet.png")
	code, stdout, stderr := call("score", dir, "--model", brightness(t), "--size", "16", "--batch", "2", "--threads", "1", "--sheet", sheet)
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, lineWith(t, stdout, "grid.png"), "0.4000  probably fake")
	require.Contains(t, stdout, "(mean of 3)")
	require.Contains(t, stdout, "3 pictures: mean 0.4000")
	require.Contains(t, stdout, "1 real, 2 fake")
	require.Greater(t, decodePNG(t, sheet).Dx(), 3*monitor.SheetCell)
}

// The left half of a wide picture is black, so that stretching it and cutting out its middle give different scores; its
// colour behind full transparency counts for one and is white for the other.
func TestScoreCrop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	img := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	for y := range 20 {
		for x := range 40 {
			img.SetNRGBA(x, y, color.NRGBA{102, 102, 102, 0})
			if x < 8 {
				img.SetNRGBA(x, y, color.NRGBA{0, 0, 0, 255})
			}
		}
	}
	require.NoError(t, monitor.WritePNG(path, img))
	for crop, want := range map[string]string{"stretch": "0.3200", "center": "1.0000"} {
		code, stdout, stderr := call("score", path, "--model", brightness(t), "--size", "20", "--crop", crop, "--threads", "1")
		require.Equal(t, exitOK, code, stderr)
		require.True(t, strings.HasPrefix(stdout, want), "%s: %s", crop, stdout)
	}
}

// writerFunc is a writer that does something else.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

func TestScoreStopsWithWhatItHas(t *testing.T) {
	dir := greys(t, map[string]uint8{"a.png": 51, "b.png": 204, "c.png": 153})
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	s := scoreCommand{Model: brightness(t), Size: 16, Batch: 1, Crop: cropStretch, Sort: sortScore, Threshold: 0.5, out: &out,
		sys: systemFlags{Device: "cpu", Threads: 1}, console: &monitor.Console{Live: true, W: writerFunc(cancel)}} // at the first progress
	err := s.run(ctx, []string{dir})
	require.Equal(t, exitInterrupt, exitCode(err))
	require.ErrorContains(t, err, "of 3 files")
	require.Contains(t, out.String(), "0.2000  likely fake    "+filepath.ToSlash(dir)+"/a.png")
	require.NotContains(t, out.String(), "c.png")

	code, stdout, err := callWith(ctx, "", "score", dir, "--model", "embedded", "--threads", "1")
	require.Equal(t, exitInterrupt, code)
	require.ErrorContains(t, err, "stopped after 0 of 3 files")
	require.Empty(t, stdout)
}

func TestVerdict(t *testing.T) {
	for score, want := range map[float64]string{1: "likely real", 0.71: "likely real", 0.7: "probably real", 0.51: "probably real",
		0.5: "probably fake", 0.31: "probably fake", 0.3: "likely fake", 0: "likely fake"} {
		require.Equal(t, want, verdict(score), "%v", score)
	}
}
