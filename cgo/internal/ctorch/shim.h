/* The C face of libtorch as tigas-train needs it: plain C, no C++ type crosses.
 *
 * Rules, for every function that can fail:
 *   - it returns 0, or a CT_E* code with a malloc'ed text in *msg (free with ct_free);
 *   - no C++ exception leaves it (see guard.h);
 *   - it keeps no pointer to the caller's memory after it has returned.
 * A tensor handle is one owned reference to a TensorImpl; 0 is "no tensor".
 */
#ifndef TIGAS_CTORCH_SHIM_H
#define TIGAS_CTORCH_SHIM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int64_t ct_handle;

enum { CT_OK = 0, CT_EGENERIC = 1, CT_EOOM = 2, CT_ENOTIMPL = 3, CT_EARG = 4, CT_ENONDET = 5, CT_ENOCUDA = 6 };

/* ---- values across the border: an argument or a result is one 16-byte record ---- */
enum {
  CT_NONE = 0,
  CT_TENSOR = 1,     /* p: handle */
  CT_INT = 2,        /* p */
  CT_FLOAT = 3,      /* p: bits of the double */
  CT_BOOL = 4,       /* p: 0 or 1 */
  CT_STRING = 5,     /* p: offset into bytes, n: length */
  CT_INTS = 6,       /* p: offset into words, n: length */
  CT_FLOATS = 7,     /* p: offset into words (bits), n */
  CT_BOOLS = 8,      /* p: offset into words, n */
  CT_TENSORS = 9,    /* in: p: offset into words (handles; 0 = absent), n. out: p: malloc'ed ct_handle[n] */
  CT_DEVICE = 10,    /* p: type << 8 | (index + 1) */
  CT_GENERATOR = 11, /* p: generator handle */
  CT_ALIAS = 12      /* out only: the result is argument number p itself */
};

typedef struct {
  int32_t tag;
  int32_t n;
  int64_t p;
} ct_val;

/* ---- dispatch.cc ---- */
int ct_op_find(const char *name, const char *overload, ct_handle *op, char **msg);
int ct_op_call(ct_handle op, const ct_val *args, int nargs, const int64_t *words, const char *bytes,
               ct_val *out, int out_cap, int *n_out, char **msg);
void ct_take_handles(int64_t p, ct_handle *dst, int n); /* empties and frees the list of a CT_TENSORS result */
int ct_op_repeatable(ct_handle op, const ct_val *args, int nargs, int *yes, char **msg); /* see retry.h */
int ct_op_schema(ct_handle op, char **text, char **msg);
int ct_op_names(char **text, char **msg); /* one "name.overload" a line */

/* ---- tensor.cc ---- */
#define CT_MAXDIM 16
typedef struct {
  int32_t dtype, device_type, device_index, dim;
  int32_t requires_grad, is_leaf, contiguous, has_grad_fn;
  int64_t numel, nbytes;
  int64_t sizes[CT_MAXDIM], strides[CT_MAXDIM];
} ct_info;

void ct_tensor_free(const ct_handle *h, int n); /* skips h[i] <= 0 */
int ct_tensor_alias(ct_handle h, ct_handle *out, char **msg);
int ct_tensor_info(ct_handle h, ct_info *out, char **msg);
int ct_tensor_from_bytes(const void *data, int64_t nbytes, int dtype, const int64_t *sizes, int dim,
                         int device, ct_handle *out, char **msg);
int ct_tensor_to_bytes(ct_handle h, void *dst, int64_t nbytes, char **msg);
int ct_tensor_set_requires_grad(ct_handle h, int on, char **msg);
int ct_tensor_grad(ct_handle h, ct_handle *out, char **msg); /* 0 when there is none */
int ct_tensor_set_grad(const ct_handle *h, const ct_handle *grad, int n, char **msg);
/* at::Tensor objects of other libraries in this process. from borrows the object; to makes one for C++'s delete. */
int ct_tensor_from_aten(const void *object, ct_handle *out, char **msg); /* 0 when it is undefined */
int ct_tensor_to_aten(ct_handle h, void **object, char **msg);
int64_t ct_live_tensors(void);
int64_t ct_live_bytes(void);

/* ---- autograd.cc ---- */
int ct_backward(const ct_handle *roots, const ct_handle *grads, int n, const ct_handle *inputs, int n_in,
                int keep_graph, int create_graph, char **msg);
int ct_grad(const ct_handle *outputs, const ct_handle *grads, int n, const ct_handle *inputs, int n_in,
            int keep_graph, int create_graph, int allow_unused, ct_handle *out, char **msg);

