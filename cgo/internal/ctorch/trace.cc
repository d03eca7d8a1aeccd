// TorchScript of what Go code computes: libtorch's tracer records the operators that are called on this thread.
#include "guard.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_pooling.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <memory>
#include <sstream>
#include <vector>

namespace {

using c10::IValue;
using torch::jit::Module;

constexpr const char *prefix = "__torch__.tigas.";

Module part(const std::shared_ptr<torch::jit::CompilationUnit> &unit, const std::string &name) {
  Module m(c10::QualifiedName(prefix + name), unit);
  m.register_attribute("training", c10::BoolType::get(), false);
  return m;
}

// The module that a dotted name's tensor belongs to, made if it is not there; path becomes the last part of the name.
Module owner(Module m, const std::shared_ptr<torch::jit::CompilationUnit> &unit, std::string &path) {
  std::string type = "Net";
  for (size_t dot; (dot = path.find('.')) != std::string::npos; path.erase(0, dot + 1)) {
    std::string name = path.substr(0, dot);
    type += "_" + name;
    if (!m.hasattr(name)) m.register_module(name, part(unit, type));
    m = m.attr(name).toModule();
  }
  return m;
}

} // namespace

int ct_jit_module(const char *const *names, const ct_handle *tensors, const int *kinds, int n, void **out, char **msg) {
  CT_GUARD({
    auto unit = std::make_shared<torch::jit::CompilationUnit>();
    Module root = part(unit, "Net");
    for (int i = 0; i < n; i++) {
      std::string name = names[i];
      Module m = owner(root, unit, name);
      if (m.hasattr(name)) throw ct::bad_argument(std::string("got two tensors ") + names[i]);
      if (kinds[i] == 0) m.register_parameter(name, ct::borrow(tensors[i]), false);
      else m.register_buffer(name, ct::borrow(tensors[i]));
    }
    *out = new Module(root);
  });
}

int ct_jit_trace(void *m, const char *method, const char *const *arg_names, const ct_handle *args, int n, uintptr_t call,
                 char **msg) {
  CT_GUARD({
    ct::check_modes();
    if (torch::jit::tracer::isTracing()) throw ct::bad_argument("a trace inside another one"); // libtorch would give up both
    Module &self = *static_cast<Module *>(m);
    torch::jit::Stack inputs;
    std::vector<std::string> names;
    for (int i = 0; i < n; i++) {
      inputs.emplace_back(ct::borrow(args[i]));
      names.emplace_back(arg_names[i]);
    }
    auto run = [&](torch::jit::Stack in) {
      std::vector<ct_handle> handles;
      for (const IValue &v : in) handles.push_back(ct::wrap(v.toTensor())); // Go's from here on
      ct_handle *results = nullptr;
      int count = 0;
      if (char *text = ct_traced(call, handles.data(), n, &results, &count)) {
        std::string what = text;
        std::free(text);
        throw ct::bad_argument(what);
      }
      std::vector<IValue> values;
      for (int i = 0; i < count; i++) values.emplace_back(ct::borrow(results[i]));
      std::free(results);
      if (count == 1) return torch::jit::Stack{values[0]};
      return torch::jit::Stack{IValue(c10::ivalue::Tuple::create(std::move(values)))};
    };
    auto nameless = [](const at::Tensor &) { return std::string(); };
    auto graph = torch::jit::tracer::trace(std::move(inputs), run, nameless, true, false, &self, names).first->graph;
    torch::jit::EliminateDeadCode(graph);
    torch::jit::ConstantPooling(graph);
    auto function = self._ivalue()->compilation_unit()->create_function(c10::QualifiedName(*self.type()->name(), method), graph);
    self.type()->addMethod(function);
  });
}

int ct_jit_source(void *m, const char *source, char **msg) { CT_GUARD({ static_cast<Module *>(m)->define(source); }); }

// Who computes for several devices must not have one in the graph as a constant; this finds them.
int ct_jit_graph(void *m, const char *method, char **text, char **msg) {
  CT_GUARD({
    std::ostringstream s;
    s << *static_cast<Module *>(m)->get_method(method).graph();
    *text = ct::dup(s.str());
  });
}
