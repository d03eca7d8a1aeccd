//go:build invariants

// CUDA for tests on machines without it: two devices whose streams and events are numbers. It stands where libtorch_cuda
// would, so what is tested is the way from Go to there and back, on this libtorch. There is no memory on these devices.
#include "cuda.h"

#include <ATen/core/Generator.h>
#include <ATen/ops/add.h>
#include <torch/library.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace {

std::mutex lock; // guards what follows
std::string calls;
int64_t streams = 0, clock_ms = 0, emptied = 0;
bool hold = false;
std::atomic<int> failing{0};

struct Event {
  bool done;
  int64_t ms;
};

void note(const std::string &s) {
  std::lock_guard<std::mutex> l(lock);
  calls += s + "\n";
}

std::string name(const c10::Stream &s) { return std::to_string(s.device_index()) + ":" + std::to_string(s.id()); }

struct Fake final : c10::impl::DeviceGuardImplInterface {
  static thread_local int device;
  static thread_local int64_t stream[2];

  static c10::Device cuda(int i) { return c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(i)); }
  c10::DeviceType type() const override { return c10::DeviceType::CUDA; }
  c10::Device exchangeDevice(c10::Device d) const override {
    int before = device;
    device = d.index();
    return cuda(before);
  }
  c10::Device getDevice() const override { return cuda(device); }
  void setDevice(c10::Device d) const override { device = d.index(); }
  void uncheckedSetDevice(c10::Device d) const noexcept override { device = d.index(); }
  c10::Stream getStream(c10::Device d) const noexcept override { return c10::Stream(c10::Stream::UNSAFE, d, stream[d.index()]); }
  c10::Stream getDefaultStream(c10::Device d) const override { return c10::Stream(c10::Stream::DEFAULT, d); }
  c10::Stream getStreamFromGlobalPool(c10::Device d, bool high) const override {
    std::lock_guard<std::mutex> l(lock);
    return c10::Stream(c10::Stream::UNSAFE, d, ++streams + (high ? 1000 : 0));
  }
  c10::Stream exchangeStream(c10::Stream s) const noexcept override {
    c10::Stream before = getStream(s.device());
    stream[s.device_index()] = s.id();
    return before;
  }
  c10::DeviceIndex deviceCount() const noexcept override { return 2; }
  void record(void **event, const c10::Stream &s, const c10::DeviceIndex, const c10::EventFlag) const override {
    {
      std::lock_guard<std::mutex> l(lock);
      if (!*event) *event = new Event{};
      *static_cast<Event *>(*event) = {!hold, ++clock_ms};
    }
    note("record on " + name(s));
  }
  void block(void *, const c10::Stream &s) const override { note("block " + name(s)); }
  bool queryEvent(void *event) const override {
    std::lock_guard<std::mutex> l(lock);
    return !event || static_cast<Event *>(event)->done;
  }
  void destroyEvent(void *event, const c10::DeviceIndex) const noexcept override {
    delete static_cast<Event *>(event);
    note("destroy");
  }
  bool queryStream(const c10::Stream &) const override {
    std::lock_guard<std::mutex> l(lock);
    return !hold;
  }
  void synchronizeStream(const c10::Stream &s) const override { note("synchronize stream " + name(s)); }
#if CT_TORCH_AT_LEAST(2, 6)
  void synchronizeEvent(void *event) const override { wait(event); }
  void synchronizeDevice(const c10::DeviceIndex d) const override { note("synchronize device " + std::to_string(d)); }
  double elapsedTime(void *a, void *b, const c10::DeviceIndex) const override { return between(a, b); }
#endif

  static void wait(void *event) {
    {
      std::lock_guard<std::mutex> l(lock);
      static_cast<Event *>(event)->done = true;
    }
    note("synchronize event");
  }
  static double between(void *a, void *b) {
    std::lock_guard<std::mutex> l(lock);
    return static_cast<double>(static_cast<Event *>(b)->ms - static_cast<Event *>(a)->ms);
  }
};
thread_local int Fake::device = 0;
thread_local int64_t Fake::stream[2] = {0, 0};

const char *error_string(int) { return "planted"; }
int mem_get_info(size_t *free, size_t *total) { return *free = 3 << 20, *total = 4 << 20, 0; }
int device_synchronize() { return note("synchronize device " + std::to_string(Fake::device)), 0; }
int event_synchronize(void *event) { return Fake::wait(event), 0; }
int event_elapsed(float *ms, void *a, void *b) { return *ms = static_cast<float>(Fake::between(a, b)), 0; }
int init(unsigned) { return 0; }
int device_get(int *device, int index) { return *device = index, 0; }
int device_name(char *text, int n, int device) { return std::snprintf(text, n, "Fake %d", device), 0; }
int device_total(size_t *bytes, int) { return *bytes = 4 << 20, 0; }
int device_attribute(int *value, int attribute, int) { return *value = attribute, attribute == 1 ? 999 : 0; }

