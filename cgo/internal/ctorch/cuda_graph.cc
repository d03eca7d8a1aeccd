// CUDA graphs: what a stream is given is recorded once and then queued again as a whole.
//
// libtorch's own class does that, because its cache must keep the memory and its generators must move on. Its header wants
// CUDA's, which a build for every host does not have, so its methods are looked up by their C++ names when they are first
// needed. They have been the same from 2.1 on, but for the constructor; an older or later libtorch without them has no
// graphs here, which is an error that the caller can live with.
#include "cuda.h"
#include "retry.h"

#include <ATen/core/Generator.h>
#include <dlfcn.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

namespace {

using pool_id = std::pair<unsigned long long, unsigned long long>; // c10::MempoolId_t

ct::graph_api found; // in libtorch_cuda

void look_up() {
  static std::once_flag once;
  std::call_once(once, [] {
    auto find = [](auto &f, const char *name) { f = reinterpret_cast<std::remove_reference_t<decltype(f)>>(dlsym(RTLD_DEFAULT, name)); };
    ct::graph_api &g = found;
    find(g.make, "_ZN2at4cuda9CUDAGraphC1Eb"); // (bool keep_graph), from 2.8 on
    if (!g.make) find(g.make, "_ZN2at4cuda9CUDAGraphC1Ev");
    find(g.destroy, "_ZN2at4cuda9CUDAGraphD1Ev");
    find(g.begin, "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode");
    find(g.end, "_ZN2at4cuda9CUDAGraph11capture_endEv");
    find(g.replay, "_ZN2at4cuda9CUDAGraph6replayEv");
    find(g.pool, "_ZN2at4cuda9CUDAGraph4poolEv");
    if (!g.pool) find(g.pool, "_ZNK2at4cuda9CUDAGraph4poolEv");
    // An inline function, so that there may be its variable only.
    g.waits = static_cast<int *>(dlsym(RTLD_DEFAULT, "_ZZN3c104cuda13warning_stateEvE14warning_state_"));
    int *(*state)() = nullptr;
    find(state, "_ZN3c104cuda13warning_stateEv");
    if (!g.waits && state) g.waits = state();
    find(g.adopt, "_ZN2at4cuda9CUDAGraph24register_generator_stateERKNS_9GeneratorE");
  });
}

// Without adopt generators register by themselves, as they do in later versions.
bool usable(const ct::graph_api &g) { return g.make && g.destroy && g.begin && g.end && g.replay; }

// Room for the object, whose size is not known here: it has about 200 bytes in 2.6 and 300 in 2.14.
constexpr size_t object_size = 4096;

std::atomic<int> capturing{0};

struct Graph {
  alignas(64) unsigned char object[object_size] = {};
  int device = 0;
  bool made = false, open = false;
  bool spoiled = false; // its capture could not be ended: libtorch's cache still refers to it, so it must stay where it is

  ~Graph() {
    if (made) ct::graphs().destroy(object);
  }
};

// While something is recorded, an operation that waits for the device fails by itself. Left to CUDA it would make the capture
// invalid, from which libtorch's cache does not recover. c10::cuda::WarningState is an int: 2 makes an error of waiting.
int before = 0;

void refuse_waits(bool on) {
  if (!ct::graphs().waits) return;
  int &mode = *ct::graphs().waits;
  if (on) before = mode;
  mode = on ? 2 : before;
}

} // namespace

ct::graph_api &ct::graphs() {
  static graph_api api;
  if (!api.begin) { // nor has a test put its own in place
    look_up();
    api = found;
  }
  return api;
}

bool ct::is_capturing() noexcept { return capturing.load(std::memory_order_relaxed) > 0; }

std::string ct::graphs_not_found() {
  const graph_api &g = graphs();
  if (!usable(g)) return "CUDA graphs: libtorch_cuda has no at::cuda::CUDAGraph of the form that is known\n";
  std::string s;
  if (!g.pool) s += "CUDA graphs: there are some, but they cannot share their memory\n";
  if (!g.waits) s += "CUDA graphs: there are some, but a step that waits for the device is found out by CUDA, and ends the run\n";
  return s;
}

int ct_graph_begin(int device, const ct_handle *generators, int n, void *beside, void **out, char **msg) {
  *out = nullptr;
  CT_GUARD({
    ct::cuda_device(device);
    if (!usable(ct::graphs()))
      throw ct::bad_argument("libtorch_cuda has no at::cuda::CUDAGraph of the form that is known", CT_ENOTIMPL);
    if (ct::is_capturing()) throw ct::bad_argument("something is being recorded already");
    ct::graph_api &api = ct::graphs();
    auto g = std::make_unique<Graph>();
    g->device = device;
    api.make(g->object, false);
    g->made = true;
    for (int i = 0; i < n && api.adopt; i++) api.adopt(g->object, *reinterpret_cast<const at::Generator *>(generators[i]));
    // What other threads do meanwhile, such as asking whether a copy is done, is no part of it and does not spoil it.
    constexpr int thread_local_mode = 1; // cudaStreamCaptureModeThreadLocal
    const bool shares = beside && api.pool;
    api.begin(g->object, shares ? api.pool(static_cast<Graph *>(beside)->object) : pool_id{0, 0}, thread_local_mode);
    g->open = true;
    capturing.fetch_add(1);
    refuse_waits(true);
    *out = g.release();
  });
}

int ct_graph_end(void *p, char **msg) {
  CT_GUARD({
    auto *g = static_cast<Graph *>(p);
    if (!g->open) throw ct::bad_argument("the graph was ended before");
    g->open = false;
    refuse_waits(false);
    capturing.fetch_sub(1);
    g->spoiled = true;
    ct::graphs().end(g->object);
    g->spoiled = false;
  });
}

int ct_graph_replay(void *p, char **msg) {
  CT_GUARD({ ct::graphs().replay(static_cast<Graph *>(p)->object); });
}

void ct_graph_free(void *p) {
  auto *g = static_cast<Graph *>(p);
  // One that is lost while another is recorded stays, since waiting for the device would spoil that.
  if (!g || g->spoiled || g->open || ct::is_capturing()) return;
  ct::guard(nullptr, [&] {
    ct_cuda_synchronize(g->device, nullptr); // it may still be running
    delete g;
  });
}
