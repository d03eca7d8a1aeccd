package trainers

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor/diagnose"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// events are the files that TensorBoard reads of a run, one for each session.
func events(t *testing.T, dir string) (files []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	require.NoError(t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		files = append(files, string(text))
	}
	return files
}

// The values are in the events under the tags that people know, with the pictures and the configuration; a session that goes on
// has a file of its own. That the files are read as they are meant is tested where they are written.
func TestTensorBoard(t *testing.T) {
	s := families()["gan"]
	s.dir, s.steps, s.stopAt, s.watched = filepath.Join(t.TempDir(), "run"), 12, 7, &diagnose.Run{Family: "gan"}
	_, err := s.run(t)
	require.ErrorIs(t, err, ErrInterrupted)
	s.resume, s.stopAt = true, 0
	_, err = s.run(t)
	require.NoError(t, err)
	files := events(t, s.dir)
	require.Len(t, files, 2)
	for i, file := range files {
		for _, tag := range []string{"Loss/D/loss", "Loss/G/loss", "Loss/gp", "Loss/tigas", "TIGAS/score_fake", "TIGAS/score_samples", "TIGAS/grad_ratio",
			"Loss/scores/real", "LR/G", "Grad/D_norm", "Timing/tigas", "Timing/total_sec", "Progress/kimg", "Resources/live_tensors",
			"Samples/fakes", "TIGAS/scores_samples"} {
			require.Contains(t, file, tag)
		}
		// As they are and by score, at steps 0 and 5, and 10 and 12; and the real ones.
		require.Equal(t, []int{5, 4}[i], strings.Count(file, "\x89PNG\r\n"))
	}
}

// What costs nothing but itself: a folder without room for events. What is found is told
// once, and again when it is worse.
func TestObserversDoNotEndTheRun(t *testing.T) {
	s := families()["gan"]
	var said bytes.Buffer
	s.dir, s.steps, s.console, s.watched = filepath.Join(t.TempDir(), "run"), 30, &said, &diagnose.Run{Family: "gan", TotalKimg: 1.2}
	n := 0
	s.plant = func(name string, v *torch.Tensor) *torch.Tensor { // a gradient that is not finite in every third step
		if name != "G" {
			return v
		}
		if n++; n%3 == 0 {
			return v.MulScalar(math.NaN())
		}
		return v
	}
	_, err := s.run(t)
	require.NoError(t, err)
	for _, severity := range []string{"info", "warning", "problem"} { // as more and more of the last ticks have such a step
		require.Len(t, regexp.MustCompile(`(?m)^`+severity+`: .*\(bad-gradients\)`).FindAllString(said.String(), -1), 1, said.String())
	}

	said.Reset()
	s.dir, s.steps, s.plant, n = filepath.Join(t.TempDir(), "run"), 8, nil, 0
	make := s.family
	s.family = func(root *torch.Scope, term tigas.Term) (Family, error) {
		f, err := make(root, term)
		return &lostEvents{f}, err
	}
	_, err = s.run(t)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(said.String(), "warning: no TensorBoard events: "), said.String())
}

// lostEvents lets the event file fail after the third step.
type lostEvents struct{ Family }

func (l *lostEvents) Step(st *Step) error {
	if st.Progress.Step == 3 {
		_ = st.loop.events.Close()
	}
	return l.Family.Step(st)
}
