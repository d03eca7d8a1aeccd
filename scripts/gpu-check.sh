#!/usr/bin/env bash
# Builds this checkout on a machine with a GPU against the libtorch that is there, and runs the tests that want a GPU and
# the benchmark. Nothing comes from a network: a machine that has neither Go nor its modules takes them from an archive
# that another machine has packed.
#
#   scripts/gpu-check.sh pack              here, where Go is: build/gpu/go.tar.xz and build/gpu/vendor.tar.xz, 25 MB,
#                                          to be brought to the other machine with the checkout
#   scripts/gpu-check.sh                   there: everything; bench takes half an hour of it, the rest a few minutes
#   scripts/gpu-check.sh build doctor test train bench      there: some of it, in this order
#
# libtorch is $LIBTORCH, or the torch package of $PYTHON (python3). What is built and cached goes to $GPU_CHECK_DIR
# (a folder in /tmp), results go to $GPU_CHECK_OUT (build/gpu/out): logs, and JSON of the benchmark.
#
# Exit codes: 0 all passed; 1 something failed; 2 wrong use; 3 no GPU, no libtorch or no Go.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

say() { echo "gpu-check.sh: $*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }
usage() { sed -n '2,/^set/{s/^# \{0,1\}//p;}' "$0" >&2; exit 2; }

pack() {
  local go root work
  go=$(command -v go || echo /usr/local/go/bin/go)
  root=$("$go" env GOROOT) || die 'no Go to pack'
  work=$(mktemp -d)
  mkdir -p build/gpu "$work/go/bin" "$work/go/pkg/tool/linux_amd64"
  say 'packing Go, without what only tests and documentation want'
  cp "$root/bin/go" "$work/go/bin/"
  for tool in asm cgo compile link vet; do cp "$root/pkg/tool/linux_amd64/$tool" "$work/go/pkg/tool/linux_amd64/"; done
  strip "$work"/go/bin/* "$work"/go/pkg/tool/linux_amd64/*
  cp -r "$root/pkg/include" "$work/go/pkg/"
  cp "$root/VERSION" "$root/go.env" "$work/go/"
  tar -c -C "$root" --exclude=testdata --exclude='*_test.go' --exclude=src/cmd src | tar -x -C "$work/go"
  tar -c -C "$work" go | xz -T0 -6 >build/gpu/go.tar.xz
  "$go" mod vendor -o "$work/vendor" || die 'the modules cannot be had'
  tar -c -C "$work" vendor | xz -T0 -6 >build/gpu/vendor.tar.xz
  rm -rf "$work"
  ls -l build/gpu >&2
}

if [ "${1:-}" = pack ]; then pack; exit; fi
parts=("$@")
[ $# -gt 0 ] || parts=(build doctor test train bench)
for p in "${parts[@]}"; do case $p in build | doctor | test | train | bench) ;; *) usage ;; esac; done

dir=${GPU_CHECK_DIR:-/tmp/tigas-gpu}
out=${GPU_CHECK_OUT:-build/gpu/out}
python=${PYTHON:-python3}
mkdir -p "$dir" "$out"
out=$(cd "$out" && pwd)
results=()
failed=0

# note NAME RC SECONDS
note() {
  local verdict=passed
  [ "$2" = 0 ] || { verdict="FAILED ($2)"; failed=1; }
  results+=("$(printf '%-12s %-12s %4d s' "$1" "$verdict" "$3")")
}

# timed NAME LIMIT COMMAND...: its output goes to a log, and its end to the terminal when it failed.
timed() {
  local name=$1 limit=$2 start=$SECONDS rc
  shift 2
  timeout "$limit" "$@" >"$out/$name.log" 2>&1
  rc=$?
  note "$name" $rc $((SECONDS - start))
  if [ $rc = 0 ]; then say "$name: passed in $((SECONDS - start)) s"; else
    say "$name: FAILED with $rc after $((SECONDS - start)) s; the end of its log:"
    tail -n "${TAIL:-40}" "$out/$name.log" >&2
  fi
  return $rc
}

export OMP_WAIT_POLICY=PASSIVE GOTOOLCHAIN=local
find_go() {
  export GOCACHE=${GOCACHE:-$dir/cache} GOPATH=${GOPATH:-$dir/gopath}
  if ! command -v go >/dev/null && [ -x /usr/local/go/bin/go ]; then PATH=$PATH:/usr/local/go/bin; fi
  if ! command -v go >/dev/null; then
    [ -f build/gpu/go.tar.xz ] || die 'no Go here, and no build/gpu/go.tar.xz: run scripts/gpu-check.sh pack where there is one' 3
    [ -x "$dir/go/bin/go" ] || tar -xJf build/gpu/go.tar.xz -C "$dir" || die 'build/gpu/go.tar.xz cannot be unpacked' 3
    export PATH=$dir/go/bin:$PATH
  fi
  # With packed modules the build is that of a copy: a vendor folder in the checkout would change every build there.
  if [ -f build/gpu/vendor.tar.xz ] && ! go mod verify >/dev/null 2>&1; then
    mkdir -p "$dir/src"
    tar -c --exclude=./build --exclude=./runs --exclude=./.git . | tar -x -C "$dir/src"
    [ -d "$dir/src/vendor" ] || tar -xJf build/gpu/vendor.tar.xz -C "$dir/src"
    cd "$dir/src" || exit 3
    export GOFLAGS=-mod=vendor
  fi
}

find_libtorch() {
  if [ -z "${LIBTORCH:-}" ]; then
    LIBTORCH=$($python -c 'import os, torch; print(os.path.dirname(torch.__file__))') || die "$python has no torch: set LIBTORCH or PYTHON" 3
    export LIBTORCH
  fi
  scripts/libtorch.sh >"$out/libtorch.log" 2>&1 || die "$(tail -n 1 "$out/libtorch.log")" 3
  tail -n 1 "$out/libtorch.log"
}

# The packages that have tests for a GPU say so in their files.
packages() { grep -rlE --include='*_test.go' 'skipped: no CUDA|devicetest' cgo pkg cmd | xargs -n 1 dirname | sort -u | sed 's,^,./,'; }

build() {
  mkdir -p "$dir/bin" "$dir/tests"
  # shellcheck disable=SC2046
  timed build 420 go build -o "$dir/bin/" ./cmd/tigas-train ./bench/native &&
    timed build-bench 120 go build -o "$dir/bin/gpunative" ./bench/gpu/native &&
    timed build-tests 420 go test -c -vet=off -o "$dir/tests/" $(packages)
}

# In cgo/cuda all tests are about a GPU, elsewhere those with these words in their names; $TEST_RUN is another expression.
run_tests() {
  local p name which
  for p in $(packages); do
    name=$(basename "$p")
    [ -x "$dir/tests/$name.test" ] || continue
    which=${TEST_RUN:-CUDA|GPU|Captur|Graph|Reference|Parity|SecondOrder}
    [ "$p" != ./cgo/cuda ] || which=${TEST_RUN:-.}
    (cd "$p" && TAIL=60 timed "test-$name" "${TEST_LIMIT:-240}" "$dir/tests/$name.test" -test.v -test.count 1 -test.run "$which")
    grep -E '^ *--- (FAIL|SKIP)' "$out/test-$name.log" >&2
    echo "$name: $(grep -c '^--- PASS' "$out/test-$name.log") passed, $(grep -c -- '--- SKIP' "$out/test-$name.log") skipped" >&2
  done
}

# Short runs of the families as a user starts them.
train() {
  local tigas=$dir/bin/tigas-train family
  for family in gan stylegan vae diffusion; do
    rm -rf "$dir/runs/$family"
    timed "train-$family" 120 "$tigas" "$family" --device cuda --tigas-weight 0.1 --kimg "${TRAIN_KIMG:-4}" --seed 1 --out "$dir/runs/$family"
    tail -n 4 "$out/train-$family.log" >&2
    cp "$dir/runs/$family/log.jsonl" "$out/train-$family.jsonl" 2>/dev/null
    find "$dir/runs/$family/samples" -name '*.png' 2>/dev/null | sort | tail -n 1 | xargs -I{} cp {} "$out/train-$family.png"
  done
}

nvidia-smi -L 2>/dev/null | tee "$out/gpu.txt" | grep -q GPU || die 'no GPU: nvidia-smi shows none' 3
find_go
find_libtorch
for p in "${parts[@]}"; do
  case $p in
    build) build ;;
    doctor) timed doctor 60 "$dir/bin/tigas-train" doctor; cat "$out/doctor.log" >&2 ;;
    test) run_tests ;;
    train) train ;;
    bench) timed bench "${BENCH_LIMIT:-3600}" bench/gpu/run.sh "$dir/bin" "$out"; cat "$out/table.md" 2>/dev/null ;;
  esac
done
printf '%s\n' "${results[@]}"
exit $failed
