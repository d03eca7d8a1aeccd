package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// appears waits for a file.
func appears(t *testing.T, path string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Stat(path)
		return err == nil
	}, time.Minute, 5*time.Millisecond, path)
}

// timeout(1) signals a process and then its group, some microseconds later: that is one signal, and the snapshot is written.
func TestSignalsAtOnceAreOne(t *testing.T) {
	dir := t.TempDir()
	cmd, stderr := program(dir, "gan", "--latent", "8", "--ngf", "4", "--ndf", "4", "--batch", "8", "--kimg", "1000", "--grid", "1",
		"--tigas-weight", "0", "--threads", "1", "--tick", "0.03", "--out", "a")
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	appears(t, filepath.Join(dir, "a", "log.jsonl"))
	for _, after := range []time.Duration{0, 500 * time.Microsecond, 20 * time.Millisecond} {
		time.Sleep(after)
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by the last one
	}
	_ = cmd.Wait()
	require.Equal(t, exitInterrupt, cmd.ProcessState.ExitCode(), stderr)
	require.Contains(t, stderr.String(), "interrupted (")
}

// A second one later ends the process at once, in the middle of a step.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			if signal.Ignored(s) {
				t.Skip("these tests were started with the signal ignored")
			}
			dir := t.TempDir()
			cmd, stderr := program(dir, "gan", "--latent", "8", "--ngf", "16", "--ndf", "16", "--batch", "128", "--kimg", "1000",
				"--critic-steps", "1000", "--grid", "1", "--tigas-weight", "0", "--threads", "1", "--out", "a") // a step of a minute or so
			require.NoError(t, cmd.Start())
			defer func() { _ = cmd.Process.Kill() }()
			appears(t, filepath.Join(dir, "a", "samples", "fakes000000.000.png"))
			require.NoError(t, cmd.Process.Signal(s))
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for n, alive := 0, true; alive; n++ {
				select {
				case <-ended:
					alive = false
				case <-time.After(sameSignal + 200*time.Millisecond):
					require.Less(t, n, 20, "it does not end")
					_ = cmd.Process.Signal(s) // once is enough, unless the machine is so busy that it is early
				}
			}
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			require.True(t, status.Signaled() && status.Signal() == s, "got %v: %s", cmd.ProcessState, stderr) // 128+n to a shell
		})
	}
}
