package tigas

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave"
)

// OpenOptions say how a detector is loaded. The zero value is the CPU and a self-test at 64 x 64.
type OpenOptions struct {
	Device torch.Device // where it computes; the zero value is the CPU
	// DType is the type that convolutions and attentions compute in: Float32, which is the zero value too, BFloat16 or Float16.
	// It is for GPUs. Images and scores stay float32, and so does all that follows the means over a whole stage.
	//
	// It applies to the networks of package network: the embedded detector, those trained here, and upstream's checkpoints.
	// Another network, TorchScript of somebody else's, stays in float32 without an error: [Detector.DType] says what became of it.
	// Float16 is an error where libtorch has no convolutions for it, as on the CPU of older ones; its gradients are scaled on
	// their way through the network, which does not show.
	//
	// BFloat16 has 8 bits of fraction. The embedded detector's scores then differ from those in float32 by 0.0001 on average and
	// 0.0025 at most for 64 demo pictures, 0.0001 and 0.0007 for noise, 0.0002 and 0.0010 for the pictures with noise on them
	// (measured on a CPU); [Detector.ScoreError] has it for the detector at hand. Gradients are less exact, for maxima and ReLUs
	// fall to the other side: their cosine with those in float32 is 0.98, 0.91 and 0.96 on average over the images.
	DType torch.DType
	// Height and Width of the self-test, 64 if 0. Trainers give the size of their images, so that a detector that cannot
	// take them is refused before training and not after the first epoch.
	Height, Width int
	// Logit keeps the value before the sigmoid too, which the form [Logit] of the loss needs.
	Logit bool
	// Converted is a folder that keeps the TorchScript made of checkpoints, under their hash and libtorch's version; "" keeps
	// nothing. A folder that cannot be written keeps nothing either.
	Converted string
}

func (o OpenOptions) resolve() OpenOptions {
	if o.Height == 0 {
		o.Height = 64
	}
	if o.Width == 0 {
		o.Width = o.Height
	}
	if o.DType == torch.DefaultDType {
		o.DType = torch.Float32
	}
	return o
}

// Open loads a detector into s, puts it into evaluation mode, freezes every parameter, folds batch norms into
// convolutions, drops the outputs that are not the score, and tests it on probe images.
//
// The file is TorchScript, or a checkpoint of upstream's (see package convert), which becomes TorchScript in memory. A
// TorchScript network may return a tensor [N] or [N, 1], a tuple whose first such tensor is the score, or a dict with
// "score". The error names what is wrong with the file: what it is instead, tensors that are missing, wrong input or output,
// scores that are NaN or outside [0, 1], no gradient.
func Open(s *torch.Scope, path string, o OpenOptions) (*Detector, error) {
	info, err := os.Stat(path) // first: opening a pipe waits for somebody who writes to it
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("tigas: open detector: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tigas: open detector: %w", err)
	}
	defer f.Close()
	return openReader(s, f, info.Size(), path, o)
}

// OpenBytes is [Open] from memory. name stands for the path.
func OpenBytes(s *torch.Scope, data []byte, name string, o OpenOptions) (*Detector, error) {
	return openReader(s, bytes.NewReader(data), int64(len(data)), name, o)
}

