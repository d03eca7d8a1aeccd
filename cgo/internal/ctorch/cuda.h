// What the files about CUDA share. Devices, streams and events are reached through interfaces that libc10 has in every
// build and that libtorch_cuda fills in when it is loaded; what these lack, through C functions of CUDA's own libraries.
#pragma once

#include "guard.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <utility>

namespace at {
struct Generator;
}

namespace ct {

// The guard of CUDA; throws CT_ENOCUDA where there is none.
const c10::impl::DeviceGuardImplInterface &cuda();
bool cuda_library(); // is there one, with a GPU or without?
// A device that there is.
c10::Device cuda_device(int index);

// C functions whose names and arguments are the same in every CUDA from 11 on. They are looked up and not linked with; a
// null one is reported by ct_cuda_missing.
struct driver_api {
  // libcudart, which libtorch_cuda brings along
  const char *(*error_string)(int) = nullptr;
  int (*mem_get_info)(size_t *free, size_t *total) = nullptr;
  int (*device_synchronize)() = nullptr;
  int (*event_synchronize)(void *event) = nullptr;
  int (*event_elapsed)(float *ms, void *start, void *end) = nullptr;
  // libcuda, which is the driver's
  int (*init)(unsigned) = nullptr;
  int (*device_get)(int *device, int index) = nullptr;
  int (*device_name)(char *name, int n, int device) = nullptr;
  int (*device_total)(size_t *bytes, int device) = nullptr;
  int (*device_attribute)(int *value, int attribute, int device) = nullptr;
};
driver_api &driver();
std::string not_found(); // their names, one a line

// Throws what CUDA says of a code that is not 0.
void check_cuda(int code, const char *what);
// Throws CT_ENOTIMPL for a function that was not found.
template <class F> F *wanted(F *f, const char *name) {
  if (!f) throw bad_argument(std::string(name) + " is in none of the libraries that are loaded", CT_ENOTIMPL);
  return f;
}

// libtorch's cache of device memory. Tests have one of their own.
struct cache_api {
  bool (*there)() = nullptr;
  void (*stats)(int device, ct_cuda_stats *) = nullptr;
  void (*reset)(int device) = nullptr;
  void (*empty)() = nullptr;
};
cache_api &cache();

// Methods of at::cuda::CUDAGraph, each with the object in front; see cuda_graph.cc.
struct graph_api {
  void (*make)(void *object, bool keep_graph) = nullptr;
  void (*destroy)(void *object) = nullptr;
  void (*begin)(void *object, std::pair<unsigned long long, unsigned long long> pool, int mode) = nullptr;
  void (*end)(void *object) = nullptr;
  void (*replay)(void *object) = nullptr;
  void (*adopt)(void *object, const at::Generator &) = nullptr; // its random numbers move on with each replay
  std::pair<unsigned long long, unsigned long long> (*pool)(void *object) = nullptr;
  int *waits = nullptr; // what libtorch does where it waits for a device: c10::cuda::warning_state()
};
graph_api &graphs();
std::string graphs_not_found(); // "", or a line
bool is_capturing() noexcept;   // some stream is being recorded

void check_stream(); // throws when this thread was left on a stream outside any region; for the invariants build

} // namespace ct
