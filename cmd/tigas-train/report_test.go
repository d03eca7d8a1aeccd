package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/gif"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/monitor/report"
)

// Report, watch and progression show what a run left, without touching it.
func TestShowRuns(t *testing.T) {
	dir, stderr := shortRun(t, "gan", "--ngf", "4", "--ndf", "4")
	require.Contains(t, stderr, "\ntime      ")
	events, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	require.NoError(t, err)
	require.Len(t, events, 1)
	before := everything(t, dir)
	out := filepath.Join(t.TempDir(), "report.html")

	code, stdout, stderr := call("report", dir, "--out", out)
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, out+"\n", stdout)
	page, err := os.ReadFile(out)
	require.NoError(t, err)
	for _, want := range []string{filepath.Base(dir), "tigas-train gan --", "sample_score", "data:image/png;base64,"} {
		require.Contains(t, string(page), want)
	}
	require.NotRegexp(t, `(?i)(src|href)=["']?(https?:)?//`, string(page), "it needs the network")

	for _, name := range []string{"p.png", "p.gif"} {
		file := filepath.Join(t.TempDir(), name)
		code, stdout, stderr = call("progression", dir, "--out", file)
		require.Equal(t, exitOK, code, stderr)
		require.Equal(t, file+"\n", stdout)
		f, err := os.Open(file)
		require.NoError(t, err)
		defer f.Close()
		moments, err := filepath.Glob(filepath.Join(dir, "samples", "fakes*"))
		require.NoError(t, err)
		if name == "p.gif" {
			g, err := gif.DecodeAll(f)
			require.NoError(t, err)
			require.Len(t, g.Image, len(moments))
		} else {
			size := decodePNG(t, file)
			require.Equal(t, len(moments)*(4*32+2)+2, size.Dy(), "a row for each moment, four times as large")
		}
	}
	require.Equal(t, before, everything(t, dir))

	// A folder of runs stands for its runs; what is none is refused with what to give.
	view, err := viewRuns([]string{filepath.Dir(dir)}, &monitor.Console{W: io.Discard})
	require.NoError(t, err)
	require.Len(t, view, 1)
	require.True(t, view[0].Complete)
	require.False(t, *view[0].Running)
	run, err := checkpoint.Open(dir)
	require.NoError(t, err)
	require.NoError(t, run.Lock())
	require.True(t, *holds(dir))
	run.Unlock()
	require.False(t, *holds(dir))
	for _, args := range [][]string{{"report", t.TempDir()}, {"watch", t.TempDir()}, {"report", "missing"}, {"progression", t.TempDir()}} {
		code, _, stderr = call(args...)
		require.Equal(t, exitSnapshot, code, stderr)
		require.Equal(t, 1, strings.Count(stderr, "error:"))
	}
	for _, args := range [][]string{{"report"}, {"watch"}, {"report", dir, "--out", "x.pdf"}, {"progression", dir, "--moments", "1"},
		{"progression", dir, "--out", "x.jpg"}, {"progression", dir, "--out", "x.gif", "--columns", "3"}, {"progression", dir, "--fps", "3"},
		{"watch", dir, "--listen", "nowhere"}} {
		code, _, stderr = call(args...)
		require.Equal(t, exitUsage, code, stderr)
	}
}

// everything is a folder's files with what is in them.
func everything(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	}))
	return all
}

