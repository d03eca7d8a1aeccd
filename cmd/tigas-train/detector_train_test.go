package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/draw"

	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// demoFolder writes demo pictures from a number on; spoil may change them.
func demoFolder(t *testing.T, from, n int, spoil func(*image.RGBA) *image.RGBA) string {
	t.Helper()
	dir := t.TempDir()
	set := data.NewDemo(32, false)
	for i := range n {
		img, err := set.Image(from + i)
		require.NoError(t, err)
		if spoil != nil {
			img = spoil(img.(*image.RGBA))
		}
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, img))
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.png", i)), b.Bytes(), 0o644))
	}
	return dir
}

// upsampled is what a generator with transposed convolutions does: detail of half the resolution, with a weak checkerboard.
func upsampled(img *image.RGBA) *image.RGBA {
	small, big := image.NewRGBA(image.Rect(0, 0, 16, 16)), image.NewRGBA(image.Rect(0, 0, 32, 32))
	draw.BiLinear.Scale(small, small.Rect, img, img.Rect, draw.Src, nil)
	draw.BiLinear.Scale(big, big.Rect, small, small.Rect, draw.Src, nil)
	for y := range 32 {
		for x := range 32 {
			c := big.RGBAAt(x, y)
			lift := func(v uint8) uint8 { return uint8(min(255, int(v)+5*((x+y)%2))) }
			big.SetRGBA(x, y, color.RGBA{lift(c.R), lift(c.G), lift(c.B), 255})
		}
	}
	return big
}

func readCard(t *testing.T, run string) (card struct {
	Training trainers.DetectorReport
	SHA256   string
}) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(run, "card.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &card))
	return card
}

// Two folders to a detector that scores their pictures as it should, by commands alone. One file is broken.
func TestDetectorTrainLearns(t *testing.T) {
	real, fake := demoFolder(t, 0, 300, nil), demoFolder(t, 1000, 200, upsampled)
	require.NoError(t, os.WriteFile(filepath.Join(real, "x-broken.png"), []byte("no picture"), 0o644))
	run := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := call("detector", "train", "--real", real, "--fake", fake, "--out", run, "--width", "8", "--resolution", "32",
		"--epochs", "3", "--seed", "1", "--threads", "1")
	t.Log(stderr)
	require.Equal(t, exitOK, code, stderr)
	file := filepath.Join(run, "detector.pt")
	require.Equal(t, file+"\n", stdout)
	card := readCard(t, run).Training
	require.GreaterOrEqual(t, card.Test.AUC, 0.95)
	require.Equal(t, 50, card.Test.Real+card.Test.Fake)
	// So short a training ends with a slope or without one by chance: versions of libtorch differ in it.
	require.Regexp(t, "verdict   (good|useless as a loss: it tells the two apart, but its score is flat)", stderr)
	require.LessOrEqual(t, strings.Count(stderr, "x-broken.png"), 3)
	require.Contains(t, stderr, "x-broken.png")

	held := demoFolder(t, 5000, 20, nil)
	spoiled := demoFolder(t, 5000, 20, upsampled)
	mean := func(dir string) float64 {
		code, stdout, stderr := call("score", dir, "--model", file, "--size", "32", "--json", "--threads", "1")
		require.Equal(t, exitOK, code, stderr)
		var res struct{ Mean float64 }
		require.NoError(t, json.Unmarshal([]byte(stdout), &res))
		return res.Mean
	}
	require.Greater(t, mean(held), mean(spoiled)+0.2)
}

// Where there is no difference the command says so, and warns when the pictures are the same ones.
func TestDetectorTrainSaysUseless(t *testing.T) {
	a, b := demoFolder(t, 0, 200, nil), demoFolder(t, 200, 200, nil)
	run := filepath.Join(t.TempDir(), "run")
	args := []string{"detector", "train", "--real", a, "--fake", b, "--out", run, "--width", "8", "--resolution", "32", "--kimg", "0.5",
		"--threads", "1", "--quiet"}
	code, _, stderr := call(args...)
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stderr, "warning: verdict   useless", "also when quiet")
	require.True(t, readCard(t, run).Training.Verdict.Useless)
	require.NotContains(t, stderr, "are the folders the same")

	args[5], args[7], args[13] = a, filepath.Join(t.TempDir(), "run"), "0.03"
	code, _, stderr = call(args...)
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stderr, "20 of 20 generated pictures for validation are among the real ones too: are the folders the same?")
}