/* Thread-local modes. The caller holds its OS thread from enter to leave. */
typedef struct {
  int32_t grad, autocast_cpu, autocast_cpu_dtype, autocast_cuda, autocast_cuda_dtype, cache;
  int32_t second_order; /* convolutions on CUDA are those of conv.cc */
  int32_t unused;
  int64_t thread; /* out only: which thread this is */
} ct_modes;
int ct_modes_get(ct_modes *out, char **msg);
int ct_modes_enter(const ct_modes *m, ct_modes *saved, char **msg);
int ct_modes_leave(const ct_modes *saved, char **msg);
void ct_check_modes(int on); /* invariants build: an op outside a region on a thread left in a mode fails */

/* ---- runtime.cc ---- */
int ct_runtime_init(char **trace, char **msg); /* loads libtorch_cuda when present; trace says what was tried */
void ct_free(void *p);
const char *ct_version_built(void);
int ct_config(char **text, char **msg);
int ct_cpu_capability(char **text, char **msg);
int ct_retain_host_memory(void); /* 0 when the C library has no such setting */
int ct_set_threads(int n, char **msg);
int ct_threads(void);
int ct_cuda_devices(int *n, int64_t *cudnn, char **msg);
int ct_seed(int64_t seed, char **msg);
int ct_rng_state(int device, ct_handle *out, char **msg);
int ct_set_rng_state(int device, ct_handle state, char **msg);
int ct_generator_new(int device, int64_t seed, ct_handle *out, char **msg);
int ct_generator_state(ct_handle g, ct_handle *out, char **msg);
int ct_generator_set_state(ct_handle g, ct_handle state, char **msg);
void ct_generator_free(ct_handle g);
int ct_deterministic(int on, char **msg); /* operators that have no such form fail with CT_ENONDET */

/* ---- retry.cc ---- */
void ct_retries(int64_t *tried, int64_t *helped); /* after a device was short of memory */

/* ---- cuda.cc: CT_ENOCUDA where there is no CUDA ---- */
typedef struct {
  int32_t major, minor, processors;
  int64_t total; /* bytes */
  char name[256];
} ct_cuda_props;
int ct_cuda_properties(int device, ct_cuda_props *out, char **msg);
int ct_cuda_current(int *device, char **msg);
int ct_cuda_synchronize(int device, char **msg);

/* A stream is its device and this number. pool: 0 the default one, 1 from the pool, 2 from the pool with priority, 3 the
   one that this thread is on. */
int ct_stream_get(int device, int pool, int64_t *stream, char **msg);
int ct_stream_query(int device, int64_t stream, int *done, char **msg);
int ct_stream_synchronize(int device, int64_t stream, char **msg);
int ct_stream_record(int device, int64_t stream, ct_handle t, char **msg); /* t is used on it */

/* Puts this thread on a device, and there on a stream unless it is NULL. The caller holds its OS thread until leave. */
typedef struct {
  int32_t device, device_before;
  int64_t stream_before, thread;
} ct_on;
int ct_cuda_enter(int device, const int64_t *stream, ct_on *saved, char **msg);
int ct_cuda_leave(const ct_on *saved, char **msg);

/* *event is NULL at first; record makes it. */
int ct_event_record(void **event, int device, int64_t stream, char **msg);
int ct_event_block(void *event, int device, int64_t stream, char **msg); /* the stream waits */
int ct_event_query(void *event, int *done, char **msg);
int ct_event_synchronize(void *event, char **msg);
int ct_event_elapsed(void *start, void *end, int device, double *ms, char **msg);
void ct_event_free(void *event, int device);

/* ---- cuda_graph.cc ---- */
/* The caller is on a stream that is not the default one, and holds its OS thread until end. generators are those that are
   drawn from; with n 0 that is the default one. beside is NULL, or a graph with which it shares memory. */
int ct_graph_begin(int device, const ct_handle *generators, int n, void *beside, void **graph, char **msg);
int ct_graph_end(void *graph, char **msg); /* a graph that could not be ended has spoiled libtorch's cache */
int ct_graph_replay(void *graph, char **msg);
void ct_graph_free(void *graph); /* waits for the device */

