package main

import (
	"errors"
	"fmt"
	"io/fs"
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
	switch {
	case c.GAN != nil:
		d.Objective, d.ClipGrad = string(c.GAN.Loss), c.GAN.ClipGrad
	case c.Diffusion != nil:
		d.ClipGrad = c.Diffusion.ClipGrad
	}
	return d
}

// viewRun reads what a page shows of a run folder. A run that has only begun has no log yet.
func viewRun(dir string) (report.Run, error) {
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
	entries, err := monitor.ReadLog(run.Log())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return report.Run{}, coded(exitSnapshot, err)
	}
	entries = monitor.DropRewound(entries)
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
	for _, f := range diagnose.Check(*c.diagnosis(), entries) {
		v.Findings = append(v.Findings, report.Finding{Rule: f.Rule, Severity: f.Severity.String(), Title: f.Title, Evidence: f.Evidence,
			Remedy: f.Remedy, Kimg: f.Kimg})
	}
	pictures, err := run.Pictures()
	if err != nil {
		return report.Run{}, coded(exitSnapshot, err)
	}
	for _, p := range pictures {
		// Those of a future that the run has gone back from are not its own.
		if p.Kimg <= at+1e-3 {
			v.Pictures = append(v.Pictures, report.Picture{Kind: p.Kind, Kimg: p.Kimg, Read: p.Read})
		}
	}
	return v, nil
}

// line is the command line that makes the same run.
func (c *runConfig) line() string {
	var b strings.Builder
	b.WriteString("tigas-train " + c.Command)
	for _, s := range c.settings() {
		switch {
		case s.Origin != originGiven:
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
