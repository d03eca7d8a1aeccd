package nn

import "github.com/tigas-train/tigas-train/cgo/torch"

// channelsLast is libtorch's number of the memory format.
const channelsLast = 2

// ChannelsLast lays the weights of all convolutions of networks out pixel by pixel (NHWC) instead of channel by channel, in
// place: libtorch's channels_last. Their shapes stay what they are, and what they compute; the results of convolutions get
// the same layout, which the matrix units of GPUs work in. On a CPU it is mostly slower. Nil networks are skipped.
//
// It is called before an optimiser is made, whose state is laid out like the weights. What is saved does not depend on it.
func ChannelsLast(nets ...any) {
	torch.NoGrad(func() {
		for _, net := range nets {
			for _, p := range ParamList(net) {
				if p.Dim() != 4 {
					continue
				}
				s := torch.NewScope()
				torch.CallMulti("aten::set_.source_Tensor", p, s.Call("aten::contiguous", p, channelsLast))
				s.Close()
			}
		}
	})
}
