package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

func newDoctor() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Show what this machine has: libtorch, CPU, CUDA, threads, caches",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return doctor(cmd.OutOrStdout())
		},
	}
}

// doctor prints one screen, each line a fact, and returns an error when training could not work at all.
func doctor(w io.Writer) error {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("tigas-train", "%s, %s %s/%s", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	row("libtorch", "%s, %s", torch.Version(), loadedFrom("libtorch_cpu"))
	versions := torch.CheckVersion()
	if versions != nil {
		row("", "PROBLEM: %s", versions)
	}
	row("CPU", "%d cores, kernels for %s", runtime.NumCPU(), torch.CPUCapability())
	row("threads", "%d for one operation unless --threads says otherwise, OMP_WAIT_POLICY=%s", runtime.NumCPU(), env("OMP_WAIT_POLICY"))

	info, err := torch.CUDADevices()
	switch {
	case err != nil:
		row("CUDA", "PROBLEM: %s", oneLine(err))
	case info.Count > 0:
		row("CUDA", "%d device(s), %s", info.Count, loadedFrom("libtorch_cuda"))
		for _, d := range cuda.Devices() {
			row("", "%s", deviceLine(d))
		}
		row("cuDNN", "%s", info.CuDNN)
	default:
		row("CUDA", "no: %s", noCUDA(info))
		row("cuDNN", "no")
	}

	if info.Library {
		missing, err := cuda.Missing()
		if err != nil {
			missing = []string{oneLine(err)}
		}
		for _, what := range missing {
			row("", "missing: %s", what)
		}
	}

	err = torch.Scoped(func(s *torch.Scope) error {
		d, err := tigas.Embedded(s, tigas.OpenOptions{})
		if err == nil {
			row("detector", "embedded, self-test passed, sha256 %.12s", d.SHA256)
		}
		return err
	})
	if err != nil {
		row("detector", "PROBLEM: %s", oneLine(err))
	}
	row("cache", "%s", cacheLine())
	if versions != nil {
		return &hinted{code: exitInternal, err: versions}
	}
	return err
}

// deviceLine says what a GPU is and how much of its memory is free.
func deviceLine(d torch.Device) string {
	p, err := cuda.PropertiesOf(d)
	if err != nil {
		return fmt.Sprintf("%s: PROBLEM: %s", d, oneLine(err))
	}
	free, _, err := cuda.DeviceMemory(d)
	if err != nil {
		return fmt.Sprintf("%s: %s; PROBLEM: %s", d, p, oneLine(err))
	}
	return fmt.Sprintf("%s: %s, %.1f GiB free", d, p, float64(free)/(1<<30))
}

func noCUDA(info torch.CUDAInfo) string {
	if info.Broken != "" {
		return "libtorch has CUDA but it cannot be loaded: " + info.Broken
	}
	if info.Library {
		return "libtorch has CUDA but sees no GPU (driver, CUDA_VISIBLE_DEVICES, --gpus all?)"
	}
	return "this libtorch is a CPU build"
}

// loadedFrom is the file that a part of libtorch was loaded from.
func loadedFrom(part string) string {
	for line := range strings.Lines(torch.LoadTrace()) {
		if file, ok := strings.CutPrefix(strings.TrimSpace(line), part+": "); ok {
			if full, err := filepath.EvalSymlinks(file); err == nil {
				return full
			}
			return file
		}
	}
	return "?"
}

func env(name string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return "(not set)"
}

// cacheLine names the folder that published detectors are kept in, the one that the Python package uses.
func cacheLine() string {
	dir, err := cacheDir()
	if err != nil {
		return oneLine(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return dir + " (empty)"
	}
	return fmt.Sprintf("%s (%d entries)", dir, len(files))
}
