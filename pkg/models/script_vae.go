package models

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/nn"
)

// Autoencoder is what a variational autoencoder is trained as.
type Autoencoder interface {
	// Encode maps images [N, 3, R, R] in [-1, 1] to means and logarithms of variances, [N, L] each.
	Encode(images *torch.Tensor) (mu, logvar *torch.Tensor)
	// Decode maps latents [N, L] to images: values without bounds, before the last activation, or what [Bounded] says.
	Decode(latents *torch.Tensor) *torch.Tensor
}

// Bounded is implemented by an [Autoencoder] whose Decode may return images in [-1, 1].
type Bounded interface{ IsBounded() bool }

// ScriptAutoencoder is an [Autoencoder] in TorchScript: one module with the methods encode and decode (torch.jit.export), or
// two with forward. Encoding returns means and logarithms of variances [N, L], as a tuple, a list, or one tensor [N, 2 L];
// decoding takes latents [N, L], or [N, L, 1, 1], and returns [N, 3, R, R].
type ScriptAutoencoder struct {
	Encoder, Decoder *Script // the same for one module
	o                ScriptOptions
	raw              bool
	maps             bool // latents are [N, L, 1, 1]
}

// NewScriptAutoencoder makes an autoencoder in b's scope, of one file or of two, and tries it on images of o.Resolution, which
// must be given. raw says that the decoder has no last activation. It returns an error that says what does not fit.
func NewScriptAutoencoder(b nn.Builder, encoder, decoder ScriptFile, o ScriptOptions, raw bool) (*ScriptAutoencoder, error) {
	a := &ScriptAutoencoder{o: o, raw: raw}
	var err error
	if a.Encoder, err = NewScript(b, encoder); err != nil {
		return nil, err
	}
	a.Decoder = a.Encoder
	if decoder.Path != encoder.Path {
		if a.Decoder, err = NewScript(b, decoder); err != nil {
			return nil, err
		}
	}
	if err := a.findLatent(b.Device); err != nil {
		return nil, err
	}
	return a, a.try(b.Device)
}

// methods are the names of the two methods.
func (a *ScriptAutoencoder) methods() (encode, decode string) {
	if a.Encoder == a.Decoder {
		return "encode", "decode"
	}
	return "forward", "forward"
}

// findLatent reads the length of the latents off an encoded image, and tries which form of them can be decoded.
func (a *ScriptAutoencoder) findLatent(d torch.Device) error {
	err := torch.Scoped(func(work *torch.Scope) error {
		c := &ScriptAutoencoder{o: a.o}
		copies := map[*Script]*Script{}
		for _, s := range []*Script{a.Encoder, a.Decoder} {
			if copies[s] != nil {
				continue
			}
			m, err := s.module.Clone(work)
			if err == nil {
				err = m.Train(false)
			}
			if err != nil {
				return err
			}
			copies[s] = &Script{file: s.file, module: m}
		}
		c.Encoder, c.Decoder = copies[a.Encoder], copies[a.Decoder]
		var first error
		torch.NoGrad(func() {
			mu, _ := c.Encode(a.pictures(work, d))
			c.o.Latent = int(mu.Size(1))
			for _, c.maps = range []bool{false, true} {
				err := torch.Try(func() { c.Decode(mu) })
				if err == nil {
					a.o.Latent, a.maps, first = c.o.Latent, c.maps, nil
					return
				}
				first = cmp.Or(first, err)
			}
		})
		return first
	})
	if err == nil {
		return nil
	}
	err = fmt.Errorf("models: %s: %w", a, err)
	if all, e := a.Encoder.module.Methods(); a.Encoder == a.Decoder && e == nil && !(slices.Contains(all, "encode") && slices.Contains(all, "decode")) {
		err = fmt.Errorf("models: %s: got the methods %v vs encode and decode: mark them with @torch.jit.export", a, all)
	}
	return err
}

func (a *ScriptAutoencoder) pictures(work *torch.Scope, d torch.Device) *torch.Tensor {
	size := int64(a.o.Resolution)
	return work.Rand(nil, []int64{2, 3, size, size}, torch.Options{Device: d}).MulScalar(2).AddScalar(-1)
}

