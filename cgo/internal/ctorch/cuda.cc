// Devices, streams and events of CUDA.
#include "cuda.h"

#include <dlfcn.h>

#include <mutex>
#include <vector>

using c10::impl::DeviceGuardImplInterface;

namespace {

thread_local int on_depth = 0;

const DeviceGuardImplInterface *registered() {
  return c10::impl::device_guard_impl_registry[static_cast<size_t>(c10::DeviceType::CUDA)].load();
}

c10::Stream stream_of(int device, int64_t id) {
  return c10::Stream(c10::Stream::UNSAFE, ct::cuda_device(device), id);
}

struct Name {
  const char *name;
  void **to;
};

#define CT_NAME(name, field) {name, reinterpret_cast<void **>(&ct::driver().field)}

// scripts/compat_cuda.sh looks for these in the real libraries.
std::vector<Name> runtime_names() {
  return {CT_NAME("cudaGetErrorString", error_string), CT_NAME("cudaMemGetInfo", mem_get_info),
#if !CT_TORCH_AT_LEAST(2, 6) // later ones have them in the guard
          CT_NAME("cudaDeviceSynchronize", device_synchronize), CT_NAME("cudaEventSynchronize", event_synchronize),
          CT_NAME("cudaEventElapsedTime", event_elapsed),
#endif
  };
}

std::vector<Name> driver_names() {
  return {CT_NAME("cuInit", init), CT_NAME("cuDeviceGet", device_get), CT_NAME("cuDeviceGetName", device_name),
          CT_NAME("cuDeviceTotalMem_v2", device_total), CT_NAME("cuDeviceGetAttribute", device_attribute)};
}

void look_up() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (const Name &n : runtime_names())
      if (!*n.to) *n.to = dlsym(RTLD_DEFAULT, n.name);
    void *lib = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    for (const Name &n : driver_names())
      if (lib && !*n.to) *n.to = dlsym(lib, n.name);
  });
}

int attribute(int number, int device) {
  int v = 0;
  ct::check_cuda(ct::wanted(ct::driver().device_attribute, "cuDeviceGetAttribute")(&v, number, device), "cuDeviceGetAttribute");
  return v;
}

} // namespace

const DeviceGuardImplInterface &ct::cuda() {
  const auto *g = registered();
  if (!g || g->deviceCount() == 0) throw bad_argument("no CUDA", CT_ENOCUDA);
  look_up();
  return *g;
}

bool ct::cuda_library() { return registered() != nullptr; }

c10::Device ct::cuda_device(int index) {
  int n = cuda().deviceCount();
  if (index < 0 || index >= n)
    throw bad_argument("got device cuda:" + std::to_string(index) + " vs " + std::to_string(n) + " CUDA device(s)");
  return c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
}

ct::driver_api &ct::driver() {
  static driver_api api;
  return api;
}

std::string ct::not_found() {
  look_up();
  std::string s;
  for (const auto &names : {runtime_names(), driver_names()})
    for (const Name &n : names)
      if (!*n.to) s += std::string(n.name) + "\n";
  return s;
}

void ct::check_cuda(int code, const char *what) {
  if (code == 0) return;
  std::string text = "error " + std::to_string(code);
  if (auto *f = driver().error_string) text += std::string(", ") + f(code); // both number their errors alike
  throw bad_argument(std::string(what) + ": CUDA " + text, CT_EGENERIC);
}

void ct::check_stream() {
  const auto *g = registered();
  if (!g || on_depth > 0 || g->deviceCount() == 0) return;
  c10::Device d = g->getDevice();
  if (g->getStream(d) != g->getDefaultStream(d)) throw bad_argument("this OS thread was left on a stream outside any region");
}

int ct_cuda_properties(int device, ct_cuda_props *out, char **msg) {
  CT_GUARD({
    int index = ct::cuda_device(device).index();
    ct::driver_api &d = ct::driver();
    int dev = 0;
    size_t total = 0;
    ct::check_cuda(ct::wanted(d.init, "cuInit")(0), "cuInit");
    ct::check_cuda(ct::wanted(d.device_get, "cuDeviceGet")(&dev, index), "cuDeviceGet");
    ct::check_cuda(ct::wanted(d.device_name, "cuDeviceGetName")(out->name, sizeof out->name, dev), "cuDeviceGetName");
    ct::check_cuda(ct::wanted(d.device_total, "cuDeviceTotalMem_v2")(&total, dev), "cuDeviceTotalMem_v2");
    out->name[sizeof out->name - 1] = 0;
    out->total = static_cast<int64_t>(total);
    // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR, _MULTIPROCESSOR_COUNT
    out->major = attribute(75, dev);
    out->minor = attribute(76, dev);
    out->processors = attribute(16, dev);
  });
}

