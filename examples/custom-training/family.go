package customtraining

import (
	"context"
	"io"
	"iter"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/optim"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// block: family

// Hinge is a hinge GAN of two networks of one's own, for 32 x 32.
type Hinge struct {
	nets       struct{ G, D nn.Sequential }
	optG, optD optim.Optimizer
	term       tigas.Term
}

// NewHinge makes the networks in a sealed scope inside root.
func NewHinge(root *torch.Scope, init *torch.Generator, term tigas.Term) *Hinge {
	h := &Hinge{term: term}
	b := nn.Builder{Scope: root.Child(), Generator: init}
	half := nn.Conv2dOptions{Stride: 2, Padding: 1}
	h.nets.G = nn.Sequential{
		nn.NewConvTranspose2d(b, 64, 32, 4, nn.Conv2dOptions{}), nn.ReLU, nn.NewConvTranspose2d(b, 32, 16, 4, half), nn.ReLU,
		nn.NewConvTranspose2d(b, 16, 8, 4, half), nn.ReLU, nn.NewConvTranspose2d(b, 8, 3, 4, half), nn.Tanh,
	}
	h.nets.D = nn.Sequential{nn.NewConv2d(b, 3, 16, 4, half), nn.LeakyReLU(0.2), nn.NewConv2d(b, 16, 1, 16, nn.Conv2dOptions{})}
	b.Scope.Seal()
	adam := optim.AdamOptions{LR: 5e-4, Beta1: 0.5}
	h.optG, h.optD = optim.NewAdam(root, nn.ParamList(h.nets.G), adam), optim.NewAdam(root, nn.ParamList(h.nets.D), adam)
	return h
}

func (h *Hinge) LatentShape() []int64 { return []int64{64, 1, 1} }

// Sample draws what the run's pictures are.
func (h *Hinge) Sample(_ context.Context, latents *torch.Tensor) (images *torch.Tensor, err error) {
	torch.NoGrad(func() { images = h.nets.G.Forward(latents) })
	return images, nil
}

// Step is one update of both networks.
func (h *Hinge) Step(st *trainers.Step) error {
	real, err := st.Real() // [N, 3, H, W] in [-1, 1]; the length of the run is counted in these
	if err != nil {
		return err
	}
	fake := h.nets.G.Forward(st.Scope.Randn(st.Noise, append([]int64{real.Size(0)}, h.LatentShape()...)))
	lossD := st.Term("D", trainers.HingeCritic(h.nets.D.Forward(real), h.nets.D.Forward(fake.Detach())))
	if err := st.Update("D", h.optD, nn.ParamList(h.nets.D), lossD); err != nil {
		return err
	}
	lossG := st.Term("G", trainers.HingeGenerator(h.nets.D.Forward(fake)))
	if a := st.Apply(&h.term, fake, nil); a.Loss != nil { // and logs it
		lossG = lossG.Add(a.Loss)
	}
	return st.Update("G", h.optG, nn.ParamList(h.nets.G), lossG)
}

func (h *Hinge) Tensors() iter.Seq2[string, *torch.Tensor] { return nn.StateDict(h.nets) }
func (h *Hinge) TIGAS() tigas.Term                         { return h.term }
func (h *Hinge) Optimizers() []trainers.NamedOptimizer {
	return []trainers.NamedOptimizer{{Name: "G", Optimizer: h.optG}, {Name: "D", Optimizer: h.optD}}
}

// end

// block: run

// Train trains in the folder dir, or goes on with the run in it. It returns an error that wraps trainers.ErrInterrupted when ctx
// ended it, after a snapshot.
func Train(ctx context.Context, root *torch.Scope, dir string, kimg float64, resume bool, console io.Writer) error {
	det, err := tigas.Embedded(root, tigas.OpenOptions{Height: 32, Width: 32})
	if err != nil {
		return err
	}
	weight, err := sched.NewWarmup(0.1, sched.Span{N: kimg / 5, Unit: sched.Kimg}, sched.Span{})
	if err != nil {
		return err
	}
	term := tigas.Term{Detector: det, Weight: weight, Options: tigas.LossOptions{Range: tigas.Symmetric}}
	init, err := root.NewGenerator(torch.CPU, 1)
	if err != nil {
		return err
	}
	loader, err := data.NewLoader(data.NewDemo(32, false), data.LoaderOptions{Batch: 8, Transform: data.Transform{Resolution: 32}})
	if err != nil {
		return err
	}
	options := trainers.RunOptions{Kimg: kimg, Seed: 1, TensorBoard: true, Loader: loader, Console: &monitor.Console{W: console}}
	if !resume {
		options.Out, err = checkpoint.Create(dir) // refuses a folder that holds a run
	} else if options.Out, err = checkpoint.Open(dir); err == nil {
		options.Resume, err = options.Out.Latest()
	}
	if err != nil {
		return err
	}
	if err := options.Out.Lock(); err != nil { // no other process writes there
		return err
	}
	defer options.Out.Unlock()
	if err := options.Out.WriteConfig(map[string]any{"command": "hinge", "kimg": kimg}); err != nil { // for the report
		return err
	}
	return trainers.Run(ctx, NewHinge(root, init, term), options)
}

// end
