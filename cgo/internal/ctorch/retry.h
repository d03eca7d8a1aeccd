// A second try where a device was short of memory: once, with libtorch's cache emptied.
#pragma once

#include "guard.h"

#include <functional>
#include <memory>

namespace c10 {
struct FunctionSchema;
}
namespace torch::jit {
struct Graph;
}

namespace ct {

// May an operator that failed be called again with the same arguments? Not if it may have changed one of them already, nor
// if it may have drawn random numbers, which the second call would not draw again. given: argument i is a tensor; off:
// argument i is known to be false.
bool repeatable(const c10::FunctionSchema &s, const std::function<bool(int)> &given, const std::function<bool(int)> &off);

// The same of everything in a graph that calls nothing else.
bool repeatable(const std::shared_ptr<torch::jit::Graph> &graph);

bool can_empty_cache() noexcept; // cuda_memory.cc
void empty_cache();

inline std::string text_of(const std::exception &e) {
  auto *c = dynamic_cast<const c10::Error *>(&e);
  return c ? c->what_without_backtrace() : e.what();
}

// Is it worth another try? It never throws: it is called while an exception is handled.
bool worth_another(const std::exception &e, const std::function<bool()> &may) noexcept;
void again(const std::function<void()> &body);

// Runs body, and once more when a device was short of memory and may() allows it. The happy path costs nothing.
template <class Body, class May> void with_retry(Body &&body, May &&may) {
  try {
    body();
    return;
  } catch (const std::exception &e) {
    if (!device_is_short(text_of(e)) || !worth_another(e, may)) throw;
  }
  again(body); // after the handler, so that the exception and what it held are gone
}

} // namespace ct
