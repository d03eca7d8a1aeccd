#!/usr/bin/env bash
# Fuzzes every target in turn, for SECONDS each, and says in a line what came of it:
#
#   scripts/fuzz.sh [SECONDS [PACKAGE...]]      600 seconds, all packages; FUZZFLAGS: more flags of go test, such as -parallel=1
#
# What is found is kept in the package's testdata/fuzz, where `go test` runs it from then on, and the script exits 1.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_WAIT_POLICY=PASSIVE
go=$(command -v go || echo /usr/local/go/bin/go)
seconds=${1:-600}
shift || true
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { sed -n '2,/^set/{s/^# \{0,1\}//p;}' "$0" >&2; exit 2; }
flags="-tags invariants ${FUZZFLAGS:-}"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
found=0

# fuzz PACKAGE TARGET
fuzz() {
	# By default an input that reaches new code is made smaller for a minute, as long as a run may take in all.
	if $go test $flags -run '^$' -fuzz "^$2\$" -fuzztime "${seconds}s" -fuzzminimizetime 20x "$1" >"$log" 2>&1; then
		result=ok
	elif grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; then
		result=ok # it was at work when the time was up: go.dev/issue/75804
	else
		found=1
		result="FOUND: $(grep -m1 -o 'go test -run=.*' "$log" || grep -m1 -v '^fuzz: ' "$log") in $1"
	fi
	runs=$(grep -o 'execs: [0-9]*' "$log" | tail -n1)
	corpus=$(grep -o 'total: [0-9]*' "$log" | tail -n1)
	printf '%-18s %9s runs, %5s kept inputs: %s\n' "$2" "${runs#execs: }" "${corpus#total: }" "$result"
}

# A package's targets come first, then a line with its name.
targets=()
while read -r first second _; do
	case $first in
	Fuzz*) targets+=("$first") ;;
	FAIL)
		if [ -n "$second" ]; then
			echo "$second cannot be tested"
			found=1
		fi
		;;
	ok)
		for t in "${targets[@]}"; do fuzz "$second" "$t"; done
		targets=()
		;;
	esac
done < <($go test $flags -list '^Fuzz' "${@:-./...}")
exit $found
