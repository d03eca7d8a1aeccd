package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// runConfig is the content of config.json, and of the header of every snapshot: what was run, enough to build the networks
// again. The options of one family are set.
type runConfig struct {
	Command   string                     `json:"command"`
	Flags     map[string]flagValue       `json:"flags"`
	Version   string                     `json:"version"`
	GAN       *trainers.GANOptions       `json:"gan,omitempty"`
	StyleGAN  *trainers.StyleGANOptions  `json:"stylegan,omitempty"`
	VAE       *trainers.VAEOptions       `json:"vae,omitempty"`
	Diffusion *trainers.DiffusionOptions `json:"diffusion,omitempty"`
	Networks  *networks                  `json:"networks,omitempty"`
	Run       trainers.RunOptions        `json:"run"`
	Data      dataFlags                  `json:"data"`
	TIGAS     tigasConfig                `json:"tigas"`
	System    systemConfig               `json:"system"`
}

type tigasConfig struct {
	Flags  tigasFlags `json:"flags"`
	SHA256 string     `json:"sha256,omitempty"` // of the detector's file
	Weight sched.Any  `json:"weight"`
}

type systemConfig struct {
	Device   string `json:"device"`
	Threads  int    `json:"threads"`
	LibTorch string `json:"libtorch"`
}

// parse reads a configuration. Keys that this version does not know are those of another one, and no error.
func (c *runConfig) parse(data []byte) error { return json.Unmarshal(data, c) }

// loadedRun is a model of a finished run, or of one that is still training.
type loadedRun struct {
	file   string // the snapshot
	config runConfig
	model  trainers.Sampler
	size   int // height and width of its pictures
	batch  int // of its training, which fits in memory
	device torch.Device
}

// readRun reads the newest snapshot of a run folder, or one snapshot file: its configuration and the weights in it.
func readRun(root *torch.Scope, path string, device torch.Device) (*loadedRun, map[string]*torch.Tensor, error) {
	file, err := findSnapshot(path)
	if err != nil {
		return nil, nil, err
	}
	tensors, meta, err := checkpoint.LoadSome(root, file, device, trainers.IsWeight)
	if err != nil {
		return nil, nil, coded(exitSnapshot, err)
	}
	l := &loadedRun{file: file, device: device}
	if err = l.config.parse([]byte(meta["config"])); err != nil {
		return nil, nil, (&hinted{code: exitSnapshot, err: fmt.Errorf("%s is no snapshot of a run: its header has no configuration", file)}).
			withHint("of a run of another program, report, watch and progression take the folder; this would have to make its networks")
	}
	return l, tensors, l.config.Networks.open(file)
}

// loadRun is readRun with the model built.
func loadRun(root *torch.Scope, path string, device torch.Device) (*loadedRun, error) {
	l, tensors, err := readRun(root, path, device)
	if err != nil {
		return nil, err
	}
	switch c := l.config; {
	case c.GAN != nil:
		c.Networks.gan(c.GAN)
		l.size, l.batch = c.GAN.Resolution, c.GAN.Batch
		l.model, err = trainers.LoadGAN(root, *c.GAN, tensors, device)
	case c.StyleGAN != nil:
		l.size, l.batch = c.StyleGAN.Net.Resolution, c.StyleGAN.Batch
		l.model, err = trainers.LoadStyleGAN(root, *c.StyleGAN, tensors, device)
	case c.VAE != nil:
		c.Networks.vae(c.VAE)
		l.size, l.batch = c.VAE.Resolution, c.VAE.Batch
		l.model, err = trainers.LoadVAE(root, *c.VAE, tensors, device)
	case c.Diffusion != nil:
		c.Networks.diffusion(c.Diffusion)
		l.size, l.batch = c.Diffusion.Resolution, c.Diffusion.Batch
		l.model, err = trainers.LoadDiffusion(root, *c.Diffusion, tensors, device)
	default:
		err = fmt.Errorf("got a run of the command %q vs gan, stylegan, vae or diffusion", c.Command)
	}
	if err != nil {
		return nil, coded(exitSnapshot, fmt.Errorf("%s: %w", l.file, err))
	}
	return l, nil
}

// part is how many pictures are drawn at once: a thousand would need the memory of a thousand.
func (l *loadedRun) part() int { return min(64, max(1, l.batch)) }

// draw draws n pictures in parts and hands each part [K, 3, H, W] to use, with the number of its first picture. Latents come
// one after the other, so picture i is the same for every n. A signal ends it.
func (l *loadedRun) draw(ctx context.Context, root *torch.Scope, n int, seed int64, use func(first int, x *torch.Tensor) error) error {
	noise, err := root.NewGenerator(torch.CPU, seed)
	if err != nil {
		return err
	}
	for done := 0; done < n; done += l.part() {
		if err = interrupted(ctx, done, n, "pictures"); err != nil {
			return err
		}
		err = root.Scoped(func(s *torch.Scope) error {
			x, err := l.model.Sample(ctx, trainers.DrawLatents(s, l.model, noise, min(l.part(), n-done), l.device))
			if err != nil {
				return cmp.Or(interrupted(ctx, done, n, "pictures"), err)
			}
			return use(done, x)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// interrupted is the error of a command that a signal ended, nil while there was none.
func interrupted(ctx context.Context, done, all int, what string) error {
	if ctx.Err() == nil {
		return nil
	}
	return &hinted{code: exitInterrupt, err: fmt.Errorf("interrupted after %d of %d %s", done, all, what)}
}

// findSnapshot returns the newest snapshot of a run folder; a file is one itself.
func findSnapshot(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", coded(exitSnapshot, err)
	}
	if !info.IsDir() {
		if !strings.EqualFold(filepath.Ext(path), ".safetensors") {
			return "", (&hinted{code: exitSnapshot, err: fmt.Errorf("%s is no snapshot: got another file than a .safetensors", path)}).
				withHint("give a run folder, or a file of its snapshots/")
		}
		return path, nil
	}
	run, err := checkpoint.Open(path)
	if err != nil {
		return "", coded(exitSnapshot, err)
	}
	path, err = run.Latest()
	return path, coded(exitSnapshot, err)
}
