package tigas

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

// Detector is a frozen network that scores images. It belongs to the scope that it was opened in.
type Detector struct {
	Name      string        // where it came from: a path, or "embedded"
	SHA256    string        // of the file, in hex
	Output    string        // what the network returned: "tensor", "tuple" or "dict"
	ImageSize int           // pixels that files are scaled to before they are scored; 256, upstream's, if the file says nothing
	Card      *network.Card // what the file says of itself; nil if nothing
	Converted string        // the file that a checkpoint's TorchScript was kept in, or read from; "" if none
	DType     torch.DType   // what its convolutions compute in: [OpenOptions.DType], or Float32 for a network of another kind
	// ScoreError is the largest difference between its scores and those in float32 on the probe images of the self-test; 0 if it
	// computes in float32.
	ScoreError float64

	score  *jit.Module // image -> scores, nothing else
	logit  *jit.Module // image -> values before the sigmoid; nil if the network does not show them
	clamps bool        // it limits something, its input as a rule
	device torch.Device
	calls  atomic.Int64
}

// load makes what computes the score of a module, and tests it.
func (d *Detector) load(s *torch.Scope, m *jit.Module, o OpenOptions) error {
	// What is only needed while loading goes with this scope; the frozen copies stay in s.
	work := torch.NewScope()
	defer work.Close()
	err := freeze(m)
	if err != nil {
		return unprefix(err)
	}
	if ops, err := m.Ops("forward"); err == nil {
		d.clamps = slices.ContainsFunc(ops, func(op string) bool { return strings.Contains(op, "clamp") })
	}
	var pick string
	err = work.Scoped(func(w *torch.Scope) (err error) {
		var out any
		torch.NoGrad(func() { out, err = m.Forward(probes(w, o)[0].image) })
		if err != nil {
			return fmt.Errorf("cannot take images [N 3 %d %d]: %w", o.Height, o.Width, unprefix(err))
		}
		d.Output, pick, err = scoreOf(out)
		return err
	})
	if err != nil {
		return err
	}
	half, err := halved(work, m, o)
	if err != nil {
		return err
	}
	net := m
	if d.DType, d.ScoreError = torch.Float32, 0; half != nil {
		net, pick, d.DType = half, "", o.DType // it returns the score alone
	}
	if d.score, err = reduce(s, net, "self.net.forward(x)"+pick, o); err != nil {
		return err
	}
	if expr := logitOf(net, d.Output); o.Logit && expr != "" {
		if d.logit, err = reduce(s, net, expr, o); err != nil {
			return err
		}
	}
	if err = d.selfTest(o); err == nil && half != nil {
		d.ScoreError, err = d.scoreError(m, o)
	}
	return err
}

// freeze puts every parameter out of reach of gradients. Evaluation mode alone does not: backward would fill 160
// gradients that nobody reads, at up to 2.4 times the cost.
func freeze(m *jit.Module) error {
	if err := m.Train(false); err != nil {
		return err
	}
	return torch.Scoped(func(s *torch.Scope) error {
		params, err := m.Parameters(s)
		for _, p := range params {
			p.Tensor.RequiresGrad(false)
		}
		return err
	})
}

