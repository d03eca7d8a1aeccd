package optim_test

import (
	"testing"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/optim"
)

// generator makes tensors of the sizes of a DCGAN generator at 64 pixels, 3.5 million numbers.
func generator(s *torch.Scope) (params, grads []*torch.Tensor) {
	for _, shape := range [][]int64{
		{100, 512, 4, 4}, {512}, {512}, {512, 256, 4, 4}, {256}, {256}, {256, 128, 4, 4}, {128}, {128}, {128, 64, 4, 4}, {64},
		{64}, {64, 3, 4, 4},
	} {
		params = append(params, s.Randn(nil, shape).RequiresGrad(true))
		grads = append(grads, s.Randn(nil, shape))
	}
	return params, grads
}

func BenchmarkSteps(b *testing.B) {
	s := torch.NewScope()
	defer s.Close()
	p, g := generator(s)
	ema := optim.CloneEMA(s, p, nil)
	adam := optim.NewAdam(s, p, optim.DefaultAdamOptions())
	o := optim.DefaultAdamOptions()
	o.Capturable = true
	capturable, skip := optim.NewAdam(s, p, o), s.Scalar(0)
	rms := optim.NewRMSprop(s, p, optim.RMSpropOptions{})
	sgd := optim.NewSGD(s, p, optim.SGDOptions{Momentum: 0.9})
	for name, step := range map[string]func(){
		"adam": func() { adam.Step(g) }, "capturable": func() { capturable.Step(g) },
		"masked": func() { capturable.StepUnless(g, skip) }, "rmsprop": func() { rms.Step(g) }, "sgd": func() { sgd.Step(g) },
		"ema": func() { ema.Update(0.999) }, "clip": func() { _, _ = optim.ClipGradNorm(g, 1) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				step()
			}
		})
	}
}