ct::cache_api fake_cache() {
  return {[] { return true; },
          [](int device, ct_cuda_stats *out) { *out = {10 + device, 20, emptied ? 10 : 30, 40, 0, 0}; },
          [](int) { note("reset peak"); },
          [] {
            emptied++;
            note("empty cache");
          }};
}

int waiting = 0;

// Graphs that only say what is done to them.
ct::graph_api fake_graphs() {
  return {[](void *, bool) { note("make graph"); },
          [](void *) { note("destroy graph"); },
          [](void *, std::pair<unsigned long long, unsigned long long> pool, int mode) {
            if (Fake::stream[Fake::device] == 0) throw std::runtime_error("graphs want another stream than the default one");
            note("begin capture " + std::to_string(mode) + (pool.first ? " shared" : ""));
          },
          [](void *) { note("end capture"); },
          [](void *) { note("replay"); },
          [](void *, const at::Generator &g) { note("adopt " + std::to_string(g.current_seed())); },
          [](void *) { return std::pair<unsigned long long, unsigned long long>(7, 0); },
          &waiting};
}

// Operators that run out of device memory as often as they were told to.
void maybe_short() {
  if (failing.load() > 0 && failing.fetch_sub(1) > 0)
    C10_THROW_ERROR(OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 4.00 MiB");
}
at::Tensor plain(const at::Tensor &x) { return maybe_short(), at::add(x, 1); }
at::Tensor draw(const at::Tensor &x, c10::optional<at::Generator>) { return maybe_short(), at::add(x, 1); }
at::Tensor &inplace(at::Tensor &x) {
  x.add_(1);
  maybe_short();
  return x;
}
at::Tensor normed(const at::Tensor &x, const c10::optional<at::Tensor> &, bool) { return maybe_short(), at::add(x, 1); }

void operators() {
  static std::once_flag once;
  std::call_once(once, [] {
    static torch::Library aten(torch::Library::FRAGMENT, "aten", c10::nullopt, __FILE__, __LINE__);
    aten.def("_ct_plain(Tensor x) -> Tensor", plain);
    aten.def("_ct_draw(Tensor x, *, Generator? generator=None) -> Tensor", draw);
    aten.def("_ct_inplace(Tensor(a!) x) -> Tensor(a!)", inplace);
    aten.def("_ct_normed(Tensor x, Tensor? running_mean, bool training) -> Tensor", normed);
    static torch::Library others(torch::Library::DEF, "ct_test", c10::nullopt, __FILE__, __LINE__);
    others.def("plain(Tensor x) -> Tensor", plain);
  });
}

ct::driver_api real_driver;
ct::cache_api real_cache;
ct::graph_api real_graphs;

} // namespace

int ct_fake_cuda(int on, char **msg) {
  CT_GUARD({
    static Fake fake;
    auto &slot = c10::impl::device_guard_impl_registry[static_cast<size_t>(c10::DeviceType::CUDA)];
    if ((slot.load() == &fake) == (on != 0)) return;
    if (on) {
      if (slot.load()) throw ct::bad_argument("there is a real CUDA library");
      ct::driver_api d;
      d.error_string = error_string;
      d.mem_get_info = mem_get_info;
      d.device_synchronize = device_synchronize;
      d.event_synchronize = event_synchronize;
      d.event_elapsed = event_elapsed;
      d.init = init;
      d.device_get = device_get;
      d.device_name = device_name;
      d.device_total = device_total;
      d.device_attribute = device_attribute;
      real_driver = std::exchange(ct::driver(), d);
      real_cache = std::exchange(ct::cache(), fake_cache());
      real_graphs = std::exchange(ct::graphs(), fake_graphs());
      slot.store(&fake);
    } else {
      slot.store(nullptr);
      ct::driver() = real_driver;
      ct::cache() = real_cache;
      ct::graphs() = real_graphs;
      failing.store(0);
      hold = false;
    }
  });
}

int ct_fake_log(char **text, char **msg) {
  CT_GUARD({
    std::lock_guard<std::mutex> l(lock);
    *text = ct::dup(calls);
    calls.clear();
  });
}

void ct_fake_hold(int on) {
  std::lock_guard<std::mutex> l(lock);
  hold = on != 0;
}

int ct_fake_short(int times, char **msg) {
  CT_GUARD({
    operators();
    failing.store(times);
  });
}