// reduce returns a module in s that computes one expression of m and nothing besides, frozen.
//
// Freezing drops detach() as if it did nothing, so that a network that cuts gradients on purpose would get other ones.
// Hence the comparison for networks that do: where the gradients differ, the module is used as it was written.
func reduce(s *torch.Scope, m *jit.Module, expr string, o OpenOptions) (*jit.Module, error) {
	source := "def forward(self, x: Tensor) -> Tensor:\n    return " + expr + "\n"
	work := torch.NewScope()
	defer work.Close()
	written, err := m.Wrap(work, source)
	if err != nil {
		return nil, unprefix(err)
	}
	frozen, err := written.Freeze(s)
	if err != nil {
		return m.Wrap(s, source) // some modules cannot be frozen; they are slower, not wrong
	}
	if ops, err := written.Ops("forward"); err == nil && !slices.ContainsFunc(ops, cuts) {
		return frozen, nil
	}
	same := false
	err = torch.Scoped(func(w *torch.Scope) error {
		x := probes(w, o)[1].image.Detach().Clone().RequiresGrad(true)
		a, err := gradient(written.ForwardTensor, x)
		if err != nil {
			return err
		}
		b, err := gradient(frozen.ForwardTensor, x)
		if err != nil {
			return err
		}
		// Folding batch norms rounds differently, and a ReLU at its kink may flip: 1e-2 is far above that and far below
		// what a cut gradient makes.
		same = b.Sub(a).Norm().Float64() <= 1e-2*a.Norm().Float64()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !same {
		return m.Wrap(s, source)
	}
	return frozen, nil
}

// cuts tells whether an operator may end a gradient on purpose: detach, no_grad (prim::Enter) and their like.
func cuts(op string) bool {
	return op == "prim::Enter" || strings.Contains(op, "detach") || strings.Contains(op, "requires_grad") ||
		strings.Contains(op, "grad_enabled") || op == "prim::data" || op == "aten::data" || strings.Contains(op, "set_data")
}

// gradient is that of the sum of the scores with respect to x, or an error that says why there is none.
func gradient(scores func(*torch.Tensor) *torch.Tensor, x *torch.Tensor) (*torch.Tensor, error) {
	score, err := torch.Try1(func() *torch.Tensor { return scores(x).Sum() })
	if err != nil {
		return nil, err
	}
	if !score.IsGradRequired() {
		return nil, errors.New("its score has no gradient with respect to the image: it was exported under no_grad " +
			"or computes something that cannot be differentiated")
	}
	g, err := torch.Try1(func() *torch.Tensor {
		return torch.Grad(score, []*torch.Tensor{x}, torch.GradOptions{})[0]
	})
	if err != nil {
		return nil, fmt.Errorf("its score cannot be differentiated: %w", err)
	}
	return g, nil
}

// scoreOf finds the score among what the network returned, and the TorchScript expression that takes it out.
func scoreOf(out any) (kind, pick string, err error) {
	switch v := out.(type) {
	case *torch.Tensor:
		return "tensor", "", isScore(v)
	case jit.Tuple:
		for i, e := range v {
			if t, ok := e.(*torch.Tensor); ok && isScore(t) == nil {
				return "tuple", fmt.Sprintf("[%d]", i), nil
			}
		}
		return "", "", fmt.Errorf("returns a tuple of %d without a score: want a tensor [N] or [N, 1] in it", len(v))
	case map[string]any:
		t, ok := v["score"].(*torch.Tensor)
		if !ok {
			keys := slices.Sorted(maps.Keys(v))
			return "", "", fmt.Errorf("returns a dict with %q: want a tensor under \"score\"", strings.Join(keys, ", "))
		}
		return "dict", `["score"]`, isScore(t)
	}
	return "", "", fmt.Errorf("returns a %T: want a tensor [N] or [N, 1], a tuple or a dict with \"score\"", out)
}

func isScore(t *torch.Tensor) error {
	sh := t.Shape()
	if len(sh) == 1 && sh[0] == probeBatch || len(sh) == 2 && sh[0] == probeBatch && sh[1] == 1 {
		return nil
	}
	return fmt.Errorf("returns a tensor %v for %d images: want one score for each, [%d] or [%d, 1]", sh, probeBatch,
		probeBatch, probeBatch)
}

// logitOf is the expression for the value before the sigmoid, "" if the network does not show it.
func logitOf(m *jit.Module, output string) string {
	methods, err := m.Methods()
	if err != nil {
		return ""
	}
	for _, name := range methods {
		if name == "logit" && output != "tuple" {
			return "self.net.logit(x)"
		}
	}
	return ""
}

// Device is where the detector computes; images to be scored must be there.
func (d *Detector) Device() torch.Device { return d.device }

// Calls counts how often the network was run, to show that a weight of 0 costs nothing.
func (d *Detector) Calls() int64 { return d.calls.Load() }

// HasLogit tells whether the [Logit] form of the loss can use the network's own value before the sigmoid: the network
// shows it, and it was asked for.
func (d *Detector) HasLogit() bool { return d.logit != nil }

// Score returns the scores [N] of images [N, 3, H, W] in [0, 1], each from 0 (generated) to 1 (real). Gradients flow to
// the images where they lie in [0, 1], limits included; outside, the network clamps and they are zero. It computes in d.DType
// whatever autocast says, and the scores are float32. It panics on another shape, and on a size that the network cannot take.
func (d *Detector) Score(images *torch.Tensor) *torch.Tensor { return d.run(d.score, images) }

func (d *Detector) run(m *jit.Module, images *torch.Tensor) (out *torch.Tensor) {
	checkImages("tigas.Score", images)
	d.calls.Add(1)
	torch.Autocast(d.device, torch.DefaultDType, func() {
		images = images.To(torch.Float32)
		if d.clamps {
			images = offLimits(images)
		}
		if d.DType == torch.Float16 {
			out = scaled(m.ForwardTensor, images)
		} else {
			out = m.ForwardTensor(images)
		}
		out = out.Reshape(-1)
	})
	return out
}

// checkImages panics for what are no images. Bytes would be taken for numbers that are hundreds of times too large.
func checkImages(op string, images *torch.Tensor) {
	if sh := images.Shape(); len(sh) != 4 || sh[1] != 3 {
		panic(&torch.Error{Op: op, Msg: fmt.Sprintf("got images %v vs [N 3 H W]", sh)})
	}
	if !images.DType().IsFloat() {
		panic(&torch.Error{Op: op, Msg: fmt.Sprintf("got images of type %s vs floats: bytes are brought into [0, 1] by x.To(torch.Float32).DivScalar(255)", images.DType())})
	}
}

// ParamsSHA256 is a hash of the network's constants as they are in memory now. It never changes: training that moved the
// detector would show here.
func (d *Detector) ParamsSHA256() (string, error) {
	data, err := d.score.Bytes()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// unprefix drops "jit: load NAME: ", which the caller says better.
func unprefix(err error) error {
	s := err.Error()
	if i := strings.LastIndex(s, ": "); strings.HasPrefix(s, "jit: ") && i > 0 {
		for _, mark := range []string{": got ", ": forward: ", ": freeze: ", ": wrap: "} {
			if _, rest, ok := strings.Cut(s, mark); ok {
				if mark == ": got " {
					rest = "got " + rest
				}
				return &shorter{rest, err}
			}
		}
	}
	return err
}

// shorter is an error with another text.
type shorter struct {
	text string
	err  error
}

func (e *shorter) Error() string { return e.text }
func (e *shorter) Unwrap() error { return e.err }
