package trainers

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// gridOf reads the pictures of a grid back.
func gridOf(t *testing.T, file string) (l []*image.RGBA) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	img, err := png.Decode(bytes.NewReader(text))
	require.NoError(t, err)
	grid := monitor.ReadGrid(text, img)
	require.NotNil(t, grid)
	for i := range grid.Len() {
		l = append(l, grid.Picture(i))
	}
	return l
}

// What the log says of samples is what their files show: the scores of those pictures, and of the real ones beside them.
func TestSamplesAreMeasured(t *testing.T) {
	s := families()["gan"]
	s.dir, s.steps = filepath.Join(t.TempDir(), "run"), 6
	_, err := s.run(t)
	require.NoError(t, err)
	entries, err := monitor.ReadLog(filepath.Join(s.dir, "log.jsonl"))
	require.NoError(t, err)
	value := func(e monitor.LogEntry, name string) (float64, bool) {
		for _, v := range e.Values {
			if v.Name == name {
				return v.Value, true
			}
		}
		return 0, false
	}
	root := scope(t)
	d := embedded(t, root)
	score := func(file string) (mean float64) {
		for _, img := range gridOf(t, filepath.Join(s.dir, "samples", file)) {
			b := img.Bounds()
			pix := make([]byte, 0, 3*b.Dx()*b.Dy())
			for c := range 3 {
				for k := 0; k < len(img.Pix); k += 4 {
					pix = append(pix, img.Pix[k+c])
				}
			}
			torch.NoGrad(func() { mean += d.Score(UnitImages(root, pix, b.Dx(), torch.CPU)).Float64() / 4 })
		}
		return mean
	}
	measured := 0
	for _, e := range entries {
		got, ok := value(e, "sample_score")
		if !ok {
			continue
		}
		measured++
		kimg := fmt.Sprintf("%010.3f", e.Kimg)
		// One image at a time or four is another order of sums.
		require.InDelta(t, score("fakes"+kimg+".png"), got, 1e-5)
		require.FileExists(t, filepath.Join(s.dir, "samples", "scores"+kimg+".png"))
		got, _ = value(e, "data_score")
		require.InDelta(t, score("reals.png"), got, 1e-5)
		perturbed, ok := value(e, "data_score_perturbed")
		require.True(t, ok)
		require.Less(t, perturbed, got, "the embedded detector knows clean pictures only")
		diversity, _ := value(e, "sample_diversity")
		detail, _ := value(e, "data_detail")
		require.Positive(t, diversity)
		require.Positive(t, detail)
	}
	require.Equal(t, 3, measured, "before the first step, in the middle and at the end")

	var ratios, weights int
	for _, e := range entries {
		if v, ok := value(e, "tigas_grad_ratio"); ok {
			require.Positive(t, v)
			ratios++
		}
		if v, ok := value(e, "tigas_weight"); ok {
			require.Equal(t, 0.1, v)
			weights++
		}
	}
	require.Equal(t, 3, weights, "one for each tick")
	require.Equal(t, 3, ratios)
}

// A run that goes on where pictures were due draws them, unless that was done before it ended.
func TestPicturesAreDrawnOnce(t *testing.T) {
	s := families()["gan"]
	s.dir, s.steps, s.stopAt = filepath.Join(t.TempDir(), "run"), 10, 5 // pictures and a snapshot are due after five steps
	_, err := s.run(t)
	require.ErrorIs(t, err, ErrInterrupted)
	fakes := filepath.Join(s.dir, "samples", "fakes000000.200.png")
	require.NoFileExists(t, fakes)
	s.resume, s.stopAt = true, 7
	_, err = s.run(t)
	require.ErrorIs(t, err, ErrInterrupted)
	require.FileExists(t, fakes)
	log := filepath.Join(s.dir, "log.jsonl")
	before := lines(t, log)
	require.Equal(t, 2, strings.Count(before, "sample_score\""))
	// Back to the snapshot of step 5, beside which the log has its pictures: they are not drawn again.
	require.NoError(t, os.Remove(fakes))
	require.NoError(t, os.Remove(filepath.Join(s.dir, "snapshots", "network-snapshot-000000.280.safetensors")))
	s.stopAt = 6
	_, err = s.run(t)
	require.ErrorIs(t, err, ErrInterrupted)
	require.NoFileExists(t, fakes)
	require.Equal(t, 2, strings.Count(lines(t, log), "sample_score\""))
}

