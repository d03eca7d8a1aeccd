package report

import (
	"context"
	"os/exec"
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
