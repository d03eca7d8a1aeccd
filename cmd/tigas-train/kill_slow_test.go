//go:build slow

package main

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKilledAtFiftyMoments(t *testing.T) {
	for family := range tinyRuns {
		t.Run(family, func(t *testing.T) { killAtRandom(t, family, 50) })
	}
}

// A run that fills its disk ends with one line and code 7; with room again it goes on as if nothing had been.
func TestFullDisk(t *testing.T) {
	for family := range tinyRuns {
		t.Run(family, func(t *testing.T) {
			dir := t.TempDir()
			whole := filepath.Join(dir, "whole")
			cmd, stderr := program(dir, tinyRun(family, whole)...)
			require.NoError(t, cmd.Run(), stderr)
			disk := t.TempDir()
			mount := func(options string) error {
				return exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", disk).Run()
			}
			if mount("size=700k") != nil {
				t.Skip("no right to mount a file system")
			}
			defer func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) }()
			out := filepath.Join(disk, "run")
			for _, size := range []string{"700k", "1500k", "3m"} {
				require.NoError(t, mount("remount,size="+size))
				cmd, stderr := program(dir, tinyRun(family, out)...)
				err := cmd.Run()
				if err == nil {
					break
				}
				require.Equal(t, exitOutput, cmd.ProcessState.ExitCode(), stderr)
				require.Contains(t, stderr.String(), "no space left on device")
			}
			require.NoError(t, mount("remount,size=64m"))
			cmd, stderr = program(dir, tinyRun(family, out)...)
			require.NoError(t, cmd.Run(), stderr)
			resultOf(t, whole).requireEqual(t, resultOf(t, out))
		})
	}
}
