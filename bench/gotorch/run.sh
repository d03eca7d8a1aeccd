#!/usr/bin/env bash
# Prints, for one DCGAN step that is written with gotorch, with this module and in Python on the same libtorch: the time
# relative to Python's, taking turns, and how the process grows over 2,000 steps. Needs what bench/run.sh needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:/usr/local/go/bin" OMP_WAIT_POLICY=PASSIVE
python=${PYTHON:-/usr/bin/python3}
if ! $python -c 'import torch' 2>/dev/null; then
  echo "bench: $python has no torch: install python3-torch, or set PYTHON" >&2
  exit 1
fi
scripts/gotorch.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -tags gotorch -o "$dir/gotorch" ./bench/gotorch
$python bench/gotorch/dcgan.py "$dir/gotorch"
