package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/pkg/tigas/hub"
)

// cacheDir is the folder that published detectors are kept in: the one that upstream's Python package uses, unless
// TIGAS_CACHE_DIR, which that package documents, names another.
func cacheDir() (string, error) {
	if dir := os.Getenv("TIGAS_CACHE_DIR"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", (&hinted{code: exitUsage, err: err}).withHint("set TIGAS_CACHE_DIR to a folder for detectors")
	}
	return filepath.Join(home, ".cache", "tigas", "models"), nil
}

// newHub reads the variables that Hugging Face's own programs read: HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN,
// HF_TOKEN_PATH, HF_HUB_OFFLINE, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_DOWNLOAD_TIMEOUT.
func newHub() (*hub.Client, error) {
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	c := &hub.Client{
		Cache: dir, Endpoint: os.Getenv("HF_ENDPOINT"), Offline: on("HF_HUB_OFFLINE"),
		UserAgent: "tigas-train/" + programVersion(), Token: token(),
	}
	if home := hfHome(); home != "" {
		c.HFCache = first(os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"), filepath.Join(home, "hub"))
	}
	if v := os.Getenv("HF_HUB_DOWNLOAD_TIMEOUT"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return nil, usagef("HF_HUB_DOWNLOAD_TIMEOUT: got %q vs a whole number of seconds", v).withHint("unset it for the default")
		}
		c.Stall = time.Duration(n) * time.Second
	}
	return c, nil
}

// hfHome is the folder of Hugging Face's programs.
func hfHome() string {
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "huggingface")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "huggingface")
}

// token is that of HF_TOKEN, or the one that `huggingface-cli login` left in a file.
func token() string {
	if t := first(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN")); t != "" {
		return strings.TrimSpace(t)
	}
	if on("HF_HUB_DISABLE_IMPLICIT_TOKEN") || hfHome() == "" {
		return ""
	}
	text, err := os.ReadFile(first(os.Getenv("HF_TOKEN_PATH"), filepath.Join(hfHome(), "token")))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// on reads a switch as Hugging Face's programs do.
func on(name string) bool {
	switch strings.ToUpper(os.Getenv(name)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func first(l ...string) string {
	for _, s := range l {
		if s != "" {
			return s
		}
	}
	return ""
}

// memoryTotal is the memory of this machine in bytes, 0 where that is not known.
func memoryTotal() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	var kib int64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err != nil {
		return 0
	}
	return kib << 10
}