// lines is the text of a log.
func lines(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// A file that cannot be written costs the pictures, not the run, at its beginning too.
func TestPicturesThatCannotBeWritten(t *testing.T) {
	s := families()["vae"]
	var said bytes.Buffer
	s.dir, s.steps, s.console = filepath.Join(t.TempDir(), "run"), 3, &said
	for _, name := range []string{"reals.png", "fakes000000.000.png"} {
		require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "samples", name, "in the way"), 0o755))
	}
	_, err := s.run(t)
	require.NoError(t, err)
	require.Contains(t, said.String(), "warning: no pictures: ")
	require.FileExists(t, filepath.Join(s.dir, "samples", "fakes000000.024.png"))
}

// Snapshots, pictures and ticks that are to come more often do so at once, not after the old distance.
func TestShorterDistances(t *testing.T) {
	s := families()["vae"]
	s.dir, s.steps, s.stopAt = filepath.Join(t.TempDir(), "run"), 40, 2
	s.saveKimg = 1
	_, err := s.run(t)
	require.ErrorIs(t, err, ErrInterrupted)
	s.resume, s.stopAt, s.saveKimg = true, 8, 0.02
	_, err = s.run(t)
	require.ErrorIs(t, err, ErrInterrupted)
	snapshots, err := filepath.Glob(filepath.Join(s.dir, "snapshots", "*.safetensors"))
	require.NoError(t, err)
	require.Len(t, snapshots, 3, "%v", snapshots)
	require.Contains(t, snapshots[0], "000000.024")
	require.Contains(t, snapshots[1], "000000.040")
}

// The recipe's line, once for each pass over the data, is the mean of all scores of that pass, wherever ticks end and runs are
// interrupted.
func TestEpochScore(t *testing.T) {
	var e epochs
	add := func(position float64, scores ...float64) {
		for _, v := range scores {
			e.add(epochAt(position), v)
		}
	}
	add(0.5, 0.1)
	add(1, 0.3) // the last image of the first epoch
	require.Equal(t, []epochScore{{0, 0.2}}, e.take(1), "it is over")
	require.Empty(t, e.take(1))
	add(1.5, 0.5)
	require.Empty(t, e.take(1.5))
	add(2.25, 0.7)
	add(2.75, 0.9)
	require.Equal(t, []epochScore{{1, 0.5}}, e.take(2.75))
	add(3, 0.2)
	add(9.5, 1)
	done := e.take(9.5)
	require.Len(t, done, 1, "epochs without a score are left out")
	require.InDelta(t, 0.6, done[0].Score, 1e-12)
	require.EqualValues(t, 2, done[0].Epoch)

	var said bytes.Buffer
	s := families()["vae"]
	s.dir, s.steps, s.console, s.pictures = filepath.Join(t.TempDir(), "run"), 9, &said, 20
	_, err := s.run(t)
	require.NoError(t, err)
	// Nine batches of 8 of 20 pictures: three passes end, in the 3rd, 5th and 8th step.
	got := regexp.MustCompile(`(?m)^Epoch (\d): Average TIGAS score = 0\.\d{4}$`).FindAllStringSubmatch(said.String(), -1)
	require.Len(t, got, 3, said.String())
	for i, m := range got {
		require.Equal(t, fmt.Sprint(i), m[1])
	}
	require.Contains(t, lines(t, filepath.Join(s.dir, "log.jsonl")), `"epoch_done":2`)
	require.Regexp(t, `(?m)^time      .*net \d+ %`, said.String())
}

// Without real pictures epochs go on as if they were taken: a term whose warm-up counts epochs begins.
func TestTigasOnlyCountsEpochs(t *testing.T) {
	var said bytes.Buffer
	s := families()["gan"]
	s.family = func(root *torch.Scope, term tigas.Term) (Family, error) {
		o := tiny()
		o.Loss, o.Term = TIGASOnly, term
		o.Term.Weight = sched.Linear{To: 1, Over: sched.Span{N: 1, Unit: sched.FracEpoch}}
		return NewGAN(root, nil, o, torch.CPU)
	}
	s.dir, s.steps, s.perStep, s.console, s.pictures = filepath.Join(t.TempDir(), "run"), 8, familyBatch, &said, 20
	_, err := s.run(t)
	require.NoError(t, err)
	text := lines(t, filepath.Join(s.dir, "log.jsonl"))
	require.Contains(t, text, `"epoch":3.2,`)
	require.Contains(t, text, `"tigas_weight":1,`)
	require.Contains(t, said.String(), "Epoch 2: Average TIGAS score = ")
}
