// Tensors: handles, metadata, bytes in and out, gradients.
#include "retry.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <atomic>

namespace {
std::atomic<int64_t> live_tensors{0};
std::atomic<int64_t> live_bytes{0};
} // namespace

void ct::count(int64_t tensors, int64_t bytes) noexcept {
  live_tensors.fetch_add(tensors, std::memory_order_relaxed);
  live_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

int64_t ct_live_tensors(void) { return live_tensors.load(std::memory_order_relaxed); }
int64_t ct_live_bytes(void) { return live_bytes.load(std::memory_order_relaxed); }

void ct_tensor_free(const ct_handle *h, int n) {
  int64_t freed = 0, bytes = 0;
  for (int i = 0; i < n; i++) {
    if (h[i] <= 0) continue;
    auto *p = reinterpret_cast<c10::TensorImpl *>(h[i]);
    freed++;
    bytes += ct::bytes_of(p);
    // Destructors of storages do not throw; a custom deleter that does would be a bug worth the abort.
    c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(p);
  }
  ct::count(-freed, -bytes);
}

int ct_tensor_alias(ct_handle h, ct_handle *out, char **msg) { CT_GUARD({ *out = ct::wrap(ct::borrow(h)); }); }

int ct_tensor_info(ct_handle h, ct_info *o, char **msg) {
  CT_GUARD({
    at::Tensor t = ct::borrow(h);
    if (t.dim() > CT_MAXDIM) throw ct::bad_argument("more than 16 dimensions");
    o->dtype = static_cast<int32_t>(t.scalar_type());
    o->device_type = static_cast<int32_t>(t.device().type());
    o->device_index = t.device().index();
    o->dim = static_cast<int32_t>(t.dim());
    o->requires_grad = t.requires_grad();
    o->is_leaf = t.is_leaf();
    o->contiguous = t.is_contiguous();
    o->has_grad_fn = t.grad_fn() != nullptr;
    o->numel = t.numel();
    o->nbytes = ct::bytes_of(t.unsafeGetTensorImpl());
    for (int i = 0; i < o->dim; i++) {
      o->sizes[i] = t.size(i);
      o->strides[i] = t.stride(i);
    }
  });
}

// Any other byte than 0 and 1 in a bool is undefined behaviour, in C++ and in Go.
static void ct_normalize_bool(void *data, int64_t n) {
  for (auto *b = static_cast<uint8_t *>(data), *end = b + n; b != end; b++) *b = *b != 0;
}

int ct_tensor_from_bytes(const void *data, int64_t nbytes, int dtype, const int64_t *sizes, int dim, int device,
                         ct_handle *out, char **msg) {
  CT_GUARD({
    auto type = static_cast<at::ScalarType>(dtype);
    at::Tensor t = at::empty(c10::IntArrayRef(sizes, dim), at::TensorOptions().dtype(type));
    int64_t want = ct::bytes_of(t.unsafeGetTensorImpl());
    if (want != nbytes)
      throw ct::bad_argument("got " + std::to_string(nbytes) + " bytes vs " + std::to_string(want) + " for the shape");
    if (nbytes) std::memcpy(t.data_ptr(), data, nbytes);
    if (type == at::kBool) ct_normalize_bool(t.data_ptr(), nbytes);
    c10::Device d = ct::device_of(device);
    if (!d.is_cpu()) {
      at::Tensor there;
      ct::with_retry([&] { there = t.to(d); }, [] { return true; });
      t = there;
    }
    *out = ct::wrap(t);
  });
}

int ct_tensor_to_bytes(ct_handle h, void *dst, int64_t nbytes, char **msg) {
  CT_GUARD({
    at::Tensor t = ct::borrow(h).detach();
    if (t._is_zerotensor()) t = t.clone(); // has no memory
    t = t.to(at::kCPU).contiguous().resolve_conj().resolve_neg(); // conj() and views of it negate when they are read
    int64_t have = ct::bytes_of(t.unsafeGetTensorImpl());
    if (have != nbytes)
      throw ct::bad_argument("got room for " + std::to_string(nbytes) + " bytes vs " + std::to_string(have));
    if (nbytes) std::memcpy(dst, t.data_ptr(), nbytes);
    if (t.scalar_type() == at::kBool) ct_normalize_bool(dst, nbytes);
  });
}

int ct_tensor_set_requires_grad(ct_handle h, int on, char **msg) {
  CT_GUARD({ ct::borrow(h).requires_grad_(on != 0); });
}

int ct_tensor_grad(ct_handle h, ct_handle *out, char **msg) {
  CT_GUARD({
    at::Tensor t = ct::borrow(h);
    *out = ct::wrap(t.grad());
  });
}

int ct_tensor_set_grad(const ct_handle *h, const ct_handle *grad, int n, char **msg) {
  CT_GUARD({
    for (int i = 0; i < n; i++) ct::borrow(h[i]).mutable_grad() = ct::borrow(grad ? grad[i] : 0);
  });
}

int ct_tensor_from_aten(const void *object, ct_handle *out, char **msg) {
  CT_GUARD({ *out = ct::wrap(*static_cast<const at::Tensor *>(object)); });
}

int ct_tensor_to_aten(ct_handle h, void **object, char **msg) { CT_GUARD({ *object = new at::Tensor(ct::borrow(h)); }); }