// Several sets of a kind, a zip, pictures held out, and sizes that give the answer away.
func TestDetectorTrainSources(t *testing.T) {
	a, b, c := demoFolder(t, 0, 12, nil), demoFolder(t, 100, 14, nil), demoFolder(t, 200, 10, nil)
	packed := func(from int) string {
		folder := demoFolder(t, from, 16, func(img *image.RGBA) *image.RGBA {
			big := image.NewRGBA(image.Rect(0, 0, 96, 64))
			draw.BiLinear.Scale(big, big.Rect, img, img.Rect, draw.Src, nil)
			return big
		})
		path := filepath.Join(t.TempDir(), "large.zip")
		f, err := os.Create(path)
		require.NoError(t, err)
		z := zip.NewWriter(f)
		require.NoError(t, z.AddFS(os.DirFS(folder)))
		require.NoError(t, z.Close())
		require.NoError(t, f.Close())
		return path
	}
	large := packed(300)
	run := filepath.Join(t.TempDir(), "run")
	code, _, stderr := call("detector", "train", "--real", a, "--real", b, "--fake", large, "--val-real", c, "--val-fake", packed(400),
		"--out", run, "--width", "8", "--resolution", "32", "--kimg", "0.01", "--batch", "2", "--threads", "1")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stderr, "median size of 32 x 32, generated ones of 96 x 64")
	d := readCard(t, run).Training.Data
	require.Equal(t, []int{26, 5, 5}, []int{d.Real.Train, d.Real.Val, d.Real.Test})
	require.Equal(t, []int{16, 8, 8}, []int{d.Fake.Train, d.Fake.Val, d.Fake.Test})
	require.Equal(t, "large", d.Fake.Name)
}

// trigger cancels when a text is written.
type trigger struct {
	sync.Mutex
	bytes.Buffer
	text   string
	cancel func()
}

func (w *trigger) Write(p []byte) (int, error) {
	w.Lock()
	defer w.Unlock()
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.Buffer.String(), w.text) {
		w.cancel()
	}
	return n, err
}

func TestDetectorTrainInterrupted(t *testing.T) {
	real, fake := demoFolder(t, 0, 20, nil), demoFolder(t, 100, 20, upsampled)
	run := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := &trigger{text: "tick 1", cancel: cancel}
	root := newRoot()
	root.SetArgs([]string{"detector", "train", "--real", real, "--fake", fake, "--out", run, "--width", "8", "--resolution", "32",
		"--batch", "4", "--threads", "1"})
	root.SetErr(w)
	err := root.ExecuteContext(ctx)
	require.Equal(t, exitInterrupt, exitCode(err), "%v", err)
	require.ErrorContains(t, err, "detector.pt is of epoch 1")
	require.Nil(t, readCard(t, run).Training.Test)

	// The newest weights are a start for another run.
	again := filepath.Join(t.TempDir(), "run")
	code, _, stderr := call("detector", "train", "--real", real, "--fake", fake, "--out", again, "--resolution", "32", "--kimg", "0.02",
		"--batch", "4", "--init", filepath.Join(run, "snapshots", "last.safetensors"), "--threads", "1")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stderr, "base 8, feature width 64")
	require.Equal(t, "last.safetensors", readCard(t, again).Training.Settings.Init)
}

