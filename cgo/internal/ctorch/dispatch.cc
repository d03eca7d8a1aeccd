// Boxed dispatch: one entry point that calls any registered operator, checked against its schema on every call.
#include "retry.h"

#include <ATen/core/Generator.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/jit_type.h>

#include <sstream>
#include <vector>

namespace {

using c10::IValue;
using c10::TypeKind;

enum class Kind { Tensor, Tensors, OptTensors, Scalar, Int, Float, Bool, Ints, Floats, Bools, String, Device, Generator, Other };

enum class Shape { Boxed, T, TT, TS, TTS, TSS };

struct Arg {
  Kind kind;
  bool optional;
  bool has_default;
  int fixed_len; // int[2] takes one int for both
  IValue value;  // the default
};

// What the schema says, digested once per operator so that a call costs a switch per argument.
struct Op {
  c10::OperatorHandle handle;
  std::vector<Arg> args;
  Shape shape;
  const Op *second_order = nullptr; // the same for gradients of gradients, see conv.cc; null: itself
};

Kind kind_of(const c10::TypePtr &t) {
  switch (t->kind()) {
  case TypeKind::TensorType: return Kind::Tensor;
  case TypeKind::NumberType: return Kind::Scalar;
  case TypeKind::IntType:
  case TypeKind::SymIntType: return Kind::Int;
  case TypeKind::FloatType: return Kind::Float;
  case TypeKind::BoolType: return Kind::Bool;
  case TypeKind::StringType: return Kind::String;
  case TypeKind::DeviceObjType: return Kind::Device;
  case TypeKind::GeneratorType: return Kind::Generator;
  case TypeKind::ListType: {
    auto elem = t->castRaw<c10::ListType>()->getElementType();
    if (elem->kind() == TypeKind::OptionalType) return Kind::OptTensors;
    switch (kind_of(elem)) {
    case Kind::Tensor: return Kind::Tensors;
    case Kind::Int: return Kind::Ints;
    case Kind::Float: return Kind::Floats;
    case Kind::Bool: return Kind::Bools;
    default: return Kind::Other;
    }
  }
  default: return Kind::Other;
  }
}

Arg arg_of(const c10::Argument &a) {
  c10::TypePtr t = a.type();
  bool opt = t->kind() == TypeKind::OptionalType;
  if (opt) t = t->castRaw<c10::OptionalType>()->getElementType();
  Arg out{kind_of(t), opt, a.default_value().has_value(), a.N() ? *a.N() : 0, IValue()};
  if (out.has_default) out.value = *a.default_value();
  return out;
}

const char *name_of(int tag) {
  static const char *names[] = {"nil",     "tensor",   "int",     "float",  "bool",      "string", "[]int",
                                "[]float", "[]bool",   "[]tensor", "device", "generator"};
  return tag >= 0 && tag <= CT_GENERATOR ? names[tag] : "?";
}

// Operators of the commonest shapes are called unboxed: a tenth less for a small tensor, and the libraries' own way.
using F_T = at::Tensor(const at::Tensor &);
using F_TT = at::Tensor(const at::Tensor &, const at::Tensor &);
using F_TS = at::Tensor(const at::Tensor &, const at::Scalar &);
using F_TTS = at::Tensor(const at::Tensor &, const at::Tensor &, const at::Scalar &);
using F_TSS = at::Tensor(const at::Tensor &, const at::Scalar &, const at::Scalar &);

template <class F> Shape unboxed_if_registered(const c10::OperatorHandle &h, Shape s) {
  try {
    h.typed<F>(); // throws when the kernels have another signature
    return s;
  } catch (const c10::Error &) {
    return Shape::Boxed;
  }
}

Shape shape_of(const c10::OperatorHandle &h, const std::vector<Arg> &args) {
  const auto &schema = h.schema();
  if (schema.is_mutable() || schema.returns().size() != 1 || kind_of(schema.returns()[0].type()) != Kind::Tensor)
    return Shape::Boxed;
  std::string s;
  for (const Arg &a : args) {
    if (a.optional || (a.kind != Kind::Tensor && a.kind != Kind::Scalar)) return Shape::Boxed;
    s += a.kind == Kind::Tensor ? 'T' : 'S';
  }
  if (s == "T") return unboxed_if_registered<F_T>(h, Shape::T);
  if (s == "TT") return unboxed_if_registered<F_TT>(h, Shape::TT);
  if (s == "TS") return unboxed_if_registered<F_TS>(h, Shape::TS);
  if (s == "TTS") return unboxed_if_registered<F_TTS>(h, Shape::TTS);
  if (s == "TSS") return unboxed_if_registered<F_TSS>(h, Shape::TSS);
  return Shape::Boxed;
}

double as_double(int64_t bits) {
  double d;
  std::memcpy(&d, &bits, 8);
  return d;
}

[[noreturn]] void refuse(const Op &op, int i, const char *got) {
  const auto &a = op.handle.schema().arguments()[i];
  throw ct::bad_argument("argument " + std::to_string(i) + " '" + a.name() + "': got " + got + " vs want " +
                         a.type()->str());
}

IValue to_ivalue(const Op &op, int i, const ct_val &v, const int64_t *words, const char *bytes) {
  const Arg &a = op.args[i];
  if (v.tag == CT_NONE) {
    if (a.optional) return IValue();
    refuse(op, i, "nil");
  }
  switch (a.kind) {
  case Kind::Tensor:
    if (v.tag == CT_TENSOR) return IValue(ct::borrow(v.p));
    break;
  case Kind::Scalar:
    if (v.tag == CT_FLOAT) return IValue(as_double(v.p));
    if (v.tag == CT_INT) return IValue(v.p);
    if (v.tag == CT_BOOL) return IValue(v.p != 0);
    break;
  case Kind::Int:
    if (v.tag == CT_INT || v.tag == CT_BOOL) return IValue(v.p);
    break;
  case Kind::Float:
    if (v.tag == CT_FLOAT) return IValue(as_double(v.p));
    if (v.tag == CT_INT) return IValue(static_cast<double>(v.p));
    break;
  case Kind::Bool:
    if (v.tag == CT_BOOL) return IValue(v.p != 0);
    break;
  case Kind::String:
    if (v.tag == CT_STRING) return IValue(std::string(bytes + v.p, v.n));
    break;
  case Kind::Device:
    if (v.tag == CT_DEVICE) return IValue(ct::device_of(v.p));
    break;
  case Kind::Generator:
    if (v.tag == CT_GENERATOR) return IValue(*reinterpret_cast<at::Generator *>(v.p));
    break;
  case Kind::Ints:
    if (v.tag == CT_INTS) return IValue(c10::IntArrayRef(words + v.p, v.n).vec());
    if (v.tag == CT_INT && a.fixed_len > 0) return IValue(std::vector<int64_t>(a.fixed_len, v.p));
    break;
  case Kind::Floats:
    if (v.tag == CT_FLOATS) {
      std::vector<double> d(v.n);
      if (v.n) std::memcpy(d.data(), words + v.p, 8 * static_cast<size_t>(v.n));
      return IValue(d);
    }
    break;
  case Kind::Bools:
    if (v.tag == CT_BOOLS) {
      c10::List<bool> l;
      for (int k = 0; k < v.n; k++) l.push_back(words[v.p + k] != 0);
      return IValue(l);
    }
    break;
  case Kind::Tensors:
    if (v.tag == CT_TENSORS) {
      c10::List<at::Tensor> l;
      l.reserve(v.n);
      for (int k = 0; k < v.n; k++) {
        if (words[v.p + k] == 0) refuse(op, i, "a list with a nil tensor");
        l.push_back(ct::borrow(words[v.p + k]));
      }
      return IValue(l);
    }
    break;
  case Kind::OptTensors:
    if (v.tag == CT_TENSORS) {
      c10::List<c10::optional<at::Tensor>> l;
      for (int k = 0; k < v.n; k++) {
        ct_handle h = words[v.p + k];
        if (h) l.push_back(ct::borrow(h));
        else l.push_back(c10::nullopt);
      }
      return IValue(l);
    }
    break;
  case Kind::Other: break;
  }
  refuse(op, i, name_of(v.tag));
}

ct_val from_tensor(at::Tensor t, const ct_val *args, int nargs) {
  if (!t.defined()) return {CT_NONE, 0, 0};
  ct_handle p = reinterpret_cast<ct_handle>(t.unsafeGetTensorImpl());
  for (int i = 0; i < nargs; i++)
    if (args[i].tag == CT_TENSOR && args[i].p == p) return {CT_ALIAS, 0, i};
  return {CT_TENSOR, 0, ct::wrap(std::move(t))};
}

ct_val from_ivalue(IValue &r, const ct_val *args, int nargs) {
  if (r.isTensor()) return from_tensor(std::move(r).toTensor(), args, nargs);
  if (r.isTensorList()) {
    auto l = r.toTensorVector();
    auto *h = static_cast<ct_handle *>(std::malloc(sizeof(ct_handle) * (l.empty() ? 1 : l.size())));
    if (!h) throw std::bad_alloc();
    for (size_t k = 0; k < l.size(); k++) h[k] = ct::wrap(l[k]);
    return {CT_TENSORS, static_cast<int32_t>(l.size()), reinterpret_cast<int64_t>(h)};
  }
  if (r.isInt()) return {CT_INT, 0, r.toInt()};
  if (r.isBool()) return {CT_BOOL, 0, r.toBool()};
  if (r.isDouble()) {
    double d = r.toDouble();
    int64_t bits;
    std::memcpy(&bits, &d, 8);
    return {CT_FLOAT, 0, bits};
  }
  if (r.isNone()) return {CT_NONE, 0, 0};
  throw ct::bad_argument("result of type " + r.tagKind() + " has no form here");
}

// A handle as a tensor without touching its count: the caller's handle keeps it alive during the call.
struct Loan {
  at::Tensor t;
  explicit Loan(const ct_val &v)
      : t(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(
            reinterpret_cast<c10::TensorImpl *>(v.p))) {}
  Loan(const Loan &) = delete;
  ~Loan() { t.unsafeReleaseTensorImpl(); }
};

at::Scalar scalar(const ct_val &v) {
  if (v.tag == CT_FLOAT) return as_double(v.p);
  if (v.tag == CT_BOOL) return v.p != 0;
  return v.p;
}

// Do the arguments have exactly the schema's kinds? If not, the boxed way says what is wrong.
bool fits(const Op &op, const ct_val *args, int nargs) {
  for (int i = 0; i < static_cast<int>(op.args.size()); i++) {
    if (i >= nargs) {
      if (!op.args[i].has_default) return false;
    } else if (op.args[i].kind == Kind::Tensor ? args[i].tag != CT_TENSOR
                                               : args[i].tag != CT_FLOAT && args[i].tag != CT_INT && args[i].tag != CT_BOOL) {
      return false;
    }
  }
  return true;
}

at::Tensor call_unboxed(const Op &op, const ct_val *args, int nargs) {
  auto number = [&](int i) { return i < nargs ? scalar(args[i]) : op.args[i].value.toScalar(); };
  Loan a(args[0]);
  switch (op.shape) {
  case Shape::T: return op.handle.typed<F_T>().call(a.t);
  case Shape::TT: return op.handle.typed<F_TT>().call(a.t, Loan(args[1]).t);
  case Shape::TS: return op.handle.typed<F_TS>().call(a.t, number(1));
  case Shape::TTS: return op.handle.typed<F_TTS>().call(a.t, Loan(args[1]).t, number(2));
  case Shape::TSS: return op.handle.typed<F_TSS>().call(a.t, number(1), number(2));
  case Shape::Boxed: break;
  }
  return {};
}

void call(const Op &op, const ct_val *args, int nargs, const int64_t *words, const char *bytes, ct_val *out, int out_cap,
          int *n_out) {
  *n_out = 0;
  if (op.shape != Shape::Boxed && fits(op, args, nargs)) {
    out[0] = from_tensor(call_unboxed(op, args, nargs), args, nargs);
    *n_out = 1;
    return;
  }
  const int want = static_cast<int>(op.args.size());
  c10::Stack stack;
  stack.reserve(want);
  for (int i = 0; i < want; i++) {
    if (i < nargs) {
      stack.push_back(to_ivalue(op, i, args[i], words, bytes));
    } else if (op.args[i].has_default) {
      stack.push_back(op.args[i].value);
    } else {
      throw ct::bad_argument("argument " + std::to_string(i) + " '" + op.handle.schema().arguments()[i].name() +
                             "' is missing");
    }
  }
  op.handle.callBoxed(&stack);
  const int n = static_cast<int>(stack.size());
  if (n > out_cap) throw ct::bad_argument("got " + std::to_string(n) + " results vs at most " + std::to_string(out_cap));
  for (int i = 0; i < n; i++) {
    out[i] = from_ivalue(stack[i], args, nargs);
    *n_out = i + 1; // counted one by one: after an exception the caller frees what is there
  }
}

bool repeatable(const Op &op, const ct_val *args, int nargs) {
  return ct::repeatable(
      op.handle.schema(), [&](int i) { return i < nargs && args[i].tag == CT_TENSOR; },
      [&](int i) {
        if (i < nargs) return args[i].tag == CT_BOOL && args[i].p == 0;
        const IValue &v = op.args[i].value;
        return v.isBool() && !v.toBool();
      });
}

std::unique_ptr<Op> digest(const c10::OperatorHandle &h) {
  auto o = std::make_unique<Op>(Op{h, {}, Shape::Boxed});
  for (const auto &a : h.schema().arguments()) o->args.push_back(arg_of(a));
  o->shape = shape_of(h, o->args);
  return o;
}

const char *of_second_order(const std::string &name) {
  if (name == "aten::conv2d") return "tigas::conv2d";
  if (name == "aten::conv_transpose2d") return "tigas::conv_transpose2d";
  return nullptr;
}

} // namespace

