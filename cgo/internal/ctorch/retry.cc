// What may be tried again when a device was short of memory, and how often that happened.
#include "retry.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/enum_tag.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <atomic>

namespace {

std::atomic<int64_t> tried{0};
std::atomic<int64_t> helped{0};

bool has(const std::string &s, const char *part) { return s.find(part) != std::string::npos; }

int index_of(const c10::FunctionSchema &s, const char *name) {
  auto i = s.argumentIndexWithName(name);
  return i ? static_cast<int>(*i) : -1;
}

bool draws(const c10::FunctionSchema &s) {
  for (const auto &a : s.arguments()) {
    c10::TypePtr t = a.type();
    if (t->kind() == c10::TypeKind::OptionalType) t = t->castRaw<c10::OptionalType>()->getElementType();
    if (t->kind() == c10::TypeKind::GeneratorType) return true;
  }
  auto h = c10::Dispatcher::singleton().findSchema({s.name(), s.overload_name()});
  return h && h->hasTag(at::Tag::nondeterministic_seeded);
}

bool repeatable_node(torch::jit::Node *n) {
  using namespace torch::jit;
  for (Block *b : n->blocks())
    for (Node *inner : b->nodes())
      if (!repeatable_node(inner)) return false;
  const c10::FunctionSchema *s = n->maybeSchema();
  if (!s || n->kind().is_prim()) {
    // What prim nodes do beyond computing: printing, writing attributes, calls that could not be inlined. A failed assert
    // ends the call either way.
    if (n->hasAttribute(attr::Subgraph) || n->kind() == prim::CallMethod || n->kind() == prim::CallFunction) return false;
    return n->kind() == prim::RaiseException || !n->hasSideEffects();
  }
  return ct::repeatable(
      *s, [&](int i) { return !n->input(i)->mustBeNone(); },
      [&](int i) {
        auto v = toIValue(n->input(i));
        return v && v->isBool() && !v->toBool();
      });
}

} // namespace

bool ct::repeatable(const c10::FunctionSchema &s, const std::function<bool(int)> &given, const std::function<bool(int)> &off) {
  if (s.name().rfind("aten::", 0) != 0) return false; // operators of others may do anything, and wait for other processes
  if (s.is_mutable() || has(s.name(), "rnn")) return false; // _cudnn_rnn advances the state of its dropout
  // Evaluating neither drops out nor updates statistics.
  for (const char *name : {"train", "training", "use_input_stats"})
    if (int i = index_of(s, name); i >= 0 && off(i)) return true;
  // Statistics are updated in place although the schema of 1.13 to 2.14 does not say so.
  for (const char *name : {"running_mean", "running_var"})
    if (int i = index_of(s, name); i >= 0 && given(i)) return false;
  return !draws(s);
}

bool ct::repeatable(const std::shared_ptr<torch::jit::Graph> &graph) {
  for (torch::jit::Node *n : graph->nodes())
    if (!repeatable_node(n)) return false;
  return true;
}

bool ct::worth_another(const std::exception &e, const std::function<bool()> &may) noexcept {
  try {
    return can_empty_cache() && may();
  } catch (...) {
    return false; // the first error is the one to report
  }
}

void ct::again(const std::function<void()> &body) {
  tried.fetch_add(1, std::memory_order_relaxed);
  empty_cache();
  try {
    body();
  } catch (const std::exception &e) {
    std::string what = text_of(e);
    if (!device_is_short(what)) throw;
    throw bad_argument("after one retry with an emptied cache: " + what, CT_EOOM);
  }
  helped.fetch_add(1, std::memory_order_relaxed);
}

void ct_retries(int64_t *t, int64_t *h) {
  *t = tried.load(std::memory_order_relaxed);
  *h = helped.load(std::memory_order_relaxed);
}
