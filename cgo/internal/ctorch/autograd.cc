// The autograd engine and the thread-local modes around it.
#include "cuda.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <atomic>
#include <cstddef>
#include <vector>

namespace {

// The autocast switches got a device argument in 2.4.
#if CT_TORCH_AT_LEAST(2, 4)
bool autocast_on(at::DeviceType d) { return at::autocast::is_autocast_enabled(d); }
void set_autocast(at::DeviceType d, bool on) { at::autocast::set_autocast_enabled(d, on); }
at::ScalarType autocast_dtype(at::DeviceType d) { return at::autocast::get_autocast_dtype(d); }
void set_autocast_dtype(at::DeviceType d, at::ScalarType t) { at::autocast::set_autocast_dtype(d, t); }
#else
bool autocast_on(at::DeviceType d) {
  return d == at::kCPU ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
}
void set_autocast(at::DeviceType d, bool on) {
  if (d == at::kCPU) at::autocast::set_cpu_enabled(on);
  else at::autocast::set_enabled(on);
}
at::ScalarType autocast_dtype(at::DeviceType d) {
  return d == at::kCPU ? at::autocast::get_autocast_cpu_dtype() : at::autocast::get_autocast_gpu_dtype();
}
void set_autocast_dtype(at::DeviceType d, at::ScalarType t) {
  if (d == at::kCPU) at::autocast::set_autocast_cpu_dtype(t);
  else at::autocast::set_autocast_gpu_dtype(t);
}
#endif

thread_local int region_depth = 0;
thread_local bool second_order = false;
std::atomic<bool> checking{false};

std::vector<at::Tensor> list(const ct_handle *h, int n) {
  std::vector<at::Tensor> v;
  v.reserve(n);
  for (int i = 0; i < n; i++) v.push_back(ct::borrow(h[i]));
  return v;
}

ct_modes modes_now() {
  ct_modes m{};
  m.grad = at::GradMode::is_enabled();
  m.autocast_cpu = autocast_on(at::kCPU);
  m.autocast_cpu_dtype = static_cast<int32_t>(autocast_dtype(at::kCPU));
  m.autocast_cuda = autocast_on(at::kCUDA);
  m.autocast_cuda_dtype = static_cast<int32_t>(autocast_dtype(at::kCUDA));
  m.cache = at::autocast::is_autocast_cache_enabled();
  m.second_order = second_order;
  m.thread = reinterpret_cast<int64_t>(&region_depth);
  return m;
}

bool casting(const ct_modes &m) { return m.autocast_cpu || m.autocast_cuda; }

void modes_set(const ct_modes &m) {
  at::GradMode::set_enabled(m.grad != 0);
  set_autocast_dtype(at::kCPU, static_cast<at::ScalarType>(m.autocast_cpu_dtype));
  set_autocast(at::kCPU, m.autocast_cpu != 0);
  set_autocast_dtype(at::kCUDA, static_cast<at::ScalarType>(m.autocast_cuda_dtype));
  set_autocast(at::kCUDA, m.autocast_cuda != 0);
  at::autocast::set_autocast_cache_enabled(m.cache != 0);
  second_order = m.second_order != 0;
}

// Casts of weights are cached while a mode lasts. The cache knows a weight only, so a cast must not outlive its mode: one
// made without recording would give the weight no gradient later, one to another type that type.
void modes_change(const ct_modes &from, const ct_modes &to) {
  if ((casting(from) || casting(to)) && std::memcmp(&from, &to, offsetof(ct_modes, thread))) at::autocast::clear_cache();
  modes_set(to);
}

} // namespace

void ct::check_modes() {
  if (!checking.load(std::memory_order_relaxed) || region_depth > 0) return;
  if (!at::GradMode::is_enabled() || autocast_on(at::kCPU) || autocast_on(at::kCUDA))
    throw bad_argument("this OS thread was left in a mode outside any region");
  ct::check_stream();
}

bool ct::in_second_order() noexcept { return second_order && !autocast_on(at::kCUDA); }

void ct_check_modes(int on) { checking.store(on != 0); }

int ct_modes_get(ct_modes *out, char **msg) { CT_GUARD({ *out = modes_now(); }); }

int ct_modes_enter(const ct_modes *m, ct_modes *saved, char **msg) {
  CT_GUARD({
    *saved = modes_now();
    modes_change(*saved, *m);
    region_depth++;
  });
}

int ct_modes_leave(const ct_modes *saved, char **msg) {
  CT_GUARD({
    if (saved->thread != reinterpret_cast<int64_t>(&region_depth))
      throw ct::bad_argument("a region ended on another OS thread than it began on");
    region_depth--;
    modes_change(modes_now(), *saved);
  });
}

int ct_backward(const ct_handle *roots, const ct_handle *grads, int n, const ct_handle *inputs, int n_in, int keep_graph,
                int create_graph, char **msg) {
  CT_GUARD({
    ct::check_modes();
    torch::autograd::backward(list(roots, n), grads ? list(grads, n) : std::vector<at::Tensor>{}, keep_graph != 0,
                              create_graph != 0, list(inputs, n_in));
  });
}

int ct_grad(const ct_handle *outputs, const ct_handle *grads, int n, const ct_handle *inputs, int n_in, int keep_graph,
            int create_graph, int allow_unused, ct_handle *out, char **msg) {
  CT_GUARD({
    ct::check_modes();
    auto r = torch::autograd::grad(list(outputs, n), list(inputs, n_in), grads ? list(grads, n) : std::vector<at::Tensor>{},
                                   keep_graph != 0, create_graph != 0, allow_unused != 0);
    for (int i = 0; i < n_in; i++) out[i] = ct::wrap(r[i]);
  });
}
