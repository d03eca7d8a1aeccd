// Convolutions that are to be differentiated twice.
//
// The derivative of a convolution's gradient is made of a convolution and of a gradient with respect to weights, for which
// cuDNN has kernels. libtorch writes the latter as a convolution with kernels as large as images: on an H200 it takes 8 ms for
// a layer of 64 channels at 64 x 64, where a whole step of that network has 88, and one launch for each group. Here each derivative is one
// of these two again, to any order (as in StyleGAN2-ADA's conv2d_gradfix, Karras et al. 2020).
#include "guard.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <array>
#include <vector>

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

using Ints = std::vector<int64_t>;

struct Geometry {
  Ints stride, padding, dilation, output_padding;
  bool transposed;
  int64_t groups;

  // That of the gradient with respect to an input of size x, whose result was y.
  Geometry reversed(at::IntArrayRef x, at::IntArrayRef y, at::IntArrayRef kernel) const {
    Geometry g = *this;
    g.transposed = !transposed;
    for (size_t i = 0; i < 2; i++)
      g.output_padding[i] = transposed ? 0
                                       : x[2 + i] - ((y[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[2 + i] - 1) + 1);
    return g;
  }
};

void keep(AutogradContext *ctx, const Geometry &g) {
  ctx->saved_data["stride"] = g.stride;
  ctx->saved_data["padding"] = g.padding;
  ctx->saved_data["dilation"] = g.dilation;
  ctx->saved_data["output_padding"] = g.output_padding;
  ctx->saved_data["transposed"] = g.transposed;
  ctx->saved_data["groups"] = g.groups;
}

Geometry kept(AutogradContext *ctx) {
  auto ints = [&](const char *name) { return ctx->saved_data[name].toIntVector(); };
  return {ints("stride"), ints("padding"), ints("dilation"), ints("output_padding"), ctx->saved_data["transposed"].toBool(),
          ctx->saved_data["groups"].toInt()};
}

using Bias = c10::optional<at::Tensor>;

at::Tensor convolve(const at::Tensor &x, const at::Tensor &w, const Bias &b, const Geometry &g);
at::Tensor weight_grad(const at::Tensor &gy, const at::Tensor &x, const at::Tensor &w, const Geometry &g);

struct Convolve : Function<Convolve> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &w, const Bias &b, const Geometry &g) {
    ctx->save_for_backward({x, w});
    ctx->saved_data["bias"] = b.has_value() && b->defined();
    keep(ctx, g);
    return at::convolution(x, w, b, g.stride, g.padding, g.dilation, g.transposed, g.output_padding, g.groups);
  }

  static variable_list backward(AutogradContext *ctx, const variable_list &grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &w = saved[1], &gy = grads[0];
    const Geometry g = kept(ctx);
    variable_list out(4); // as many as forward has arguments
    if (!gy.defined()) return out;
    if (ctx->needs_input_grad(0)) out[0] = convolve(gy, w, c10::nullopt, g.reversed(x.sizes(), gy.sizes(), w.sizes()));
    if (ctx->needs_input_grad(1)) out[1] = weight_grad(gy, x, w, g);
    // Without a bias there is no third edge.
    if (ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(2)) out[2] = gy.sum(std::vector<int64_t>{0, 2, 3});
    return out;
  }
};

struct WeightGrad : Function<WeightGrad> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &gy, const at::Tensor &x, const at::Tensor &w, const Geometry &g) {
    ctx->save_for_backward({gy, x});
    keep(ctx, g);
    return std::get<1>(at::convolution_backward(gy, x, w, c10::nullopt, g.stride, g.padding, g.dilation, g.transposed,
                                                g.output_padding, g.groups, std::array<bool, 3>{false, true, false}));
  }

  static variable_list backward(AutogradContext *ctx, const variable_list &grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &gy = saved[0], &x = saved[1], &ggw = grads[0];
    const Geometry g = kept(ctx);
    variable_list out(4); // the weights themselves play no part
    if (!ggw.defined()) return out;
    if (ctx->needs_input_grad(0)) out[0] = convolve(x, ggw, c10::nullopt, g);
    if (ctx->needs_input_grad(1)) out[1] = convolve(gy, ggw, c10::nullopt, g.reversed(x.sizes(), gy.sizes(), ggw.sizes()));
    return out;
  }
};

at::Tensor convolve(const at::Tensor &x, const at::Tensor &w, const Bias &b, const Geometry &g) {
  return Convolve::apply(x, w, b, g);
}

at::Tensor weight_grad(const at::Tensor &gy, const at::Tensor &x, const at::Tensor &w, const Geometry &g) {
  return WeightGrad::apply(gy, x, w, g);
}

Ints two(at::IntArrayRef v) { return v.size() == 1 ? Ints{v[0], v[0]} : v.vec(); }

at::Tensor conv2d(const at::Tensor &x, const at::Tensor &w, const Bias &b, at::IntArrayRef stride,
                  at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups) {
  if (x.dim() != 4 || w.dim() != 4) return at::conv2d(x, w, b, stride, padding, dilation, groups); // which says what is wrong
  return convolve(x, w, b, {two(stride), two(padding), two(dilation), {0, 0}, false, groups});
}

at::Tensor conv_transpose2d(const at::Tensor &x, const at::Tensor &w, const Bias &b, at::IntArrayRef stride,
                            at::IntArrayRef padding, at::IntArrayRef output_padding, int64_t groups, at::IntArrayRef dilation) {
  if (x.dim() != 4 || w.dim() != 4) return at::conv_transpose2d(x, w, b, stride, padding, output_padding, groups, dilation);
  return convolve(x, w, b, {two(stride), two(padding), two(dilation), two(output_padding), true, groups});
}

} // namespace

TORCH_LIBRARY(tigas, m) {
  m.def("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] dilation=1, "
        "int groups=1) -> Tensor", conv2d);
  m.def("conv_transpose2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, "
        "int[2] output_padding=0, int groups=1, int[2] dilation=1) -> Tensor", conv_transpose2d);
}
