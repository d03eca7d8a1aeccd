// Memory of CUDA devices as libtorch's cache counts it, pinned memory, and the switches of cuDNN and cuBLAS.
#include "cuda.h"
#include "retry.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>

// libc10 has an interface for caches since 2.9. Before that it is declared in a header that wants CUDA's own, so a program
// that was built without them has no statistics, and says so.
#if CT_TORCH_AT_LEAST(2, 9)
#include <c10/core/CachingDeviceAllocator.h>
using Cache = c10::DeviceAllocator;
#define CT_HAS_CACHE 1
#elif CT_TORCH_AT_LEAST(2, 4) && __has_include(<cuda_runtime_api.h>) && __has_include(<c10/cuda/CUDACachingAllocator.h>)
#include <c10/cuda/CUDACachingAllocator.h>
using Cache = c10::cuda::CUDACachingAllocator::CUDAAllocator;
#define CT_HAS_CACHE 1
#else
#define CT_HAS_CACHE 0
#endif

namespace {

#if CT_HAS_CACHE
// Null before libtorch has used CUDA at all: there is nothing to count then.
Cache *real() {
  if (!at::hasCUDA()) return nullptr;
  c10::Allocator *a = at::detail::getCUDAHooks().getCUDADeviceAllocator();
#if CT_TORCH_AT_LEAST(2, 9)
  Cache *c = dynamic_cast<Cache *>(a);
#else
  Cache *c = static_cast<Cache *>(a); // which every one is
#endif
  return c && c->initialized() ? c : nullptr;
}

void real_stats(int device, ct_cuda_stats *out) {
  Cache *c = real();
  if (!c) return;
  auto s = c->getDeviceStats(static_cast<c10::DeviceIndex>(device));
  out->allocated = s.allocated_bytes[0].current; // 0: of small and large blocks
  out->peak_allocated = s.allocated_bytes[0].peak;
  out->reserved = s.reserved_bytes[0].current;
  out->peak_reserved = s.reserved_bytes[0].peak;
  out->retries = s.num_alloc_retries;
  out->failures = s.num_ooms;
}

void real_reset(int device) {
  if (Cache *c = real()) c->resetPeakStats(static_cast<c10::DeviceIndex>(device));
}

void real_empty() {
  if (Cache *c = real()) c->emptyCache();
}

ct::cache_api the_cache{[] { return real() != nullptr; }, real_stats, real_reset, real_empty};
#else
ct::cache_api the_cache;
#endif

template <class F> F *built(F *f) {
  if (!f)
    throw ct::bad_argument("this program was built for libtorch " TORCH_VERSION " without the headers of CUDA, which its "
                           "cache wants before 2.9", CT_ENOTIMPL);
  return f;
}

} // namespace

ct::cache_api &ct::cache() { return the_cache; }

bool ct::can_empty_cache() noexcept {
  if (is_capturing()) return false; // giving memory back would end the recording
  try {
    return cache().there && cache().there();
  } catch (...) {
    return false;
  }
}

void ct::empty_cache() { cache().empty(); }

int ct_cuda_memory(int device, ct_cuda_stats *out, char **msg) {
  *out = ct_cuda_stats{};
  CT_GUARD({ built(ct::cache().stats)(ct::cuda_device(device).index(), out); });
}

int ct_cuda_reset_peak(int device, char **msg) {
  CT_GUARD({ built(ct::cache().reset)(ct::cuda_device(device).index()); });
}

int ct_cuda_empty_cache(char **msg) {
  CT_GUARD({
    ct::cuda();
    built(ct::cache().empty)();
  });
}

int ct_cuda_device_memory(int device, int64_t *free, int64_t *total, char **msg) {
  CT_GUARD({
    const auto &g = ct::cuda();
    c10::Device before = g.exchangeDevice(ct::cuda_device(device));
    size_t f = 0;
    size_t t = 0;
    int code = ct::driver().mem_get_info ? ct::driver().mem_get_info(&f, &t) : 0;
    g.setDevice(before);
    ct::wanted(ct::driver().mem_get_info, "cudaMemGetInfo");
    ct::check_cuda(code, "cudaMemGetInfo");
    *free = static_cast<int64_t>(f);
    *total = static_cast<int64_t>(t);
  });
}

int ct_cuda_missing(char **text, char **msg) {
  *text = nullptr;
  CT_GUARD({
    std::string s;
    if (ct::cuda_library()) s = ct::not_found() + ct::graphs_not_found();
    if (!ct::cache().stats) s += "memory of libtorch's cache: built without the headers of CUDA\n";
    *text = ct::dup(s);
  });
}

int ct_tensor_memory(ct_handle h, void **p, int64_t *nbytes, char **msg) {
  CT_GUARD({
    at::Tensor t = ct::borrow(h);
    if (!t.device().is_cpu() || !t.is_contiguous()) throw ct::bad_argument("got no contiguous tensor on the CPU");
    *p = t.data_ptr();
    *nbytes = ct::bytes_of(t.unsafeGetTensorImpl());
  });
}

int ct_cuda_switches(ct_switches *out, char **msg) {
  CT_GUARD({
    const at::Context &c = at::globalContext();
    out->cudnn = c.userEnabledCuDNN();
    out->cudnn_benchmark = c.benchmarkCuDNN();
    out->cudnn_deterministic = c.deterministicCuDNN();
    out->cudnn_tf32 = c.allowTF32CuDNN();
    out->matmul_tf32 = c.allowTF32CuBLAS();
  });
}

int ct_cuda_set_switches(const ct_switches *in, char **msg) {
  CT_GUARD({
    at::Context &c = at::globalContext();
    c.setUserEnabledCuDNN(in->cudnn != 0);
    c.setBenchmarkCuDNN(in->cudnn_benchmark != 0);
    c.setDeterministicCuDNN(in->cudnn_deterministic != 0);
    c.setAllowTF32CuDNN(in->cudnn_tf32 != 0);
    c.setAllowTF32CuBLAS(in->matmul_tf32 != 0);
  });
}
