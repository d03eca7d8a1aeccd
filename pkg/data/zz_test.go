package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func cpuNow() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func TestZZWorst(t *testing.T) {
	gz := func() []byte { return hostilePNG(8191, 8191, 16, 6, true) }
	for name, mk := range map[string]func() []byte{
		"png 16 interlaced":   gz,
		"png 16":              func() []byte { return hostilePNG(8192, 8192, 16, 6, false) },
		"png 1 bit":           func() []byte { return hostilePNG(8192, 8192, 1, 0, false) },
		"png strip":           func() []byte { return hostilePNG(65535, 1024, 8, 6, false) },
		"png tall":            func() []byte { return hostilePNG(1024, 65535, 8, 6, false) },
		"png line":            func() []byte { return hostilePNG(1, 65535, 8, 6, false) },
		"jpeg 32 scans":       func() []byte { return hostileJPEG(8192, 8192, 3, true, 32) },
		"jpeg base 32":        func() []byte { return hostileJPEG(8192, 8192, 1, false, 32) },
		"jpeg 1k, 2048 scans": func() []byte { return hostileJPEG(1024, 1024, 1, true, 2048) },
		"jpeg 8, all scans":   func() []byte { return hostileJPEG(8, 8, 1, true, 4000000) },
		"tiff tiles":          func() []byte { return hostileTIFF(8192, 1024, 8, 8, 8) },
		"tiff tiles 64MP":     func() []byte { return hostileTIFF(8192, 8192, 32, 16, 8) },
		"tiff rows":           func() []byte { return hostileTIFF(1024, 65535, 0, 1, 8) },
		"tiff one strip":      func() []byte { return hostileTIFF(8192, 8192, 0, 8192, 8) },
		"webp":                func() []byte { return hostileWebP(8192, 8192) },
		"gif 100k frames":     func() []byte { return manyFrames(100000) },
		"bmp":                 func() []byte { return append(hostileBMP(8192, 8192), make([]byte, 3*8192*8192)...) },
	} {
		file := mk()
		h, err := inspect(file, MaxPixels)
		if err != nil {
			t.Log(name, err)
			continue
		}
		strong, _ := ParseAugment("strong")
		strong.Cubic, strong.Crop, strong.Degrade = 1, 0, [degradations]float64{1, 1, 1, 1}
		for _, mode := range []string{"apply", "stretch", "augment"} {
			runtime.GC()
			tr := Transform{Resolution: 256}
			if mode == "augment" {
				tr.Augment = strong
			}
			start := cpuNow()
			var err error
			n := allocated(func() {
				if mode == "stretch" {
					p, err2 := h.rgb(file)
					err = err2
					if err == nil {
						p.Stretch(bytes3(256), 256)
					}
				} else {
					img, err2 := h.upright(file)
					err = err2
					if err == nil {
						tr.Apply(bytes3(256), img, testRNG())
					}
				}
			})
			t.Logf("%-22s %-8s %6d KB: %6.2f s CPU, alloc %6d MB, reckoned %6d MB  %v", name, mode, len(file)>>10, (cpuNow() - start).Seconds(), n>>20, (h.memory+tr.work(h.w, h.h))>>20, err)
		}
	}
	_ = context.Background
	_ = fmt.Sprint
	_ = os.Args
	_ = filepath.Join
	_ = strings.Cut
}

func bytes3(r int) []byte { return make([]byte, 3*r*r) }