int ct_op_find(const char *name, const char *overload, ct_handle *op, char **msg) {
  CT_GUARD({
    auto h = c10::Dispatcher::singleton().findSchema({name, overload});
    if (!h) throw ct::bad_argument("no such operator in this libtorch");
    auto o = digest(*h);
    if (const char *other = of_second_order(name); other && (!*overload || std::strcmp(overload, "input") == 0))
      o->second_order = digest(c10::Dispatcher::singleton().findSchemaOrThrow(other, "")).release();
    *op = reinterpret_cast<ct_handle>(o.release()); // lives as long as the process: operators are looked up once each
  });
}

int ct_op_call(ct_handle p, const ct_val *args, int nargs, const int64_t *words, const char *bytes, ct_val *out, int out_cap,
               int *n_out, char **msg) {
  *n_out = 0;
  CT_GUARD({
    const Op &asked = *reinterpret_cast<const Op *>(p);
    ct::check_modes();
    const bool other = asked.second_order && ct::in_second_order() && nargs > 0 && args[0].tag == CT_TENSOR && Loan(args[0]).t.is_cuda();
    const Op &op = other ? *asked.second_order : asked;
    const int want = static_cast<int>(op.args.size());
    if (nargs > want)
      throw ct::bad_argument("got " + std::to_string(nargs) + " arguments vs at most " + std::to_string(want));
    ct::with_retry([&] { call(op, args, nargs, words, bytes, out, out_cap, n_out); },
                   [&] { return repeatable(asked, args, nargs); });
  });
}

int ct_op_repeatable(ct_handle p, const ct_val *args, int nargs, int *yes, char **msg) {
  CT_GUARD({ *yes = repeatable(*reinterpret_cast<const Op *>(p), args, nargs); });
}

void ct_take_handles(int64_t p, ct_handle *dst, int n) {
  auto *h = reinterpret_cast<ct_handle *>(p);
  for (int i = 0; i < n; i++) dst[i] = h[i];
  std::free(h);
}

int ct_op_schema(ct_handle p, char **text, char **msg) {
  CT_GUARD({
    std::ostringstream s;
    s << reinterpret_cast<Op *>(p)->handle.schema();
    *text = ct::dup(s.str());
  });
}

int ct_op_names(char **text, char **msg) {
  CT_GUARD({
    std::string s;
    for (const auto &n : c10::Dispatcher::singleton().getAllOpNames())
      s += n.overload_name.empty() ? n.name + "\n" : n.name + "." + n.overload_name + "\n";
    *text = ct::dup(s);
  });
}
