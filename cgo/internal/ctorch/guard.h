// The one way in and out of every shim function: no exception leaves, every handle is counted.
#pragma once

#include "shim.h"

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <torch/csrc/api/include/torch/version.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

#define CT_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace ct {

inline char *dup(const std::string &s) {
  char *p = static_cast<char *>(std::malloc(s.size() + 1));
  if (p) std::memcpy(p, s.c_str(), s.size() + 1);
  return p;
}

inline const char *no_form = " does not have a deterministic implementation";

// Is it a device, or what drives it, that is short of memory, and not the host?
inline bool device_is_short(const std::string &what) {
  for (const char *s : {"CUDA out of memory", "CUDA error: out of memory", "CUDA driver error: out of memory",
                        "_STATUS_ALLOC_FAILED", "_ALLOCATION_FAILED", "CUFFT_ALLOC_FAILED"}) // cuBLAS, cuDNN and others
    if (what.find(s) != std::string::npos) return true;
  return false;
}

// Neither out-of-memory (in 1.13) nor a missing deterministic form has an exception type of its own, so the text decides.
inline int code_of(const std::string &what) {
  auto has = [&](const char *s) { return what.find(s) != std::string::npos; };
  if (device_is_short(what) || has("out of memory") || has("can't allocate memory") || has("bad_alloc")) return CT_EOOM;
  if (has(no_form) || has("is not deterministic because it uses CuBLAS")) return CT_ENONDET;
  return CT_EGENERIC;
}

// Names the operator, which may be deep in a backward pass or in TorchScript, in place of advice about Python.
inline std::string nondeterministic(const std::string &what) {
  auto end = what.find(no_form);
  if (end == std::string::npos)
    return "the operator uses cuBLAS, which is deterministic only with CUBLAS_WORKSPACE_CONFIG=:4096:8 or :16:8";
  auto begin = what.find_first_not_of(' ', what.find_last_of("\n:", end) + 1); // npos + 1 is 0
  return "the operator " + what.substr(begin, end - begin) + " has no deterministic form";
}

inline int fail(int code, const std::string &what, char **msg) {
  if (msg) *msg = dup(code == CT_ENONDET ? nondeterministic(what) : what);
  return code;
}

// An argument that the schema refuses, or another error of ours: our own text, no libtorch prose around it.
struct bad_argument : std::exception {
  std::string text;
  int code;
  explicit bad_argument(std::string t, int c = CT_EARG) : text(std::move(t)), code(c) {}
  const char *what() const noexcept override { return text.c_str(); }
};

// The number of OpenMP threads belongs to an OS thread, and Go moves goroutines between those: without this, half of the
// calls would run with another number of threads than was asked for, and sum in another order.
void adopt_threads();

template <class F> int guard(char **msg, F &&body) noexcept {
  try {
    adopt_threads();
    body();
    return CT_OK;
  } catch (const bad_argument &e) {
    return fail(e.code, e.text, msg);
  } catch (const c10::NotImplementedError &e) {
    return fail(CT_ENOTIMPL, e.what_without_backtrace(), msg);
  } catch (const c10::Error &e) {
    std::string s = e.what_without_backtrace();
    return fail(code_of(s), s, msg);
  } catch (const std::exception &e) {
    return fail(code_of(e.what()), e.what(), msg);
  } catch (...) {
    return fail(CT_EGENERIC, "unknown C++ exception", msg);
  }
}

// Handles. wrap makes one of a tensor, which is counted until ct_tensor_free; borrow reads one without owning it.
// Bytes are numel * itemsize over live handles, so a view counts as if it owned its elements.
void count(int64_t tensors, int64_t bytes) noexcept;

inline int64_t bytes_of(const c10::TensorImpl *t) {
  return t->numel() * static_cast<int64_t>(t->dtype().itemsize());
}

inline ct_handle wrap(at::Tensor t) {
  if (!t.defined()) return 0;
  count(1, bytes_of(t.unsafeGetTensorImpl()));
  return reinterpret_cast<ct_handle>(t.unsafeReleaseTensorImpl());
}

inline at::Tensor borrow(ct_handle h) {
  if (h == 0) return at::Tensor();
  using ptr = c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;
  return at::Tensor(ptr::reclaim_copy(reinterpret_cast<c10::TensorImpl *>(h)));
}

inline c10::Device device_of(int64_t p) {
  return c10::Device(static_cast<c10::DeviceType>(p >> 8), static_cast<c10::DeviceIndex>((p & 0xff) - 1));
}

bool in_second_order() noexcept; // this thread is in a region for gradients of gradients, without autocast

void check_modes(); // throws in the invariants build when this thread was left in a mode

} // namespace ct

#define CT_GUARD(...) return ct::guard(msg, [&]() { __VA_ARGS__ })
