#!/usr/bin/env bash
# Prints, for one DCGAN step that is written with this module, with gotorch and in Python on the same libtorch: its time, taking
# turns, relative to Python's, and how the process grows over 2,000 steps. Needs what bench/run.sh needs, which calls it too;
# where gotorch cannot be had or compiled, it is left out.
set -euo pipefail
cd "$(dirname "$0")/../.."
# OpenBLAS has threads of its own, which torch.set_num_threads does not reach.
export PATH="$PATH:/usr/local/go/bin" OMP_WAIT_POLICY=PASSIVE OPENBLAS_NUM_THREADS=1
python=${PYTHON:-/usr/bin/python3}
if ! $python -c 'import torch' 2>/dev/null; then
  echo "bench: $python has no torch: install python3-torch, or set PYTHON" >&2
  exit 1
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ways=(ours step gc) tags=gotorch rc=0
scripts/gotorch.sh >"$dir/said" 2>&1 || rc=$? # its last line says what there is, or why there is none
case $rc in
  0) tail -n 1 "$dir/said" ;;
  3) echo "gotorch is left out: $(tail -n 1 "$dir/said")"; ways=(ours) tags='' ;;
  *) cat "$dir/said" >&2; exit $rc ;;
esac
go build -tags "$tags" -o "$dir/step" ./bench/gotorch
$python bench/gotorch/dcgan.py "$dir/step" "${ways[@]}"
