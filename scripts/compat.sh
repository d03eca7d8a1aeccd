#!/usr/bin/env bash
# Builds and tests this checkout against the libtorch of another Debian release, in a folder of its own (a chroot):
#
#   scripts/compat.sh trixie                      libtorch 2.6
#   scripts/compat.sh trixie forky                and 2.14; forky and sid move, so their failures do not fail the script
#   scripts/compat.sh trixie -- go test ./pkg/nn  another command than the tests
#   scripts/compat.sh trixie-cuda                 the CUDA build of trixie (contrib, non-free): 10 GB; no GPU is needed, and the
#                                                 tests are those of scripts/compat_cuda.sh
#   scripts/compat.sh bookworm-bare -- make demo  a machine without libtorch and compiler, made anew each time
#
# Wants root and debootstrap. The folders stay for the next time: build/compat, or $COMPAT_DIR. The Debian mirror is that
# of the machine's own apt, or $MIRROR. Go and its module cache are the machine's; what is tested is the working tree.
#
# Exit codes: 0 passed; 1 a release failed, or could not be made; 2 wrong use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "compat.sh: $*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }
usage() { sed -n '2,/^set/{s/^# \{0,1\}//p;}' "$0" >&2; exit 2; }

commands='scripts/libtorch_test.sh
go vet -tags invariants ./...
go test -tags invariants -timeout 40m ./...
go build -o bin/tigas-train ./cmd/tigas-train
rm -rf /tmp/run
bin/tigas-train doctor
bin/tigas-train gan --tigas-weight 0.1 --kimg 3 --seed 1 --out /tmp/run
bin/tigas-train sample /tmp/run --n 16 --seed 1 --out /tmp/grid.png
bin/tigas-train score /tmp/run/samples/*.png'
cuda_commands='scripts/compat_cuda.sh'

# make_root RELEASE FOLDER: a base system with libtorch.
make_root() {
  local suite=${1%-*} dir=$2 script='' components=main packages='g++ libtorch-dev libopenblas0-pthread'
  # A release younger than the machine's debootstrap is made like sid.
  [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=sid
  case $1 in
    *-cuda) components='main contrib non-free non-free-firmware' packages=${packages/libtorch/libtorch-cuda} ;;
    *-bare) packages=ca-certificates ;;
  esac
  say "$1: making $dir"
  rm -rf "$dir"
  debootstrap --variant=minbase "$suite" "$dir" "$mirror" $script >"$dir.log" 2>&1 || return 1
  echo "deb $mirror $suite $components" >"$dir/etc/apt/sources.list"
  # A mirror may be frozen at some day.
  echo 'Acquire::Check-Valid-Until "false";' >"$dir/etc/apt/apt.conf.d/99compat"
  mounts "$dir"
  # cuDNN asks for its licence and then comes from elsewhere; nothing here needs it.
  enter "$dir" "export DEBIAN_FRONTEND=noninteractive
    echo 'nvidia-cudnn nvidia-cudnn/question select I Decline' | debconf-set-selections
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends make $packages" >>"$dir.log" 2>&1 || return 1
  touch "$dir/.ready"
}

# mounts FOLDER: /proc, a small /dev, Go and its modules. They end with this process, see below.
mounts() {
  local n
  mountpoint -q "$1/proc" && return
  cp /etc/resolv.conf /etc/hosts "$1/etc/"
  mkdir -p "$1/usr/local/go" "$1/go/mod"
  mount -t proc proc "$1/proc"
  mount -t tmpfs tmpfs "$1/dev"
  mkdir "$1/dev/shm"
  for n in null zero full random urandom; do
    touch "$1/dev/$n"
    mount --bind "/dev/$n" "$1/dev/$n"
  done
  mount -o bind,ro "$("$go" env GOROOT)" "$1/usr/local/go"
  mount -o bind,ro "$("$go" env GOMODCACHE)" "$1/go/mod"
}

# enter FOLDER COMMANDS: runs them in there. The modules are on the machine already, so Go needs no network.
enter() {
  chroot "$1" /usr/bin/env -i HOME=/root OMP_WAIT_POLICY=PASSIVE \
    PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    GOMODCACHE=/go/mod GOPROXY=off GOTOOLCHAIN=local bash -euo pipefail -c "$2"
}

# one RELEASE: makes it if need be, runs the commands, prints a line.
one() {
  local dir=$cache/$1 first='scripts/libtorch.sh' version result=passed start=$SECONDS
  case $1 in
    *-bare) rm -rf "$dir"; first=: ;;
    *-cuda) [ -n "$asked" ] || commands=$cuda_commands ;;
  esac
  if [ -e "$dir/.ready" ]; then
    mounts "$dir"
  elif ! make_root "$1" "$dir"; then
    echo "compat.sh: $1: could not be made: $(tail -n 1 "$dir.log"); see $dir.log"
    return 1
  fi
  # The working tree: what git tracks or would, with the changes that are not committed yet.
  rm -rf "$dir/src"
  mkdir "$dir/src"
  git ls-files -z --cached --others --exclude-standard --deduplicate |
    tar -c --null --ignore-failed-read -T - 2>/dev/null | tar -x -C "$dir/src"
  enter "$dir" "cd /src; $first; $commands" || result=FAILED
  version=$(dpkg-query --root="$dir" -W -f '${Version} ' 'libtorch*-dev' 2>/dev/null || true)
  echo "compat.sh: $1: libtorch ${version% }: $result in $((SECONDS - start)) s"
  [ $result = passed ]
}

releases=() asked=''
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case $1 in -*) usage ;; esac
  releases+=("$1")
  shift
done
if [ $# -gt 1 ]; then commands="${*:2}" asked=yes; fi
[ ${#releases[@]} -gt 0 ] || usage
[ "$(id -u)" = 0 ] || die "want root, for chroot and mounts"
command -v debootstrap >/dev/null || die "want debootstrap: apt-get install debootstrap"

go=$(command -v go || echo /usr/local/go/bin/go)
mkdir -p "${COMPAT_DIR:=build/compat}"
cache=$(cd "$COMPAT_DIR" && pwd)
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | grep -m1 -E '/debian/?$' || true)}
[ -n "$mirror" ] || die "no Debian mirror among the sources of apt; MIRROR=URL names one"

if [ -n "${COMPAT_ONE:-}" ]; then
  one "$COMPAT_ONE"
  exit
fi
"$go" mod download
status=0
for r in "${releases[@]}"; do
  # A mount namespace of its own: nothing has to be unmounted, and nothing that is mounted can be removed by mistake.
  if ! COMPAT_ONE=$r unshare -m "scripts/${0##*/}" "$r" ${asked:+-- "$commands"}; then
    case $r in forky | sid) say "$r is advisory" ;; *) status=1 ;; esac
  fi
done
exit $status