// try looks at both networks as training will use them.
func (a *ScriptAutoencoder) try(d torch.Device) error {
	encoding := func(c, other *Script, work *torch.Scope) []*torch.Tensor {
		t := &ScriptAutoencoder{c, other, a.o, a.raw, a.maps}
		mu, logvar := t.Encode(a.pictures(work, d))
		if got := mu.Shape(); mu.Dim() > 4 || logvar.Numel() != mu.Numel() || got[0] != 2 || mu.Numel() != 2*int64(a.o.Latent) {
			panic(&torch.Error{Op: "Script", Msg: fmt.Sprintf("encode: got %v and %v vs means and logarithms of variances [2 L]", mu, logvar)})
		}
		return []*torch.Tensor{mu, logvar}
	}
	decoding := func(c, other *Script, work *torch.Scope) []*torch.Tensor {
		t := &ScriptAutoencoder{other, c, a.o, a.raw, a.maps}
		y := t.Decode(work.Randn(nil, []int64{2, int64(a.o.Latent)}, torch.Options{Device: d}))
		if _, err := imageSize(y, a.o.Resolution); err != nil {
			panic(&torch.Error{Op: "Script", Msg: "decode: " + err.Error()})
		}
		return []*torch.Tensor{y}
	}
	parts := []struct {
		net *Script
		f   func(c *Script, work *torch.Scope) []*torch.Tensor
	}{
		{a.Encoder, func(c *Script, work *torch.Scope) []*torch.Tensor { return encoding(c, a.Decoder, work) }},
		{a.Decoder, func(c *Script, work *torch.Scope) []*torch.Tensor { return decoding(c, a.Encoder, work) }},
	}
	if a.Encoder == a.Decoder {
		parts = parts[:1]
		parts[0].f = func(c *Script, work *torch.Scope) []*torch.Tensor {
			return append(encoding(c, c, work), decoding(c, c, work)...)
		}
	}
	for _, p := range parts {
		if err := p.net.try(p.f); err != nil {
			return fmt.Errorf("models: %s: %w", p.net.file.Path, err)
		}
	}
	return nil
}

// Encode implements [Autoencoder]. It panics with *[torch.Error] when the network fails.
func (a *ScriptAutoencoder) Encode(images *torch.Tensor) (mu, logvar *torch.Tensor) {
	encode, _ := a.methods()
	out := a.Encoder.module.MustCall(encode, a.o.fromImages(images))
	if t, ok := out.(*torch.Tensor); ok {
		if t.Dim() < 2 || t.Size(1)%2 != 0 {
			panic(&torch.Error{Op: "Script", Msg: fmt.Sprintf("encode: got %v vs means and logarithms of variances [N 2L]", t)})
		}
		half := t.Size(1) / 2
		return t.Narrow(1, 0, half).Flatten(1), t.Narrow(1, half, half).Flatten(1)
	}
	ts, err := tensors(out, "mu", "logvar")
	if err != nil {
		panic(&torch.Error{Op: "Script", Msg: "encode: " + err.Error()})
	}
	return ts[0].Flatten(1), ts[1].Flatten(1)
}

// Decode implements [Autoencoder]. It panics with *[torch.Error] when the network fails.
func (a *ScriptAutoencoder) Decode(latents *torch.Tensor) *torch.Tensor {
	if a.maps {
		latents = latents.Unsqueeze(2).Unsqueeze(3)
	}
	_, decode := a.methods()
	return a.o.toImages(first(a.Decoder.module.MustCall(decode, latents), "sample"))
}

// IsBounded implements [Bounded].
func (a *ScriptAutoencoder) IsBounded() bool { return !a.raw }

// LatentDim is the length of the latents.
func (a *ScriptAutoencoder) LatentDim() int64 { return int64(a.o.Latent) }

// Children implements [nn.Parent]: the tensors of one module by their names, those of two below encoder and decoder.
func (a *ScriptAutoencoder) Children() iter.Seq2[string, any] {
	if a.Encoder == a.Decoder {
		return a.Encoder.Children()
	}
	return func(yield func(string, any) bool) {
		_ = yield("encoder", a.Encoder) && yield("decoder", a.Decoder)
	}
}

// SetTraining implements [nn.Trainable].
func (a *ScriptAutoencoder) SetTraining(on bool) {
	a.Encoder.SetTraining(on)
	a.Decoder.SetTraining(on)
}

// String is the names of the files.
func (a *ScriptAutoencoder) String() string {
	if a.Encoder == a.Decoder {
		return a.Encoder.String()
	}
	return a.Encoder.String() + " and " + a.Decoder.String()
}

var (
	_ Autoencoder = (*ScriptAutoencoder)(nil)
	_ Autoencoder = (*VAE)(nil)
	_ Bounded     = (*ScriptAutoencoder)(nil)
)
