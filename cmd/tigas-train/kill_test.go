package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/safetensors"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// tinyRuns are command lines that train for some seconds, with a snapshot in every second or third step.
var tinyRuns = map[string][]string{
	"gan":       {"--latent", "8", "--ngf", "4", "--ndf", "4", "--batch", "8", "--kimg", "1.6"},
	"stylegan":  {"--latent", "8", "--style-dim", "8", "--channel-base", "128", "--channel-max", "8", "--batch", "8", "--kimg", "0.32"},
	"vae":       {"--latent", "8", "--width", "4", "--batch", "8", "--kimg", "0.32", "--mirror"},
	"diffusion": {"--batch", "8", "--kimg", "0.32", "--sample-steps", "2", "--dropout", "0.1", "--tigas-augment"},
}

// program is a process of this test that is tigas-train.
func program(dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TIGAS_TRAIN_TEST_MAIN=1", "OMP_WAIT_POLICY=PASSIVE")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	return cmd, &stderr
}

func tinyRun(family, out string) []string {
	args := append([]string{family}, tinyRuns[family]...)
	kimg := 0.02
	if family == "gan" {
		kimg = 0.1
	}
	return append(args, "--grid", "2", "--tick", "0.03", "--snap", fmt.Sprint(4*kimg), "--snapshot-kimg", fmt.Sprint(kimg), "--seed", "3",
		"--tigas-weight", "0.1", "--threads", "1", "--resume", "auto", "--out", out)
}

// result is all that a run leaves which does not depend on the clock.
type result struct {
	tensors map[string]string
	log     []string
	images  map[string]string
}

func resultOf(t *testing.T, dir string) result {
	t.Helper()
	run, err := checkpoint.Open(dir)
	require.NoError(t, err)
	path, err := run.Latest()
	require.NoError(t, err)
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	r := result{tensors: map[string]string{}, images: map[string]string{}}
	for _, name := range f.Names() {
		b, err := f.Bytes(name)
		require.NoError(t, err)
		r.tensors[name] = string(b)
	}
	require.Contains(t, r.tensors, "loop.default")
	text, err := os.ReadFile(run.Log())
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		maps.DeleteFunc(m, func(name string, _ any) bool { return monitor.OfClock(name) })
		b, err := json.Marshal(m)
		require.NoError(t, err)
		r.log = append(r.log, string(b))
	}
	require.NotEmpty(t, r.log)
	pictures, err := filepath.Glob(filepath.Join(dir, "samples", "*"))
	require.NoError(t, err)
	for _, p := range pictures {
		b, err := os.ReadFile(p)
		require.NoError(t, err)
		r.images[filepath.Base(p)] = string(b)
	}
	return r
}

func (want result) requireEqual(t *testing.T, got result) {
	t.Helper()
	for i, line := range want.log {
		require.Equal(t, line, got.log[min(i, len(got.log)-1)], "line %d of the log", i)
	}
	require.Equal(t, len(want.log), len(got.log))
	require.Equal(t, len(want.tensors), len(got.tensors))
	for name, data := range want.tensors {
		require.True(t, data == got.tensors[name], "%s differs", name)
	}
	for name, data := range want.images {
		require.True(t, data == got.images[name], "%s differs", name)
	}
	require.Equal(t, slices.Sorted(maps.Keys(want.images)), slices.Sorted(maps.Keys(got.images)))
}

// killAtRandom runs a family again and again, kills it without warning at some moment, and continues it. Every run that gets to
// its end is compared with one that was left alone.
func killAtRandom(t *testing.T, family string, kills int) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	start := time.Now()
	cmd, stderr := program(dir, tinyRun(family, whole)...)
	require.NoError(t, cmd.Run(), stderr)
	took := time.Since(start)
	want := resultOf(t, whole)
	rng := rand.New(rand.NewPCG(1, 2)) // the moments differ all the same: the machine is not that regular
	halves, done := 0, 0
	for n, killed := 0, 0; killed < kills || done == 0; n++ {
		out := filepath.Join(dir, fmt.Sprint("run", done))
		cmd, stderr := program(dir, tinyRun(family, out)...)
		require.NoError(t, cmd.Start())
		after := time.Duration(rng.Float64() * float64(took))
		if killed >= kills {
			after = time.Hour
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err != nil {
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			require.True(t, status.Signaled() && status.Signal() == syscall.SIGKILL, "it ended by itself: %s", stderr)
			killed++
			left, err := filepath.Glob(filepath.Join(out, "*", "*.tmp"))
			require.NoError(t, err)
			if len(left) > 0 {
				halves++
			}
			continue
		}
		want.requireEqual(t, resultOf(t, out))
		left, err := filepath.Glob(filepath.Join(out, "*", "*.tmp"))
		require.NoError(t, err)
		require.Empty(t, left)
		require.NoError(t, os.RemoveAll(out))
		done++
	}
	t.Logf("%s: %d kills, %d of them while a file was being written; %d runs came to their end", family, kills, halves, done)
}

func TestKilledRunIsTheSame(t *testing.T) { killAtRandom(t, "gan", 3) }
