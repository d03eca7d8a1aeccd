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

// NewScriptAutoencoder makes an autoencoder in b's scope, of two files, or of one that is both where the decoder is the zero
// ScriptFile, and tries it on images of o.Resolution, which must be given. raw says that the decoder has no last activation.
// It returns an error that says what does not fit.
func NewScriptAutoencoder(b nn.Builder, encoder, decoder ScriptFile, o ScriptOptions, raw bool) (*ScriptAutoencoder, error) {
	a := &ScriptAutoencoder{o: o, raw: raw}
	var err error
	if a.Encoder, err = NewScript(b, encoder); err != nil {
		return nil, err
	}
	a.Decoder = a.Encoder
	if decoder.Data != nil {
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
			c, err := s.copy(work)
			if err != nil {
				return err
			}
			c.SetTraining(false)
			copies[s] = c
		}
		c.Encoder, c.Decoder = copies[a.Encoder], copies[a.Decoder]
		var first error
		torch.NoGrad(func() {
			mu, _ := c.Encode(a.pictures(work, tryEvaluating, d))
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

func (a *ScriptAutoencoder) pictures(work *torch.Scope, n int64, d torch.Device) *torch.Tensor {
	size := int64(a.o.Resolution)
	return work.Rand(nil, []int64{n, 3, size, size}, torch.Options{Device: d}).MulScalar(2).AddScalar(-1)
}

// try looks at both networks as training will use them.
func (a *ScriptAutoencoder) try(d torch.Device) error {
	encode, decode := a.methods()
	encoding := func(c *Script, work *torch.Scope, n int64) []*torch.Tensor {
		mu, logvar := halves(c.run(encode, a.o.fromImages(a.pictures(work, n, d))))
		if mu.Size(0) != n || mu.Size(1) != int64(a.o.Latent) || !slices.Equal(mu.Shape(), logvar.Shape()) || mu.DType() != torch.Float32 {
			panic(&torch.Error{Op: "Script", Msg: fmt.Sprintf("%s: got %v and %v vs means and logarithms of variances float32 [%d L]", encode, mu, logvar, n)})
		}
		return []*torch.Tensor{mu, logvar}
	}
	decoding := func(c *Script, work *torch.Scope, n int64) []*torch.Tensor {
		z := work.Randn(nil, []int64{n, int64(a.o.Latent)}, torch.Options{Device: d})
		if a.maps {
			z = z.Unsqueeze(2).Unsqueeze(3)
		}
		out := c.run(decode, z)
		if _, err := imageSize(out, n, a.o.Resolution); err != nil {
			panic(&torch.Error{Op: "Script", Msg: decode + ": " + err.Error()})
		}
		return []*torch.Tensor{first(out, "sample")}
	}
	type trial = func(c *Script, work *torch.Scope, n int64) []*torch.Tensor
	trials := map[*Script]trial{a.Encoder: encoding, a.Decoder: decoding}
	if a.Encoder == a.Decoder {
		trials[a.Encoder] = func(c *Script, work *torch.Scope, n int64) []*torch.Tensor {
			return append(encoding(c, work, n), decoding(c, work, n)...)
		}
	}
	for _, s := range []*Script{a.Encoder, a.Decoder} {
		if err := s.try(trials[s], tryEvaluating, tryTraining); err != nil {
			return fmt.Errorf("models: %s: %w", s.file.Path, err)
		}
		if a.Encoder == a.Decoder {
			break
		}
	}
	return nil
}

// Advice is what is odd about the networks, "" for nothing.
func (a *ScriptAutoencoder) Advice(b nn.Builder) (advice string) {
	encode, decode := a.methods()
	work := b.Scope.Child()
	defer work.Close()
	nn.Train(a, false)
	defer nn.Train(a, true)
	torch.NoGrad(func() {
		x := a.o.fromImages(a.Decode(work.Randn(nil, []int64{4, int64(a.o.Latent)}, torch.Options{Device: b.Device})))
		if low, high := x.Min().Float64(), x.Max().Float64(); !a.o.Unit && !a.raw && low >= 0 && high <= 1 {
			advice = fmt.Sprintf("the pictures of %s reach from %.2g to %.2g: if they are meant to be in [0, 1], as after a sigmoid, give --net-range unit", a, low, high)
		} else if !a.raw && (high > 1.01 || low < -1.01) {
			advice = fmt.Sprintf("the pictures of %s reach from %.2g to %.2g: if its decoder has no last activation, give --net-range raw", a, low, high)
		}
	})
	return cmp.Or(advice, a.Encoder.stateful(encode), a.Decoder.stateful(decode))
}

// Encode implements [Autoencoder]. It panics with *[torch.Error] when the network fails.
func (a *ScriptAutoencoder) Encode(images *torch.Tensor) (mu, logvar *torch.Tensor) {
	encode, _ := a.methods()
	return halves(a.Encoder.module.MustCall(encode, a.o.fromImages(images)))
}

// halves are the means and logarithms of variances in what a network returns.
func halves(out any) (mu, logvar *torch.Tensor) {
	if t, ok := out.(*torch.Tensor); ok {
		if t.Dim() < 2 || t.Size(1)%2 != 0 {
			panic(&torch.Error{Op: "Script", Msg: fmt.Sprintf("encode: got %v vs means and logarithms of variances [N 2L]", t)})
		}
		half := t.Size(1) / 2
		return t.Narrow(1, 0, half).Flatten(1), t.Narrow(1, half, half).Flatten(1)
	}
	ts, err := tensors(out, "mu", "logvar")
	if err == nil && (ts[0].Dim() < 2 || ts[1].Dim() < 2) {
		err = fmt.Errorf("got %v and %v vs means and logarithms of variances [N L]", ts[0], ts[1])
	}
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
