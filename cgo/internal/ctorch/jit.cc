// TorchScript: load, define, freeze, call. Kept apart from the rest: upstream calls TorchScript deprecated since 2.11.
#include "retry.h"

#include <ATen/core/Generator.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/export.h>
#include <torch/csrc/jit/serialization/import.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <streambuf>
#include <vector>

namespace {

using c10::IValue;
using torch::jit::Module;

Module &mod(void *m) { return *static_cast<Module *>(m); }
IValue &val(void *v) { return *static_cast<IValue *>(v); }

// Reads the caller's bytes in place.
struct membuf : std::streambuf {
  membuf(const void *data, int64_t n) {
    char *p = const_cast<char *>(static_cast<const char *>(data));
    setg(p, p, p + n);
  }
  pos_type seekoff(off_type off, std::ios_base::seekdir dir, std::ios_base::openmode) override {
    char *base = dir == std::ios_base::beg ? eback() : dir == std::ios_base::cur ? gptr() : egptr();
    if (off < eback() - base || off > egptr() - base) return pos_type(off_type(-1));
    setg(eback(), base + off, egptr());
    return gptr() - eback();
  }
  pos_type seekpos(pos_type p, std::ios_base::openmode m) override { return seekoff(off_type(p), std::ios_base::beg, m); }
};

// The arguments' types are the callee's business: numbers go as they come.
IValue argument(const ct_val &v, const int64_t *words, const char *bytes) {
  switch (v.tag) {
  case CT_NONE: return IValue();
  case CT_TENSOR: return IValue(ct::borrow(v.p));
  case CT_INT: return IValue(v.p);
  case CT_FLOAT: {
    double d;
    std::memcpy(&d, &v.p, 8);
    return IValue(d);
  }
  case CT_BOOL: return IValue(v.p != 0);
  case CT_STRING: return IValue(std::string(bytes + v.p, v.n));
  case CT_INTS: return IValue(std::vector<int64_t>(words + v.p, words + v.p + v.n));
  case CT_DEVICE: return IValue(ct::device_of(v.p));
  case CT_TENSORS: {
    c10::List<at::Tensor> l;
    for (int k = 0; k < v.n; k++) {
      if (words[v.p + k] == 0) throw ct::bad_argument("a list with a nil tensor cannot go to TorchScript");
      l.push_back(ct::borrow(words[v.p + k]));
    }
    return IValue(l);
  }
  }
  throw ct::bad_argument("an argument of this kind cannot go to TorchScript");
}

template <class List> void collect(const List &l, std::vector<at::Tensor> *t, std::string *names) {
  for (const auto &n : l) {
    t->push_back(n.value);
    *names += n.name + "\n";
  }
}

void ops_of(torch::jit::Block *b, std::set<std::string> *names) {
  for (torch::jit::Node *n : b->nodes()) {
    names->insert(n->kind().toQualString());
    for (torch::jit::Block *inner : n->blocks()) ops_of(inner, names);
  }
}

// A method's graph with everything that it calls.
std::shared_ptr<torch::jit::Graph> inlined(const torch::jit::Method &m) {
  auto graph = m.graph()->copy();
  // What has been called once is inlined with its own calls left as they are; methods do not call themselves.
  for (int depth = 0; depth < 256; depth++) {
    torch::jit::Inline(*graph);
    std::set<std::string> names;
    ops_of(graph->block(), &names);
    if (!names.count("prim::CallMethod") && !names.count("prim::CallFunction")) break;
  }
  return graph;
}

} // namespace

int ct_jit_load(const void *data, int64_t n, int device, void **out, char **msg) {
  CT_GUARD({
    membuf buf(data, n);
    std::istream in(&buf);
    *out = new Module(torch::jit::load(in, ct::device_of(device)));
  });
}

int ct_jit_define(const char *const *names, const ct_handle *tensors, const int *kinds, int n, void *inner,
                  const char *source, void **out, char **msg) {
  CT_GUARD({
    std::unique_ptr<Module> m;
    if (inner) {
      // One compilation unit for both, or the types of the inner module would be unknown to the outer one.
      m = std::make_unique<Module>("__torch__.tigas.Outer", mod(inner)._ivalue()->compilation_unit(), true);
      m->register_module("net", mod(inner));
    } else {
      m = std::make_unique<Module>("__torch__.tigas.Net");
    }
    m->register_attribute("training", c10::BoolType::get(), true);
    for (int i = 0; i < n; i++) {
      if (kinds[i] == 0) m->register_parameter(names[i], ct::borrow(tensors[i]), false);
      else m->register_buffer(names[i], ct::borrow(tensors[i]));
    }
    m->define(source);
    *out = m.release();
  });
}

