package report

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// browserOf is a command that runs a browser without a window. It ends with ctx.
func browserOf(t *testing.T, ctx context.Context, args ...string) *exec.Cmd {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			cmd := exec.CommandContext(ctx, path, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
				"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
				"--user-data-dir=" + t.TempDir()}, args...)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the command is a script that starts it
			cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
			cmd.WaitDelay = time.Second
			return cmd
		}
	}
	t.Skip("no chromium here: the page was not tried in a browser (apt-get install chromium)")
	return nil
}

// chromium runs a browser and returns what it wrote.
func chromium(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := browserOf(t, ctx, args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, errs.String())
	}
	return string(out)
}

// TestScreenshots leaves pictures of the page for somebody to look at, in the folder that TIGAS_REPORT_SHOTS names. Those
// of the run folders in TIGAS_REPORT_RUNS, separated by commas, are among them.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("TIGAS_REPORT_SHOTS")
	if dir == "" {
		t.Skip("TIGAS_REPORT_SHOTS is not set")
	}
	page := func(name string, runs ...Run) string {
		path := filepath.Join(dir, name+".html")
		f, err := os.Create(path)
		if err == nil {
			err = Write(f, runs)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	shot := func(path, name, size string, args ...string) {
		chromium(t, append(args, "--virtual-time-budget=1500", "--hide-scrollbars", "--window-size="+size,
			"--screenshot="+filepath.Join(dir, name+".png"), "file://"+path)...)
	}
	one := madeUp("demo-stylegan", 200, 1)
	one.Findings = found()
	two := madeUp("weight-0.2", 150, 2)
	two.Entries, two.Complete = two.Entries[:100], false
	two.Pictures = slices.DeleteFunc(two.Pictures, func(p Picture) bool { return p.Kimg > 66 })
	dark := "--blink-settings=preferredColorScheme=0"
	path := page("one", one)
	shot(path, "one-light", "1280,4300")
	shot(path, "one-dark", "1280,4300", dark)
	chromium(t, "--virtual-time-budget=1500", "--no-pdf-header-footer", "--print-to-pdf="+filepath.Join(dir, "one.pdf"),
		"file://"+path)
	phone := func(name, height string) {
		path := filepath.Join(dir, "phone.html") // no window is as narrow
		frame := fmt.Sprintf(`<body style="margin:0"><iframe src="%s.html" style="border:0;width:390px;height:%spx"></iframe>`, name, height)
		if err := os.WriteFile(path, []byte(frame), 0o666); err != nil {
			t.Fatal(err)
		}
		shot(path, name+"-phone", "500,"+height)
	}
	phone("one", "4600")
	path = page("two", one, two)
	shot(path, "two-light", "1280,5000")
	shot(path, "two-dark", "1280,5000", dark)
	shot(page("nine", many(9)...), "nine-light", "1280,6500")
	path = page("sixteen", append(many(16), Run{Name: "broken", Dir: "runs/broken", Err: "log.jsonl: line 7: not valid JSON"})...)
	shot(path, "sixteen-light", "1280,9000")
	shot(path, "sixteen-dark", "1280,9000", dark)
	phone("sixteen", "9000")
	if list := os.Getenv("TIGAS_REPORT_RUNS"); list != "" {
		var runs []Run
		for _, d := range strings.Split(list, ",") {
			runs = append(runs, folderRun(t, d))
			shot(page(filepath.Base(d), runs[len(runs)-1]), filepath.Base(d), "1280,4300")
		}
		shot(page("folders", runs...), "folders", "1280,5000")
	}
}
