package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// greyFolder is n grey pictures with levels from..from+n-1.
func greyFolder(t *testing.T, from, n int) string {
	l := map[string]uint8{}
	for i := range n {
		l[fmt.Sprintf("%03d.png", i)] = uint8(from + i)
	}
	return greys(t, l)
}

// The score is the brightness, so that everything can be said in advance: bright pictures beat dark ones, and a step of
// 1/255 on every pixel adds 1/255.
func TestDetectorCheck(t *testing.T) {
	bright, dark := greyFolder(t, 150, 40), greyFolder(t, 60, 30)
	require.NoError(t, os.WriteFile(filepath.Join(dark, "broken.jpg"), []byte("no picture"), 0o644))
	out := t.TempDir()
	roc, plot, file := filepath.Join(out, "new", "roc.png"), filepath.Join(out, "plot.png"), filepath.Join(out, "check.json")
	code, stdout, stderr := call("detector", "check", brightness(t), "--real", bright, "--fake", dark, "--size", "16", "--threads", "1",
		"--roc", roc, "--plot", plot, "--json", file, "--min-auc", "0.9")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "area 1.0000")
	require.Contains(t, stdout, "verdict    good")
	require.Contains(t, stdout, "broken     1 picture")
	for _, path := range []string{roc, plot} {
		require.Greater(t, decodePNG(t, path).Dx(), 500)
	}
	var r struct {
		Figures  trainers.DetectorFigures
		Degraded []trainers.DegradedFigures
		Verdict  trainers.DetectorVerdict
		Broken   int
		Scores   struct{ Real, Fake []float64 }
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &r))
	require.InDelta(t, 1./255, r.Figures.Slope, 1e-6) // float32
	require.Equal(t, 1.0, r.Figures.AUC)
	require.Equal(t, []int{40, 30}, []int{len(r.Scores.Real), len(r.Scores.Fake)})
	require.InDelta(t, 150./255, r.Scores.Real[0], 1e-6)
	require.Len(t, r.Degraded, 4)
	require.Equal(t, 1, r.Broken)

	code, stdout, stderr = call("detector", "check", brightness(t), "--real", bright, "--fake", dark, "--size", "16", "--threads", "1",
		"--limit", "20", "--json", "-")
	require.Equal(t, exitOK, code, stderr)
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.Len(t, r.Scores.Real, 20)
}

func TestDetectorCheckSaysUseless(t *testing.T) {
	bright, dark := greyFolder(t, 150, 40), greyFolder(t, 60, 40)
	for name, test := range map[string]struct {
		detector, real, fake, want string
	}{
		"guessing":  {brightness(t), bright, greyFolder(t, 150, 40), "useless: it hardly does better than guessing"},
		"exchanged": {brightness(t), dark, bright, "takes generated pictures for real"},
		"too few":   {brightness(t), bright, greyFolder(t, 0, 1), "are too few"},
		"flat": {detectorFile(t, "torch.sigmoid((x.mean([1, 2, 3]) * self.a - 0.5) * 60.)"), bright, dark,
			"useless as a loss: it tells the two apart, but its score is flat"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call("detector", "check", test.detector, "--real", test.real, "--fake", test.fake, "--size", "16", "--threads", "1")
			require.Equal(t, exitOK, code, stderr)
			require.Contains(t, stdout, test.want)
			require.Contains(t, stdout, "advice")
		})
	}
	code, stdout, stderr := call("detector", "check", brightness(t), "--real", dark, "--fake", bright, "--size", "16", "--threads", "1", "--min-auc", "0.8")
	require.Equal(t, exitData, code)
	require.Contains(t, stdout, "ROC", "what was measured is printed all the same")
	require.Contains(t, stderr, "vs at least 0.8")
}

func TestDetectorCheckRefusals(t *testing.T) {
	bright := greyFolder(t, 150, 12)
	roc := filepath.Join(t.TempDir(), "roc.png")
	base := []string{"detector", "check", brightness(t), "--size", "16", "--threads", "1"}
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"workers":     {[]string{"--real", bright, "--fake", bright, "--workers", "-1"}, exitUsage, "--workers"},
		"twice":       {[]string{"--real", bright, "--real", bright + "/.", "--fake", bright}, exitUsage, "the same pictures twice"},
		"same output": {[]string{"--real", bright, "--fake", bright, "--roc", roc, "--plot", roc}, exitUsage, "for both"},
		"no output":   {[]string{"--real", bright, "--fake", bright, "--roc", bright + "/000.png/roc.png"}, exitOutput, "not a directory"},
		"comma":       {[]string{"--real", bright + ",x", "--fake", bright}, exitData, bright + ",x"},
		"no pictures": {[]string{"--real", bright, "--fake", t.TempDir()}, exitData, "no usable images"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(append(base, test.args...)...)
			require.Equal(t, test.code, code, stderr)
			require.Contains(t, stderr, test.want)
			require.Empty(t, stdout)
			_, err := os.Stat(roc)
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}