int ct_cuda_current(int *device, char **msg) { CT_GUARD({ *device = ct::cuda().getDevice().index(); }); }

int ct_cuda_synchronize(int device, char **msg) {
  CT_GUARD({
    const auto &g = ct::cuda();
    c10::Device d = ct::cuda_device(device);
#if CT_TORCH_AT_LEAST(2, 6)
    g.synchronizeDevice(d.index());
#else
    c10::Device before = g.exchangeDevice(d);
    int code = ct::wanted(ct::driver().device_synchronize, "cudaDeviceSynchronize")();
    g.setDevice(before);
    ct::check_cuda(code, "cudaDeviceSynchronize");
#endif
  });
}

int ct_stream_get(int device, int pool, int64_t *stream, char **msg) {
  CT_GUARD({
    const auto &g = ct::cuda();
    c10::Device d = ct::cuda_device(device);
    *stream = (pool == 0   ? g.getDefaultStream(d)
               : pool == 3 ? g.getStream(d)
                           : g.getStreamFromGlobalPool(d, pool == 2))
                  .id();
  });
}

int ct_stream_query(int device, int64_t stream, int *done, char **msg) {
  CT_GUARD({ *done = ct::cuda().queryStream(stream_of(device, stream)); });
}

int ct_stream_synchronize(int device, int64_t stream, char **msg) {
  CT_GUARD({ ct::cuda().synchronizeStream(stream_of(device, stream)); });
}

int ct_stream_record(int device, int64_t stream, ct_handle h, char **msg) {
  CT_GUARD({
    at::Tensor t = ct::borrow(h);
    if (!t.is_cuda()) throw ct::bad_argument("got a tensor on " + t.device().str() + " vs one on CUDA");
    ct::cuda().recordDataPtrOnStream(t.storage().data_ptr(), stream_of(device, stream));
  });
}

int ct_cuda_enter(int device, const int64_t *stream, ct_on *saved, char **msg) {
  CT_GUARD({
    const auto &g = ct::cuda();
    c10::Device d = ct::cuda_device(device);
    c10::Stream to = stream ? stream_of(device, *stream) : g.getStream(d);
    saved->thread = reinterpret_cast<int64_t>(&on_depth);
    saved->device = device;
    saved->device_before = g.exchangeDevice(d).index();
    saved->stream_before = g.exchangeStream(to).id();
    on_depth++;
  });
}

int ct_cuda_leave(const ct_on *saved, char **msg) {
  CT_GUARD({
    if (saved->thread != reinterpret_cast<int64_t>(&on_depth))
      throw ct::bad_argument("a region ended on another OS thread than it began on");
    on_depth--;
    const auto &g = ct::cuda();
    g.exchangeStream(stream_of(saved->device, saved->stream_before));
    g.setDevice(ct::cuda_device(saved->device_before));
  });
}

int ct_event_record(void **event, int device, int64_t stream, char **msg) {
  // The flag stands for an event with a time.
  CT_GUARD({ ct::cuda().record(event, stream_of(device, stream), static_cast<c10::DeviceIndex>(device), c10::EventFlag::BACKEND_DEFAULT); });
}

int ct_event_block(void *event, int device, int64_t stream, char **msg) {
  CT_GUARD({ ct::cuda().block(event, stream_of(device, stream)); });
}

int ct_event_query(void *event, int *done, char **msg) { CT_GUARD({ *done = ct::cuda().queryEvent(event); }); }

int ct_event_synchronize(void *event, char **msg) {
  CT_GUARD({
#if CT_TORCH_AT_LEAST(2, 6)
    ct::cuda().synchronizeEvent(event);
#else
    ct::cuda();
    ct::check_cuda(ct::wanted(ct::driver().event_synchronize, "cudaEventSynchronize")(event), "cudaEventSynchronize");
#endif
  });
}

int ct_event_elapsed(void *start, void *end, int device, double *ms, char **msg) {
  CT_GUARD({
#if CT_TORCH_AT_LEAST(2, 6)
    *ms = ct::cuda().elapsedTime(start, end, ct::cuda_device(device).index());
#else
    ct::cuda_device(device);
    float f = 0;
    ct::check_cuda(ct::wanted(ct::driver().event_elapsed, "cudaEventElapsedTime")(&f, start, end), "cudaEventElapsedTime");
    *ms = f;
#endif
  });
}

void ct_event_free(void *event, int device) {
  if (const auto *g = registered(); g && event) g->destroyEvent(event, static_cast<c10::DeviceIndex>(device));
}
