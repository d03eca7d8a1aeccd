#!/usr/bin/env bash
# Prints ratios against Python scripts, and gotorch, that do the same steps on the same libtorch, in one run, taking turns:
# seconds on a shared machine mean little, ratios of neighbours a little more. Needs a Python with torch of libtorch's
# version, such as Debian's python3-torch; $PYTHON names another.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/local/go/bin"
python=${PYTHON:-/usr/bin/python3}
if ! $python -c 'import torch' 2>/dev/null; then
  echo "bench: $python has no torch: install python3-torch, or set PYTHON" >&2
  exit 1
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/native" ./bench/native
"$dir/native" detector "$dir/detector.pt"
"$dir/native" pictures "$dir/pictures"
# As people start programs, and as they do who were told that threads should not spin while they wait.
unset OMP_WAIT_POLICY
echo "OMP_WAIT_POLICY not set"
$python bench/compare.py bin/tigas-train "$dir/native" "$dir/detector.pt" "$dir"
export OMP_WAIT_POLICY=PASSIVE
echo "OMP_WAIT_POLICY=PASSIVE"
$python bench/compare.py bin/tigas-train "$dir/native" "$dir/detector.pt" "$dir"
$python bench/term.py bin/tigas-train "$dir/native" "$dir"
$python bench/families.py "$dir/native"
bench/gotorch/run.sh