// Where an archive goes. It must not throw: the archive's destructor writes its end, and would throw again.
struct sink {
  int fd;
  int err = 0;
  char *data = nullptr;
  size_t n = 0, room = 0;
  ~sink() { std::free(data); }

  size_t write(const void *p, size_t len) {
    if (err) return len;
    return fd >= 0 ? to_file(static_cast<const char *>(p), len) : to_memory(p, len);
  }
  size_t to_file(const char *p, size_t len) {
    for (size_t done = 0; done < len;) {
      ssize_t k = ::write(fd, p + done, len - done);
      if (k < 0 && errno == EINTR) continue;
      if (k <= 0) {
        err = k < 0 ? errno : EIO;
        break;
      }
      done += static_cast<size_t>(k);
    }
    return len;
  }
  size_t to_memory(const void *p, size_t len) {
    if (n + len > room) {
      size_t want = std::max(n + len, room + room / 4);
      char *more = static_cast<char *>(std::realloc(data, want));
      if (!more) {
        err = ENOMEM;
        return len;
      }
      data = more;
      room = want;
    }
    std::memcpy(data + n, p, len);
    n += len;
    return len;
  }
};

int ct_jit_save(void *m, const char *const *extra, int nextra, int fd, int *err, void **data, int64_t *n, char **msg) {
  CT_GUARD({
    torch::jit::ExtraFilesMap files;
    for (int i = 0; i < nextra; i++) files[extra[2 * i]] = extra[2 * i + 1];
    sink to{fd};
    std::function<size_t(const void *, size_t)> write = [&](const void *p, size_t len) { return to.write(p, len); };
    torch::jit::ExportModule(mod(m), write, files);
    *err = to.err;
    if (to.err) throw ct::bad_argument(std::string("write: ") + std::strerror(to.err));
    *n = static_cast<int64_t>(to.n);
    *data = to.data;
    to.data = nullptr;
  });
}

int ct_jit_freeze(void *m, void **out, char **msg) { CT_GUARD({ *out = new Module(torch::jit::freeze(mod(m))); }); }

// deepcopy clones tensors as any operation does: recorded, the copies would be results of the originals; unrecorded, they
// lose requires_grad.
int ct_jit_clone(void *m, void **out, char **msg) {
  CT_GUARD({
    at::NoGradGuard plain;
    auto c = std::make_unique<Module>(mod(m).deepcopy());
    auto settle = [](auto from, auto to) {
      auto f = from.begin();
      for (const at::Tensor &t : to) {
        t.requires_grad_((*f).requires_grad());
        ++f;
      }
    };
    settle(mod(m).parameters(), c->parameters());
    settle(mod(m).buffers(), c->buffers());
    *out = c.release();
  });
}

int ct_jit_train(void *m, int on, char **msg) { CT_GUARD({ mod(m).train(on != 0); }); }

int ct_jit_is_training(void *m, int *on, char **msg) {
  CT_GUARD({ *on = mod(m).hasattr("training") && mod(m).is_training(); });
}

int ct_jit_to(void *m, int device, int dtype, char **msg) {
  CT_GUARD({
    // Not Module::to, which converts integers too. Tensors that are the same memory stay that.
    std::map<std::pair<void *, at::ScalarType>, at::Tensor> moved;
    auto move = [&](const at::Tensor &t) {
      auto type = dtype >= 0 && t.is_floating_point() ? static_cast<at::ScalarType>(dtype) : t.scalar_type();
      at::Tensor plain = t.detach();
      if (plain.scalar_type() == type && plain.device() == ct::device_of(device)) return;
      at::Tensor &to = moved[{plain.numel() ? plain.data_ptr() : t.unsafeGetTensorImpl(), plain.scalar_type()}];
      if (!to.defined() || to.sizes() != plain.sizes() || to.strides() != plain.strides())
        to = plain.to(ct::device_of(device), type);
      if (t.grad().defined()) t.mutable_grad() = t.grad().to(ct::device_of(device), type);
      t.set_data(to);
    };
    for (const at::Tensor &t : mod(m).parameters()) move(t);
    for (const at::Tensor &t : mod(m).buffers()) move(t);
  });
}

int ct_jit_methods(void *m, char **text, char **msg) {
  CT_GUARD({
    std::string s;
    for (const auto &f : mod(m).get_methods()) s += f.name() + "\n";
    *text = ct::dup(s);
  });
}