/* ---- cuda_memory.cc ---- */
typedef struct {
  int64_t allocated, reserved, peak_allocated, peak_reserved; /* bytes, of libtorch's cache */
  int64_t retries, failures;
} ct_cuda_stats;
int ct_cuda_memory(int device, ct_cuda_stats *out, char **msg);
int ct_cuda_reset_peak(int device, char **msg);
int ct_cuda_empty_cache(char **msg);
int ct_cuda_device_memory(int device, int64_t *free, int64_t *total, char **msg); /* of the whole device */
int ct_cuda_missing(char **text, char **msg); /* what cannot be had here although there is CUDA, one a line */
int ct_tensor_memory(ct_handle h, void **p, int64_t *nbytes, char **msg); /* of a contiguous tensor on the CPU */

typedef struct {
  int32_t cudnn, cudnn_benchmark, cudnn_deterministic, cudnn_tf32, matmul_tf32;
} ct_switches;
int ct_cuda_switches(ct_switches *out, char **msg);
int ct_cuda_set_switches(const ct_switches *in, char **msg);

/* ---- cuda_fake.cc, in the invariants build only: CUDA for tests of what surrounds it, on any machine ---- */
int ct_fake_cuda(int on, char **msg);
int ct_fake_log(char **text, char **msg); /* what was called since the last time, one a line */
void ct_fake_hold(int on);                /* work that is queued does not end before it is waited for */
int ct_fake_short(int times, char **msg); /* the next calls of the operators that it makes known run out of device memory */

/* ---- jit.cc ---- */
int ct_jit_load(const void *data, int64_t n, int device, void **out, char **msg);
/* kinds: 0 parameter, 1 buffer. inner, if any, becomes the submodule "net". */
int ct_jit_define(const char *const *names, const ct_handle *tensors, const int *kinds, int n, void *inner,
                  const char *source, void **out, char **msg);
/* extra: name and content of each file that goes into the archive beside the module, without NULs. fd: where it is
   written; < 0: to memory that ct_free frees. err: errno when writing failed. */
int ct_jit_save(void *m, const char *const *extra, int nextra, int fd, int *err, void **data, int64_t *n, char **msg);
int ct_jit_freeze(void *m, void **out, char **msg);
int ct_jit_clone(void *m, void **out, char **msg);
int ct_jit_train(void *m, int on, char **msg);
int ct_jit_is_training(void *m, int *on, char **msg);
int ct_jit_to(void *m, int device, int dtype, char **msg); /* dtype: of floating-point tensors; < 0: unchanged */
int ct_jit_methods(void *m, char **text, char **msg);
int ct_jit_ops(void *m, const char *method, char **text, char **msg); // one name a line
int ct_jit_schema(void *m, const char *method, char **text, char **msg);
int ct_jit_tensors(void *m, int buffers, ct_handle **handles, char **names, int *n, char **msg);
int ct_jit_call(void *m, const char *method, const ct_val *args, int nargs, const int64_t *words, const char *bytes,
                void **out, char **msg);
void ct_jit_free(void *m);

/* ---- trace.cc ---- */
/* A module of tensors with dotted names, without methods. kinds as for ct_jit_define. */
int ct_jit_module(const char *const *names, const ct_handle *tensors, const int *kinds, int n, void **out, char **msg);
/* Adds the method that computes what ct_traced(call, ...) does with args. */
int ct_jit_trace(void *m, const char *method, const char *const *arg_names, const ct_handle *args, int n, uintptr_t call,
                 char **msg);
/* Go's: computes results of args, whose n handles are its own. results are malloc'ed, and borrowed by the caller while
   ct_jit_trace runs. It returns NULL, or what went wrong, malloc'ed. */
char *ct_traced(uintptr_t call, ct_handle *args, int n, ct_handle **results, int *n_results);
int ct_jit_source(void *m, const char *source, char **msg); /* adds methods */
int ct_jit_graph(void *m, const char *method, char **text, char **msg);

/* A result of unknown shape: a tree that the caller walks, then frees. */
enum { CT_V_NONE, CT_V_TENSOR, CT_V_INT, CT_V_FLOAT, CT_V_BOOL, CT_V_STRING, CT_V_LIST, CT_V_TUPLE, CT_V_DICT, CT_V_OTHER };
int ct_value_kind(void *v);
int ct_value_len(void *v);                                        /* list, tuple, dict */
int ct_value_at(void *v, int i, void **item, char **key, char **msg); /* key: dict only, else NULL */
int ct_value_tensor(void *v, ct_handle *out, char **msg);
int64_t ct_value_int(void *v);                                    /* int, bool */
double ct_value_float(void *v);
int ct_value_text(void *v, char **text, char **msg);              /* string, or the type's name */
void ct_value_free(void *v);

#ifdef __cplusplus
}
#endif
#endif
