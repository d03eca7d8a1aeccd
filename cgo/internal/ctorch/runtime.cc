// The process: CUDA libraries, versions, threads, random numbers.
#include "guard.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/csrc/api/include/torch/version.h>

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <mutex>
#include <stdexcept>

void ct_free(void *p) { std::free(p); }

const char *ct_version_built(void) { return TORCH_VERSION; }

// libtorch_cuda registers itself when it is loaded. The program is not linked with it (nor with libtorch, which pulls it
// in), so one binary serves hosts with and without CUDA and cuDNN. It is looked for beside libtorch_cpu and nowhere else:
// one of another release would bring its own libtorch_cpu into the process.
int ct_runtime_init(char **trace, char **msg) {
  *trace = nullptr;
  CT_GUARD({
    std::string t;
    Dl_info info;
    if (dladdr(reinterpret_cast<void *>(&at::show_config), &info) && info.dli_fname) {
      std::string cuda = info.dli_fname;
      t += "libtorch_cpu: " + cuda + "\n";
      auto at = cuda.rfind("libtorch_cpu"); // libtorch_cpu.so.2.6 goes with libtorch_cuda.so.2.6
      if (at != std::string::npos) cuda.replace(at, std::strlen("libtorch_cpu"), "libtorch_cuda");
      if (at == std::string::npos || access(cuda.c_str(), F_OK) != 0) t += "no libtorch_cuda: " + cuda + "\n";
      else if (dlopen(cuda.c_str(), RTLD_NOW | RTLD_GLOBAL)) t += "libtorch_cuda: " + cuda + "\n";
      else t += std::string("bad libtorch_cuda: ") + dlerror() + "\n";
    }
    *trace = ct::dup(t);
  });
}

int ct_config(char **text, char **msg) { CT_GUARD({ *text = ct::dup(at::show_config()); }); }

int ct_cpu_capability(char **text, char **msg) {
  CT_GUARD({
    std::string s = at::show_config(), key = "CPU capability usage: ";
    auto at = s.find(key);
    s = at == std::string::npos ? "" : s.substr(at + key.size());
    *text = ct::dup(s.substr(0, s.find('\n')));
  });
}

int ct_retain_host_memory(void) {
#ifdef __GLIBC__
  // By default a large block is mapped and unmapped anew each time, and touching its fresh pages costs more than many a
  // kernel. So: no maps, one heap that all threads share (goroutines move between threads, and memory that one thread
  // freed must serve the next), and nothing given back.
  return mallopt(M_MMAP_MAX, 0) && mallopt(M_ARENA_MAX, 1) && mallopt(M_TRIM_THRESHOLD, INT_MAX) &&
         mallopt(M_TOP_PAD, 64 << 20);
#else
  return 0;
#endif
}

// OpenBLAS built with its own threads spins between products, beside the threads of libtorch that then wait for a core:
// on two cores a third of the time went to sched_yield. Convolutions call it per image from libtorch's threads, so one
// thread for each product is right.
namespace {
std::atomic<int> wanted_threads{0}; // 0: libtorch's own default
thread_local int adopted_threads = 0;
} // namespace

void ct::adopt_threads() {
  int n = wanted_threads.load(std::memory_order_relaxed);
  if (n == adopted_threads) return;
  at::set_num_threads(n);
  adopted_threads = n;
}

int ct_set_threads(int n, char **msg) {
  CT_GUARD({
    if (n < 1) throw ct::bad_argument("got " + std::to_string(n) + " threads vs at least 1");
    wanted_threads.store(n);
    ct::adopt_threads();
    if (auto *blas = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) blas(1);
  });
}
int ct_threads(void) {
  ct::adopt_threads();
  return at::get_num_threads();
}

int ct_cuda_devices(int *n, int64_t *cudnn, char **msg) {
  *n = 0;
  *cudnn = 0;
  CT_GUARD({
    if (!at::hasCUDA()) return;
    *n = static_cast<int>(at::detail::getCUDAHooks().getNumGPUs());
    if (at::globalContext().hasCuDNN()) *cudnn = at::globalContext().versionCuDNN();
  });
}

int ct_seed(int64_t seed, char **msg) { CT_GUARD({ at::manual_seed(static_cast<uint64_t>(seed)); }); }

namespace {
at::Generator default_generator(int device) {
  c10::Device d = ct::device_of(device);
  if (d.is_cpu()) return at::detail::getDefaultCPUGenerator();
  return at::globalContext().defaultGenerator(d);
}

at::Tensor state_of(at::Generator g) {
  std::lock_guard<std::mutex> lock(g.mutex());
  return g.get_state();
}

void set_state(at::Generator g, const at::Tensor &s) {
  std::lock_guard<std::mutex> lock(g.mutex());
  g.set_state(s);
}
} // namespace

int ct_rng_state(int device, ct_handle *out, char **msg) { CT_GUARD({ *out = ct::wrap(state_of(default_generator(device))); }); }

int ct_set_rng_state(int device, ct_handle state, char **msg) {
  CT_GUARD({ set_state(default_generator(device), ct::borrow(state)); });
}

int ct_generator_new(int device, int64_t seed, ct_handle *out, char **msg) {
  CT_GUARD({
    c10::Device d = ct::device_of(device);
    at::Generator g = d.is_cpu() ? at::detail::createCPUGenerator(static_cast<uint64_t>(seed))
                                 : at::globalContext().defaultGenerator(d).clone();
    if (!d.is_cpu()) g.set_current_seed(static_cast<uint64_t>(seed));
    *out = reinterpret_cast<ct_handle>(new at::Generator(g));
  });
}

int ct_generator_state(ct_handle g, ct_handle *out, char **msg) {
  CT_GUARD({ *out = ct::wrap(state_of(*reinterpret_cast<at::Generator *>(g))); });
}

int ct_generator_set_state(ct_handle g, ct_handle state, char **msg) {
  CT_GUARD({ set_state(*reinterpret_cast<at::Generator *>(g), ct::borrow(state)); });
}

void ct_generator_free(ct_handle g) { delete reinterpret_cast<at::Generator *>(g); }

int ct_deterministic(int on, char **msg) {
  CT_GUARD({
    // cuBLAS reads it when it starts, and libtorch refuses matrix products without it. Whoever set it keeps what he set.
    if (on && setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0) != 0)
      throw std::runtime_error("cannot set CUBLAS_WORKSPACE_CONFIG");
    at::globalContext().setDeterministicAlgorithms(on != 0, /*warn_only=*/false);
    at::globalContext().setDeterministicCuDNN(on != 0);
    at::globalContext().setBenchmarkCuDNN(false); // which tries the clock for the fastest kernel
  });
}