func openReader(s *torch.Scope, r io.ReaderAt, size int64, name string, o OpenOptions) (*Detector, error) {
	o = o.resolve()
	if err := o.Device.Check(); err != nil { // in a line; libtorch takes some hundred
		return nil, fmt.Errorf("tigas: detector %s: %w", name, err)
	}
	switch o.DType {
	case torch.Float32, torch.BFloat16, torch.Float16:
	default:
		return nil, fmt.Errorf("tigas: detector %s: got the type %s vs float32, bfloat16 or float16", name, o.DType)
	}
	d := &Detector{Name: name, device: o.Device, ImageSize: convert.DefaultImageSize}
	c, err := convert.NewReader(r, size, name)
	if err != nil && !errors.Is(err, torchsave.ErrTorchScript) {
		return nil, fmt.Errorf("tigas: detector %s: %s", name, strings.TrimPrefix(err.Error(), "convert: "+name+": "))
	}
	// While libtorch works: a detector may have 66 MB, a trainer's checkpoint 220.
	type sum struct {
		hex string
		err error
	}
	hash := make(chan sum, 1)
	go func() {
		h := sha256.New()
		_, err := io.Copy(h, io.NewSectionReader(r, 0, size))
		hash <- sum{hex.EncodeToString(h.Sum(nil)), err}
	}()
	work := torch.NewScope()
	defer work.Close()
	var got sum
	if c != nil {
		if got = <-hash; got.err == nil { // it is the name of what is kept
			d.SHA256 = got.hex
			err = d.openCheckpoint(s, work, c, o)
		}
	} else {
		err = d.openScript(s, work, r, size, o)
		got = <-hash
		d.SHA256 = got.hex
	}
	if err = cmp.Or(got.err, err); err != nil {
		return nil, fmt.Errorf("tigas: detector %s: %w", name, err)
	}
	return d, nil
}

// openScript loads the network of a TorchScript archive.
func (d *Detector) openScript(s, work *torch.Scope, r io.ReaderAt, size int64, o OpenOptions) error {
	data := make([]byte, size)
	if _, err := r.ReadAt(data, 0); err != nil && err != io.EOF {
		return err
	}
	m, err := jit.LoadBytes(work, data, o.Device, d.Name)
	if err != nil {
		return unprefix(err)
	}
	if text, ok := jit.ReadFile(r, size, network.CardFile); ok {
		if card, err := network.ParseCard(text); err == nil { // a card of something else is no reason to refuse a detector
			d.Card = &card
			if card.ImageSize > 0 {
				d.ImageSize = card.ImageSize
			}
		}
	}
	return d.load(s, m, o)
}

// openCheckpoint makes TorchScript of a checkpoint, or takes what was made of it before.
func (d *Detector) openCheckpoint(s, work *torch.Scope, c *convert.Checkpoint, o OpenOptions) error {
	card := c.Card(convert.Options{})
	card.Source.SHA256 = d.SHA256
	d.Card, d.ImageSize = &card, c.ImageSize
	kept := ""
	if o.Converted != "" {
		kept = filepath.Join(o.Converted, fmt.Sprintf("%s-%s-torch%s.pt", d.SHA256, c.Version(), torch.Version()))
		if m, err := jit.Load(work, kept, o.Device); err == nil && d.load(s, m, o) == nil {
			d.Converted = kept
			return nil
		} // else it is made anew: nobody misses what was kept
	}
	m, err := c.Module(work, o.Device, convert.Options{})
	if err != nil {
		return err
	}
	if err = d.load(s, m, o); err != nil || kept == "" {
		return err
	}
	// Only what has passed the test is kept.
	if os.MkdirAll(o.Converted, 0o755) == nil && m.SaveWith(kept, jit.Files{network.CardFile: card.Text()}) == nil {
		d.Converted = kept
		forget(o.Converted)
	}
	return nil
}

// mostKept is the number of conversions that are kept: who tries many checkpoints should not find a full disk.
const mostKept = 8

// forget deletes the oldest conversions beyond the most that are kept.
func forget(dir string) {
	paths, err := filepath.Glob(filepath.Join(dir, strings.Repeat("[0-9a-f]", 64)+"-*-torch*.pt"))
	if err != nil || len(paths) <= mostKept {
		return
	}
	age := func(path string) time.Time {
		if info, err := os.Stat(path); err == nil {
			return info.ModTime()
		}
		return time.Time{}
	}
	slices.SortFunc(paths, func(a, b string) int { return age(b).Compare(age(a)) })
	for _, path := range paths[mostKept:] {
		_ = os.Remove(path) // it will be tried again
	}
}