int ct_jit_ops(void *m, const char *method, char **text, char **msg) {
  CT_GUARD({
    std::set<std::string> names;
    ops_of(inlined(mod(m).get_method(method))->block(), &names);
    std::string s;
    for (const auto &name : names) s += name + "\n";
    *text = ct::dup(s);
  });
}

int ct_jit_schema(void *m, const char *method, char **text, char **msg) {
  CT_GUARD({
    std::ostringstream s;
    s << mod(m).get_method(method).function().getSchema();
    *text = ct::dup(s.str());
  });
}

int ct_jit_tensors(void *m, int buffers, ct_handle **handles, char **names, int *n, char **msg) {
  CT_GUARD({
    std::vector<at::Tensor> t;
    std::string s;
    if (buffers) collect(mod(m).named_buffers(true), &t, &s);
    else collect(mod(m).named_parameters(true), &t, &s);
    auto *h = static_cast<ct_handle *>(std::malloc(sizeof(ct_handle) * (t.size() + 1)));
    if (!h) throw std::bad_alloc();
    for (size_t i = 0; i < t.size(); i++) h[i] = ct::wrap(t[i]);
    *handles = h;
    *n = static_cast<int>(t.size());
    *names = ct::dup(s);
  });
}

int ct_jit_call(void *m, const char *method, const ct_val *args, int nargs, const int64_t *words, const char *bytes,
                void **out, char **msg) {
  CT_GUARD({
    ct::check_modes();
    // Plain interpretation: the same kernels as eager calls, no profiling runs, no fuser that compiles on the second
    // call, and safe for several threads at once.
    torch::jit::GraphOptimizerEnabledGuard plain(false);
    auto f = mod(m).get_method(method);
    ct::with_retry(
        [&] {
          std::vector<IValue> in;
          in.reserve(nargs);
          for (int i = 0; i < nargs; i++) in.push_back(argument(args[i], words, bytes));
          *out = new IValue(f(std::move(in)));
        },
        [&] { return ct::repeatable(inlined(f)); });
  });
}

void ct_jit_free(void *m) { delete static_cast<Module *>(m); }

int ct_value_kind(void *v) {
  const IValue &x = val(v);
  if (x.isNone()) return CT_V_NONE;
  if (x.isTensor()) return CT_V_TENSOR;
  if (x.isInt()) return CT_V_INT;
  if (x.isDouble()) return CT_V_FLOAT;
  if (x.isBool()) return CT_V_BOOL;
  if (x.isString()) return CT_V_STRING;
  if (x.isTuple()) return CT_V_TUPLE;
  if (x.isList()) return CT_V_LIST;
  if (x.isGenericDict()) return CT_V_DICT;
  return CT_V_OTHER;
}

int ct_value_len(void *v) {
  const IValue &x = val(v);
  if (x.isTuple()) return static_cast<int>(x.toTupleRef().elements().size());
  if (x.isList()) return static_cast<int>(x.toListRef().size());
  if (x.isGenericDict()) return static_cast<int>(x.toGenericDict().size());
  return 0;
}

int ct_value_at(void *v, int i, void **item, char **key, char **msg) {
  *key = nullptr;
  CT_GUARD({
    const IValue &x = val(v);
    if (i < 0 || i >= ct_value_len(v)) throw ct::bad_argument("index outside the value");
    if (x.isTuple()) *item = new IValue(x.toTupleRef().elements()[i]);
    else if (x.isList()) *item = new IValue(x.toList().get(i));
    else {
      auto it = x.toGenericDict().begin();
      for (int k = 0; k < i; k++) ++it;
      if (!it->key().isString()) throw ct::bad_argument("got a dict with keys of type " + it->key().tagKind() + " vs str");
      *key = ct::dup(it->key().toStringRef());
      *item = new IValue(it->value());
    }
  });
}

int ct_value_tensor(void *v, ct_handle *out, char **msg) { CT_GUARD({ *out = ct::wrap(val(v).toTensor()); }); }
int64_t ct_value_int(void *v) { return val(v).isBool() ? val(v).toBool() : val(v).isInt() ? val(v).toInt() : 0; }
double ct_value_float(void *v) { return val(v).isDouble() ? val(v).toDouble() : 0; }
int ct_value_text(void *v, char **text, char **msg) {
  CT_GUARD({ *text = ct::dup(val(v).isString() ? val(v).toStringRef() : val(v).tagKind()); });
}
void ct_value_free(void *v) { delete static_cast<IValue *>(v); }
