package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/monitor/diagnose"
	"github.com/tigas-train/tigas-train/pkg/monitor/report"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// diagnosis is what the rules want to know of a run beside its log.
func (c *runConfig) diagnosis() *diagnose.Run {
	d := &diagnose.Run{Family: c.Command, Weight: c.TIGAS.Flags.Weight, Every: int(c.TIGAS.Flags.Every), Augmented: c.TIGAS.Flags.Augment,
		TotalKimg: c.Run.Kimg}
	if c.TIGAS.Weight.Schedule != nil {
		d.AtStart = trainers.StartsFull(c.TIGAS.Weight, d.Weight)
	}
	d.Samples = trainers.Measured(c.Run.Grid)
	switch {
	case c.GAN != nil:
		d.Objective, d.ClipGrad = string(c.GAN.Loss), c.GAN.ClipGrad
	case c.StyleGAN != nil:
		d.Gamma = c.StyleGAN.Gamma
	case c.Diffusion != nil:
		d.ClipGrad = c.Diffusion.ClipGrad
	}
	return d
}

// viewRun reads what a page shows of a run folder. A run that has only begun has no log yet. log, which may be nil, has read
// that of the run before.
func viewRun(dir string, log *monitor.LogTail) (report.Run, error) {
	run, err := checkpoint.Open(dir)
	if err != nil {
		return report.Run{}, coded(exitSnapshot, err)
	}
	var c runConfig
	if err = run.ReadConfig(&c); err != nil {
		return report.Run{}, coded(exitSnapshot, err)
	}
	if err = run.Inside(run.Log()); err != nil {
		return report.Run{}, coded(exitSnapshot, err)
	}
	if log == nil {
		log = monitor.NewLogTail(run.Log())
	}
	logged, err := log.Read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return report.Run{}, coded(exitSnapshot, err)
	}
	found := diagnose.Check(*c.diagnosis(), logged) // with what the run has gone back from
	entries := monitor.DropRewound(slices.Clone(logged))
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	v := report.Run{Name: filepath.Base(abs), Dir: abs, Command: c.line(), Family: c.Command, Total: c.Run.Kimg, Settings: c.settings(),
		Facts: c.facts(), Entries: entries}
	at := 0.0
	if n := len(entries); n > 0 {
		last := entries[n-1]
		at, v.Updated = last.Kimg, last.Time
		v.Complete = at >= c.Run.Kimg*(1-1e-9)
	}
	for _, f := range found {
		v.Findings = append(v.Findings, report.Finding{Rule: f.Rule, Severity: f.Severity.String(), Title: f.Title, Evidence: f.Evidence,
			Remedy: f.Remedy, Kimg: f.Kimg})
	}
	pictures, err := run.Pictures()
	if err != nil {
		return report.Run{}, coded(exitSnapshot, err)
	}
	moments := drawnAt(entries)
	for _, p := range pictures {
		// Those of a future that the run has gone back from are not its own. Earlier versions did not log their pictures.
		if own := moments[int64(math.Round(p.Kimg*1000))]; own || len(moments) == 0 && p.Kimg <= at+1e-3 || p.Kind == "reals" {
			v.Pictures = append(v.Pictures, report.Picture{Kind: p.Kind, Kimg: p.Kimg, Read: p.Read})
		}
	}
	return v, nil
}

// unreadableRun is shown of a run that cannot be read.
func unreadableRun(dir string, err error) report.Run {
	abs, e := filepath.Abs(dir)
	if e != nil {
		abs = dir
	}
	return report.Run{Name: filepath.Base(abs), Dir: abs, Err: oneLine(err)}
}

// holds tells whether a process has a run; nil: not known.
func holds(dir string) *bool {
	run := checkpoint.Run{Dir: dir}
	if held, known := run.Held(); known {
		return &held
	}
	return nil
}

// drawn tells whether samples were drawn at a moment: the line of their measures is written when their pictures are there.
func drawn(e monitor.LogEntry) bool {
	_, ok := e.Value("sample_diversity")
	return ok
}

// drawnAt are the moments, in images, that the log has measures of samples of.
func drawnAt(entries []monitor.LogEntry) map[int64]bool {
	at := map[int64]bool{}
	for _, e := range entries {
		if drawn(e) {
			at[int64(math.Round(e.Kimg*1000))] = true
		}
	}
	return at
}

// line is the command line that makes the same run.
func (c *runConfig) line() string {
	var b strings.Builder
	b.WriteString("tigas-train " + c.Command)
	for _, s := range c.settings() {
		switch {
		case !givenOrigin(s.Origin):
		case s.Value == "true":
			b.WriteString(" --" + s.Name)
		case s.Value == "false":
			b.WriteString(" --" + s.Name + "=false")
		default:
			fmt.Fprintf(&b, " --%s %s", s.Name, shellWord(s.Value))
		}
	}
	return b.String()
}

// shellWord is a word as a shell reads it.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,=@+%", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// settings are the flags by name.
func (c *runConfig) settings() (l []report.Setting) {
	for name, f := range c.Flags {
		if !slices.Contains(notRestored, name) || name == "transfer" && f.Value != "" {
			l = append(l, report.Setting{Name: name, Value: f.Value, Origin: f.Origin})
		}
	}
	slices.SortFunc(l, func(a, b report.Setting) int { return strings.Compare(a.Name, b.Name) })
	return l
}

// facts are what the flags do not say.
func (c *runConfig) facts() []report.Setting {
	detector := "none"
	if c.TIGAS.SHA256 != "" {
		detector = c.TIGAS.SHA256
	}
	return []report.Setting{{Name: "tigas-train", Value: c.Version}, {Name: "libtorch", Value: c.System.LibTorch}, {Name: "device", Value: c.System.Device},
		{Name: "threads", Value: strconv.Itoa(c.System.Threads)}, {Name: "detector, SHA-256", Value: detector}}
}

// expandRuns takes a folder of runs for all the runs in it.
func expandRuns(args []string) (dirs []string, err error) {
	for _, arg := range args {
		if _, err := checkpoint.Open(arg); err == nil {
			dirs = append(dirs, arg)
			continue
		}
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			return nil, (&hinted{code: exitSnapshot, err: fmt.Errorf("%q is no run folder: %s", arg, missing(err))}).
				withHint("a run folder is what --out of a training command named, by default in runs/")
		}
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, coded(exitSnapshot, err)
		}
		n := len(dirs)
		for _, e := range entries {
			if dir := filepath.Join(arg, e.Name()); e.IsDir() {
				if _, err := checkpoint.Open(dir); err == nil {
					dirs = append(dirs, dir)
				}
			}
		}
		if len(dirs) == n {
			return nil, (&hinted{code: exitSnapshot, err: fmt.Errorf("%s is no run folder, and has none in it", arg)}).
				withHint("a run folder is what --out of a training command named, by default in runs/")
		}
	}
	return dirs, nil
}

// missing says why something is no folder.
func missing(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such folder"
	case err != nil:
		return err.Error()
	}
	return "it is a file"
}
