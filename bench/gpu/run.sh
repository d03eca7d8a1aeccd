#!/usr/bin/env bash
# Measures training steps on a GPU against PyTorch doing the same, one after the other, and prints tables: about half an hour,
# most of it torch.compile and cuDNN's trials. scripts/gpu-check.sh bench builds what it needs and calls it.
#
#   bench/gpu/run.sh BIN OUT [CASE ...]     BIN has native and gpunative; OUT gets JSON lines, logs and table.md
#
# CASE is wgan-gp, stylegan2 or detector; all of them without any. $PYTHON names another Python; $SECONDS_EACH (8) is how long
# steps are timed; $PEER_FLAGS are flags for PyTorch's side, such as --no-trial.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
bin=${1:?usage: bench/gpu/run.sh BIN OUT [CASE ...]} out=${2:?usage: bench/gpu/run.sh BIN OUT [CASE ...]}
shift 2
cases=("$@")
[ $# -gt 0 ] || cases=(detector wgan-gp stylegan2)
python=${PYTHON:-python3} seconds=${SECONDS_EACH:-8} rows=$out/rows.jsonl failed=0
mkdir -p "$out"
"$bin/native" detector "$out/detector.pt" || exit 1

note() { grep '^{' "$1" >>"$rows" || { echo "run.sh: no line from ${*:2}; see $1" >&2; failed=1; }; }

peer() { # CASE MODE BATCH [flags]
  local log=$out/peer-$1-$2-$3${5:+-$5}.log
  # shellcheck disable=SC2086
  timeout 600 "$python" bench/gpu/peer.py "$1" "$2" module "$3" "$seconds" ${PEER_FLAGS:-} "${@:4}" >"$log" 2>"$log.err"
  note "$log" peer "$@"
}

ours() { # CASE PRECISION BATCH [flags]
  local log
  log=$out/ours-$(echo "$*" | tr -s ' -' '-').log
  timeout 600 "$bin/gpunative" -detector "$out/detector.pt" -seconds "$seconds" -precision "$2" -batch "$3" "${@:4}" "$1" >"$log" 2>"$log.err"
  note "$log" ours "$@"
}

: >"$rows"
"$python" bench/gpu/ceiling.py >>"$rows"
for c in "${cases[@]}"; do
  case $c in
    detector)
      for size in 128 256; do
        for mode in recipe tuned compile; do peer detector $mode 16 --size $size; done
        ours detector fp32 16 -size $size
        ours detector bf16 16 -size $size -cuda-graphs on
      done
      ;;
    wgan-gp | stylegan2)
      batch=64
      [ "$c" = wgan-gp ] || batch=16
      for mode in recipe tuned compile compile-graphs; do peer "$c" $mode $batch; done
      ours "$c" fp32 $batch
      ours "$c" bf16 $batch -channels-last
      ours "$c" bf16 $batch -channels-last -cuda-graphs on
      ;;
    *) echo "run.sh: got the case $c vs wgan-gp, stylegan2 or detector" >&2; exit 2 ;;
  esac
done
"$python" bench/gpu/table.py "$rows" | tee "$out/table.md"
exit $failed
