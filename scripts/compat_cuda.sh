#!/usr/bin/env bash
# What can be known of the CUDA code without a GPU, on a machine with a CUDA build of libtorch: scripts/compat.sh trixie-cuda
# runs it. It builds, and checks
#
#   - that the program is linked with nothing of CUDA, so that it starts where there is none
#   - that what it looks up at run time is in the libraries of CUDA and of the driver
#   - that libtorch_cuda without cuDNN is reported and not fatal
#   - that libtorch_cuda on a host without a GPU is "no CUDA", and work on the CPU goes on
#   - that every test that wants a GPU says so
#
# cuDNN comes from elsewhere and under a licence; a library with its names in it is enough to load libtorch_cuda.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
step() { echo "compat_cuda.sh: $*"; }
die() { echo "compat_cuda.sh: error: $*" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

scripts/libtorch.sh | grep ', CUDA)' || die "want a CUDA build of libtorch"
lib=$(scripts/libtorch.sh --print | sed 's/.*: //')
[ ! -e /dev/nvidia0 ] || die "there is a GPU: run the tests instead"

step "build"
go vet -tags invariants ./cgo/... ./cmd/...
go build -tags invariants -o bin/tigas-train ./cmd/tigas-train
if readelf -d bin/tigas-train | grep NEEDED | grep -iE 'cuda|cudart|cublas|cudnn'; then die "the program is linked with CUDA"; fi

step "names"
grep -o 'CT_NAME("[^"]*"' cgo/internal/ctorch/cuda.cc | cut -d'"' -f2 | sort -u >"$tmp/names"
[ "$(wc -l <"$tmp/names")" -ge 7 ] || die "found only $(wc -l <"$tmp/names") names"
while read -r name; do
  case $name in
    cuda*) where="$lib/libcudart.so" ;;
    *) where=$(find "$lib" /usr/lib -name libcuda.so -path '*stubs*' -print -quit) ;;
  esac
  nm -D --defined-only "$where" | grep -E " $name(@|$)" >/dev/null || die "$name is not in $where" # -q would break nm's pipe
  echo "  $name: $where"
done <"$tmp/names"

# Methods of C++ are found by their names too. Of the two forms of the constructor one is enough, and later versions need no
# registration of generators.
grep -oE '"_Z[^"]*"' cgo/internal/ctorch/cuda_graph.cc | tr -d '"' | sort -u >"$tmp/methods"
[ "$(wc -l <"$tmp/methods")" -ge 7 ] || die "found only $(wc -l <"$tmp/methods") methods"
nm -D --defined-only "$lib/libtorch_cuda.so" "$lib/libc10_cuda.so" | awk '{ print $NF }' | sort -u >"$tmp/defined"
comm -23 "$tmp/methods" "$tmp/defined" >"$tmp/absent"
grep -vE 'CUDAGraphC1E|register_generator_state|CUDAGraph4pool|warning_state' "$tmp/absent" && die "the methods above are not in libtorch_cuda"
for one in CUDAGraph4pool warning_state; do # either of two forms
  [ "$(grep -c $one "$tmp/absent")" -le 1 ] || die "libtorch_cuda has no $one"
done
[ "$(grep -c CUDAGraphC1E "$tmp/absent")" -le 1 ] || die "libtorch_cuda has no constructor of CUDAGraph that is known"
echo "  at::cuda::CUDAGraph: $(($(wc -l <"$tmp/methods") - $(wc -l <"$tmp/absent"))) of $(wc -l <"$tmp/methods") methods"

step "without cuDNN"
bin/tigas-train doctor >"$tmp/doctor" || die "doctor failed: $(cat "$tmp/doctor")"
grep 'CUDA .*cannot be loaded: libcudnn' "$tmp/doctor" || die "want a line about libcudnn: $(cat "$tmp/doctor")"
go test -count 1 -tags invariants ./cgo/cuda

step "with cuDNN's names, without a GPU"
nm -D --undefined-only "$lib/libtorch_cuda.so" | awk '$2 ~ /^cudnn/ { sub(/@.*/, "", $2); print "int " $2 "(void) { return 1; }" }' >"$tmp/cudnn.c"
${CC:-gcc} -shared -fPIC -Wl,-soname,libcudnn.so.9 -o "$tmp/libcudnn.so.9" "$tmp/cudnn.c"
export LD_LIBRARY_PATH=$tmp
bin/tigas-train doctor >"$tmp/doctor" || die "doctor failed: $(cat "$tmp/doctor")"
grep 'CUDA .*sees no GPU' "$tmp/doctor" || die "want a line about the GPU: $(cat "$tmp/doctor")"
go test -count 1 -tags invariants ./cgo/... ./pkg/tigas
go test -count 1 -tags invariants -v ./cgo/cuda >"$tmp/tests" || die "$(tail -n 40 "$tmp/tests")"
skipped=$(grep -c 'skipped: no CUDA' "$tmp/tests" || true)
wanted=$(cat cgo/cuda/*_test.go | grep -c 'gpu(t)$') # TestNothingIsMissing asks otherwise
grep -q -- '--- PASS: TestNothingIsMissing' "$tmp/tests" || die "want TestNothingIsMissing to run"
[ "$skipped" = "$wanted" ] || die "got $skipped tests that say 'skipped: no CUDA' vs $wanted"
bin/tigas-train gan --kimg 0.2 --seed 1 --tigas-weight 0.1 --out "$tmp/run" >/dev/null
rc=0
bin/tigas-train gan --kimg 0.2 --device cuda --out "$tmp/other" 2>"$tmp/stderr" || rc=$?
grep 'sees no GPU' "$tmp/stderr" || die "--device cuda: got exit code $rc and: $(cat "$tmp/stderr")"
step "passed: $(wc -l <"$tmp/names") names, $skipped tests that want a GPU"