// The page of watch is live: a line that the log gets is in the next answer, and a signal ends it with code 0.
func TestWatch(t *testing.T) {
	dir, _ := shortRun(t, "vae", "--width", "4", "--tigas-weight", "0")
	ctx, cancel := context.WithCancel(t.Context())
	cmd := newRoot()
	out, in := io.Pipe()
	cmd.SetArgs([]string{"watch", dir, "--listen", "127.0.0.1:0"})
	cmd.SetOut(in)
	cmd.SetErr(io.Discard)
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	line := make([]byte, 100)
	n, err := out.Read(line)
	require.NoError(t, err)
	address := strings.TrimSpace(string(line[:n]))
	require.Regexp(t, regexp.MustCompile(`^http://127\.0\.0\.1:\d+/$`), address)
	get := func(path string) string {
		resp, err := http.Get(address + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(text)
	}
	require.Contains(t, get(""), "<html")
	require.True(t, json.Valid([]byte(get("data.json"))))
	require.NotContains(t, get("data.json"), "0.123456")
	log, err := os.OpenFile(filepath.Join(dir, "log.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	fmt.Fprintf(log, `{"step":1000000,"kimg":2,"epoch":1,"time":%q,"elapsed_sec":5,"img_per_sec":3,"mse":0.123456}`+"\n", time.Now().UTC().Format(time.RFC3339))
	require.NoError(t, log.Close())
	require.Eventually(t, func() bool { return strings.Contains(get("data.json"), "0.123456") }, 10*time.Second, 100*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
}

// The command line that is shown makes the same run: only what was given, as a shell reads it.
func TestCommandLineOfARun(t *testing.T) {
	c := runConfig{Command: "gan", Flags: map[string]flagValue{
		"data": {"my photos/it's", originGiven}, "mirror": {"true", originGiven}, "tensorboard": {"false", originGiven}, "kimg": {"100", originDemo},
		"seed": {"3", originGiven}, "out": {"runs/a", originGiven}, "batch": {"64", originDefault},
	}}
	require.Equal(t, `tigas-train gan --data 'my photos/it'\''s' --mirror --seed 3 --tensorboard=false`, c.line())
}

// A run that cannot be read costs the others nothing, and no pipe is waited for.
func TestReportOfABrokenRun(t *testing.T) {
	good, _ := shortRun(t, "vae", "--width", "4", "--tigas-weight", "0")
	runs := t.TempDir()
	require.NoError(t, os.Rename(good, filepath.Join(runs, "good")))
	for name, config := range map[string]string{"bad": "{bad", "empty": "", "log": "{}"} {
		require.NoError(t, os.MkdirAll(filepath.Join(runs, name), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(runs, name, "config.json"), []byte(config), 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(runs, "log", "log.jsonl"), []byte("{\"step\":1}\nx\n{\"step\":2}\n"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(runs, "pipe"), 0o755))
	require.NoError(t, syscall.Mkfifo(filepath.Join(runs, "pipe", "config.json"), 0o644))
	out := filepath.Join(t.TempDir(), "report.html")
	code, _, stderr := call("report", runs, "--out", out)
	require.Equal(t, exitOK, code, stderr)
	for _, name := range []string{"bad", "empty", "log", "pipe"} {
		require.Contains(t, stderr, "warning: "+filepath.Join(runs, name)+": ")
	}
	require.Equal(t, 4, strings.Count(stderr, "warning"), stderr)
	page, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Contains(t, string(page), "line 2: not valid json")
	code, _, stderr = call("report", filepath.Join(runs, "log"), "--out", out)
	require.Equal(t, exitSnapshot, code)
	require.Contains(t, stderr, "line 2: not valid json")
	var said bytes.Buffer
	known := viewCache{console: &monitor.Console{W: &said}}
	for range 3 {
		view, err := known.runs([]string{runs})
		require.NoError(t, err)
		require.Len(t, view, 5)
	}
	require.Equal(t, 4, strings.Count(said.String(), "warning"), "said once each: %s", said.String())
}

// The diagnosis sees what a run has gone back from; the pictures of that future are not its own.
func TestViewOfARunThatWentBack(t *testing.T) {
	dir, _ := shortRun(t, "vae", "--width", "4", "--tigas-weight", "0")
	run, err := checkpoint.Open(dir)
	require.NoError(t, err)
	before, err := viewRun(dir, nil)
	require.NoError(t, err)
	stale := run.Picture("fakes", 17)
	require.NoError(t, os.WriteFile(stale, []byte("x"), 0o644))
	var b strings.Builder
	for step := range 30 {
		fmt.Fprintf(&b, `{"step":%d,"kimg":%v,"epoch":0,"time":"2026-01-02T03:04:05Z","elapsed_sec":1,"img_per_sec":1,"total":1,"skipped_VAE":1}`+"\n", 100+step, 1+float64(step)/10)
	}
	fmt.Fprintf(&b, `{"step":90,"kimg":0.9,"epoch":0,"time":"2026-01-02T03:04:05Z","elapsed_sec":1,"img_per_sec":1,"total":1}`+"\n")
	log, err := os.OpenFile(run.Log(), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = log.WriteString(b.String())
	require.NoError(t, err)
	require.NoError(t, log.Close())
	view, err := viewRun(dir, nil)
	require.NoError(t, err)
	require.EqualValues(t, 90, view.Entries[len(view.Entries)-1].Step)
	require.True(t, slices.ContainsFunc(view.Findings, func(f report.Finding) bool { return f.Rule == "bad-gradients" }), "%v", view.Findings)
	require.Len(t, view.Pictures, len(before.Pictures))
}