func TestDetectorTrainBadInput(t *testing.T) {
	good := demoFolder(t, 0, 12, nil)
	few := demoFolder(t, 0, 9, nil)
	dir := t.TempDir()
	empty, broken, old := filepath.Join(dir, "empty"), filepath.Join(dir, "broken"), filepath.Join(dir, "run")
	for _, d := range []string{empty, broken, old} {
		require.NoError(t, os.Mkdir(d, 0o755))
	}
	for i := range 12 {
		require.NoError(t, os.WriteFile(filepath.Join(broken, fmt.Sprintf("%d.png", i)), []byte("no picture"), 0o644))
	}
	text := filepath.Join(dir, "notes.txt")
	require.NoError(t, os.WriteFile(text, []byte("hello"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(old, "config.json"), []byte("{}"), 0o644))
	both := []string{"--real", good, "--fake", good}
	with := func(flags ...string) []string { return append(append([]string(nil), both...), flags...) }
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nothing", nil, exitUsage, "takes --real and --fake"},
		{"one kind", []string{"--real", good}, exitUsage, "takes --real and --fake"},
		{"an argument", with("x"), exitUsage, "takes no argument"},
		{"half of the held out", with("--val-real", good), exitUsage, "--val-real and --val-fake"},
		{"width", with("--width", "4"), exitUsage, "base 4 vs 8"},
		{"feature", with("--feature", "2"), exitUsage, "feature width 2"},
		{"resolution", with("--resolution", "16"), exitUsage, "--resolution: got 16 vs a number from 32"},
		{"odd batch", with("--batch", "5"), exitUsage, "--batch: got 5 vs an even number"},
		{"batch", with("--batch", "0"), exitUsage, "--batch"},
		{"augment", with("--augment", "much"), exitUsage, `"much" vs none, light or strong`},
		{"epochs", with("--epochs", "0"), exitUsage, "--epochs"},
		{"kimg", with("--kimg", "-1"), exitUsage, "--kimg"},
		{"rate", with("--lr", "nan"), exitUsage, "--lr"},
		{"smoothing", with("--smoothing", "0.5"), exitUsage, "--smoothing"},
		{"patience", with("--patience", "-1"), exitUsage, "--patience"},
		{"word for a number", with("--seed", "x"), exitUsage, "whole number"},
		{"device", with("--device", "tpu"), exitUsage, "cuda:N"},
		{"init and width", with("--init", text, "--width", "8"), exitUsage, "has its own"},
		{"init missing", with("--init", dir+"/x.pt"), exitData, "no such file"},
		{"init of text", with("--init", text), exitData, "notes.txt"},
		{"missing", []string{"--real", good, "--fake", dir + "/nowhere"}, exitData, "--fake: data: "},
		{"empty", []string{"--real", empty, "--fake", good}, exitData, "looked for .jpg"},
		{"few", []string{"--real", good, "--fake", few}, exitData, "got 9 picture(s) vs at least 10"},
		{"few held out", with("--val-real", few, "--val-fake", few), exitData, "--val-real"},
		{"broken", []string{"--real", good, "--fake", broken}, exitData, "can be decoded"},
		{"text as data", []string{"--real", text, "--fake", good}, exitData, "no known kind"},
		{"out holds a run", with("--out", old), exitOutput, "already holds a run"},
		{"out is a file", with("--out", text+"/run"), exitOutput, "not a directory"},
		{"diverges", with("--lr", "1e30", "--batch", "2", "--width", "8", "--resolution", "32"), exitDiverged, "lower the learning rate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"detector", "train", "--threads", "1"}, test.args...)
			if !strings.Contains(strings.Join(args, " "), "--out") {
				args = append(args, "--out", filepath.Join(t.TempDir(), "run"))
			}
			code, _, stderr := call(args...)
			require.Equal(t, test.code, code, stderr)
			require.Contains(t, stderr, test.want)
			require.Contains(t, stderr, "tigas-train: error: ")
			if out := args[len(args)-1]; test.code != exitDiverged && test.code != exitOutput {
				require.NoDirExists(t, out, "nothing is left in the way of the next attempt")
			}
			require.NotContains(t, stderr, "goroutine")
		})
	}
}
