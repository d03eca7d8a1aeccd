package models

import "github.com/tigas-train/tigas-train/cgo/torch"

// exact computes f of x in float32 where the pass that it is part of is in a smaller type. What few numbers decide much, such as a
// critic's last layer, is not worth rounding: bfloat16 has 8 bits.
func exact(x *torch.Tensor, f func(x *torch.Tensor) *torch.Tensor) (y *torch.Tensor) {
	if t := x.DType(); t != torch.BFloat16 && t != torch.Float16 {
		return f(x)
	}
	torch.Autocast(x.Device(), torch.DefaultDType, func() { y = f(x.To(torch.Float32)) })
	return y
}

// precise runs f in the types of what it is given, whatever the pass that it is part of is in; x says on which device.
func precise(x *torch.Tensor, f func()) { torch.Autocast(x.Device(), torch.DefaultDType, f) }
