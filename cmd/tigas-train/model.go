package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/tigas/hub"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

const modelHelp = "detector: TorchScript or a checkpoint (best_model.pt), hub, hub@REVISION, or embedded"

// openDetector opens the detector that --tigas-model or --model names. Without a name the embedded one stands in for the
// demo data only: on other images its score would mean nothing, and a run should not seem to work.
func openDetector(ctx context.Context, console *monitor.Console, s *torch.Scope, model string, demo bool,
	o tigas.OpenOptions) (*tigas.Detector, error) {
	if model == "" {
		if model = "hub"; demo {
			model = "embedded"
		}
	}
	if model == "embedded" {
		det, err := tigas.Embedded(s, o)
		return det, coded(exitData, err)
	}
	path, err := detectorPath(ctx, console, model)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return standIn(s, console, model, o)
	}
	if dir, err := cacheDir(); err == nil && !lookOnly(ctx) {
		o.Converted = filepath.Join(dir, hub.ConvertedFolder)
	}
	det, err := tigas.Open(s, path, o)
	if err != nil {
		return nil, coded(exitData, err)
	}
	det.Name = model // not where the cache keeps it
	return det, nil
}

// detectorPath finds the file of a detector that is not the embedded one: of the hub, downloaded if need be ("" for a dry run),
// or of a run of `detector train`, or the file that is named.
func detectorPath(ctx context.Context, console *monitor.Console, model string) (string, error) {
	if revision, ok := hubModel(model); ok && lookOnly(ctx) {
		return cachedDetector(hub.File{Revision: revision})
	} else if ok {
		file, err := fetchDetector(ctx, console, hub.File{Revision: revision}, false)
		return file.Path, err
	}
	info, err := os.Stat(model)
	switch {
	case err == nil && info.IsDir():
		return filepath.Join(model, trainers.DetectorFile), nil
	case os.IsNotExist(err):
		return "", (&hinted{code: exitData, err: err}).withHint("a detector is a file, hub (the published one) or embedded " +
			"(the demo's)")
	}
	return model, nil
}

// hubModel tells whether a name means the published detector, and which revision of it.
func hubModel(model string) (revision string, ok bool) {
	if model == "hub" {
		return hub.DefaultRevision, true
	}
	return strings.CutPrefix(model, "hub@")
}

// fetchDetector finds a file of the hub in the caches or downloads it, with its progress on the console.
func fetchDetector(ctx context.Context, console *monitor.Console, file hub.File, force bool) (hub.Result, error) {
	client, err := newHub()
	if err != nil {
		return hub.Result{}, err
	}
	client.Progress = func(done, total int64) {
		if total > 0 {
			console.Status("fetching  %s: %d of %d MB (%d%%)", file, done>>20, total>>20, 100*done/total)
		} else {
			console.Status("fetching  %s: %d MB", file, done>>20)
		}
	}
	res, err := client.Fetch(ctx, file, force)
	console.Done()
	if err == nil {
		return res, nil
	}
	if ctx.Err() != nil {
		return res, (&hinted{code: exitInterrupt, err: err}).withHint("what has arrived is kept: the same command goes on from there")
	}
	h := &hinted{code: exitData, err: err}
	switch {
	case errors.Is(err, hub.ErrName):
		return res, usagef("%s", err)
	case errors.Is(err, hub.ErrAuth), errors.Is(err, hub.ErrNotFound), errors.Is(err, hub.ErrTooLarge):
		return res, h // it says what to do
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		return res, (&hinted{code: exitOutput, err: err}).withHint("set TIGAS_CACHE_DIR to a folder that can be written")
	}
	offline := ""
	if errors.Is(err, hub.ErrOffline) {
		offline = "unset HF_HUB_OFFLINE; or "
	}
	return res, h.withHint("%sname another detector (--tigas-model FILE, --model FILE): a best_model.pt that was downloaded by "+
		"other means, or TorchScript; or embedded for a try; tigas-train detector cache shows what is here", offline)
}
