#!/usr/bin/env bash
# Finds libtorch, or fetches it, and tells Go where it is. Takes the first of:
#
#   1. $LIBTORCH, an unpacked libtorch or the torch folder of a Python wheel
#   2. an earlier download under third_party/libtorch
#   3. a libtorch of the system
#   4. on Debian and Ubuntu, as root: the packages libtorch-dev and libopenblas0-pthread
#   5. the archive that third_party/libtorch.version pins, checksum verified
#
# The answer goes to cgo/internal/ctorch/libtorch_local.go, which git ignores. After that go build and go test work in
# this checkout without any variable. Go's build cache does not look at system headers; because the file names the version
# and the place, another choice rebuilds what depends on it.
#
# Exit codes: 0 done; 1 no libtorch, or no compiler; 2 wrong option; 3 download or checksum failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'EOF'
usage: scripts/libtorch.sh [--print] [--build cpu|cu126|cu128|cu130] [--accept-sha256 HEX]

  --print           only say what would be chosen
  --build NAME      the archive to download, if one has to be (default cpu)
  --accept-sha256   the checksum to accept for an archive without a known one

$LIBTORCH chooses an unpacked libtorch, or the torch folder of a Python wheel.
$LIBTORCH_URL replaces the address of the archive (a mirror, or file://).
EOF
}

print_only=false build=cpu accept=
while [ $# -gt 0 ]; do
  case $1 in
    --print) print_only=true ;;
    --build) build=${2:-}; shift ;;
    --accept-sha256) accept=${2:-}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
case $build in cpu | cu126 | cu128 | cu130) ;; *) usage >&2; exit 2 ;; esac

say() { echo "libtorch.sh: $*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }
pinned() { sed -n "s/^$1=//p" third_party/libtorch.version; }

unpacked=third_party/libtorch
local_go=cgo/internal/ctorch/libtorch_local.go

# header INCLUDE_DIR: the version.h of a libtorch, if there is one. 2.x keeps it in two places.
header() {
  local f
  for f in "$1/torch/csrc/api/include/torch/version.h" "$1/torch/version.h" "$1/torch/headeronly/version.h"; do
    if [ -f "$f" ] && grep -q 'define TORCH_VERSION_MAJOR' "$f"; then echo "$f"; return; fi
  done
}

# version INCLUDE_DIR: e.g. 2.11.0
version() {
  local f; f=$(header "$1")
  [ -n "$f" ] && awk '/define TORCH_VERSION_(MAJOR|MINOR|PATCH) /{printf "%s%s", sep, $3; sep="."}' "$f"
}

# complete INCLUDE LIB: is this a libtorch to build against?
complete() { [ -n "$(header "$1")" ] && [ -e "$2/libtorch_cpu.so" ]; }

include='' lib='' how=''
find_existing() {
  if [ -n "${LIBTORCH:-}" ]; then
    complete "$LIBTORCH/include" "$LIBTORCH/lib" ||
      die "LIBTORCH=$LIBTORCH: want a folder with include/torch and lib/libtorch_cpu.so"
    include=$(cd "$LIBTORCH/include" && pwd) lib=$(cd "$LIBTORCH/lib" && pwd) how='$LIBTORCH'
    return
  fi
  if complete $unpacked/include $unpacked/lib; then
    include=$PWD/$unpacked/include lib=$PWD/$unpacked/lib how='downloaded'
    return
  fi
  local l
  for l in "/usr/lib/$(uname -m)-linux-gnu" /usr/lib64 /usr/lib /usr/local/lib; do
    for include in /usr/include /usr/local/include; do
      if complete "$include" "$l"; then lib=$l how='system'; return; fi
    done
  done
  include=''
}

can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ -f /etc/debian_version ]; }

apt_install() {
  say "installing Debian packages: $*"
  if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; then
    apt-get update -qq >/dev/null || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || return 1
  fi
}

download() {
  local v url want got zip part
  v=$(pinned version)
  url=${LIBTORCH_URL:-$(pinned url | sed "s/%BUILD%/$build/g; s/%VERSION%/$v/g")}
  want=$(pinned "sha256_$build")
  [ -n "$want" ] || want=$accept
  zip=third_party/libtorch-$v-$build.zip part=$zip.part
  command -v unzip >/dev/null || { can_apt && apt_install unzip; } || die "need unzip to unpack the archive" 3
  if [ ! -f "$zip" ]; then
    say "downloading $url"
    if command -v curl >/dev/null; then
      curl -fL --retry 3 -C - -o "$part" "$url" || die "download failed: $url; or set LIBTORCH to a libtorch you have" 3
    elif command -v wget >/dev/null; then
      wget -c -O "$part" "$url" || die "download failed: $url; or set LIBTORCH to a libtorch you have" 3
    else
      die "need curl or wget to download $url; or set LIBTORCH to a libtorch you have" 3
    fi
    mv "$part" "$zip"
  fi
  got=$(sha256sum "$zip" | cut -d' ' -f1)
  if [ -z "$want" ]; then
    die "no checksum is known for $zip; it has $got. If you trust it, run again with --accept-sha256 $got" 3
  fi
  if [ "$got" != "$want" ]; then
    rm -f "$zip"
    die "$url has checksum $got, want $want; the file was deleted" 3
  fi
  rm -rf $unpacked.tmp
  unzip -q "$zip" -d $unpacked.tmp
  rm -rf $unpacked
  mv $unpacked.tmp/libtorch $unpacked
  rm -rf $unpacked.tmp
}

find_existing
if [ -z "$include" ]; then
  if $print_only; then
    if can_apt; then echo "would install libtorch-dev"; else echo "would download libtorch $(pinned version) ($build)"; fi
    exit 0
  fi
  if ! { [ "$build" = cpu ] && can_apt && apt_install libtorch-dev libopenblas0-pthread g++; }; then
    download
  fi
  find_existing
  [ -n "$include" ] || die "no libtorch after installation"
fi

v=$(version "$include")
kind=CPU
[ -e "$lib/libtorch_cuda.so" ] && kind=CUDA
line="libtorch $v ($how, $kind): $lib"
if $print_only; then echo "$line"; exit 0; fi

if ! printf '%s\n%s' "$(pinned oldest)" "$v" | sort -CV || ! printf '%s\n%s' "$v" "$(pinned newest).999" | sort -CV; then
  say "warning: libtorch $v is outside the range $(pinned oldest) to $(pinned newest) that this source is tested with"
fi

cxx=${CXX:-g++}
if ! echo 'int main(){}' | $cxx -std=c++20 -x c++ -fsyntax-only - 2>/dev/null; then
  { can_apt && apt_install g++; } || die "need a C++ compiler with C++20 (g++ 10 or clang 12); \$CXX names another"
fi

# Archives and wheels before 2.7 may have been built with the old string ABI; mixing both gives undefined symbols.
abi=''
if [ -r "$lib/libc10.so" ] && ! grep -q '__cxx11' "$lib/libc10.so"; then abi=' -D_GLIBCXX_USE_CXX11_ABI=0'; fi

cxxflags="\"-I$include/torch/csrc/api/include\""
ldflags=''
if [ "$how" != system ]; then
  cxxflags="\"-I$include\" $cxxflags"
  ldflags="\"-L$lib\" \"-Wl,-rpath,$lib\""
  # A wheel keeps CUDA's own libraries beside torch.
  for d in "$lib"/../../nvidia/*/lib; do
    [ -d "$d" ] && ldflags="$ldflags \"-Wl,-rpath,$(cd "$d" && pwd)\""
  done
elif [ "${include#/usr/include}" = "$include" ]; then
  cxxflags="\"-I$include\" $cxxflags"
  ldflags="\"-L$lib\" \"-Wl,-rpath,$lib\""
fi

text="// Code generated by scripts/libtorch.sh; DO NOT EDIT.

package ctorch

// $line

// #cgo CXXFLAGS: $cxxflags$abi
${ldflags:+// #cgo LDFLAGS: $ldflags
}import \"C\"
"
if [ ! -f $local_go ] || [ "$(cat $local_go)" != "$(printf '%s' "$text")" ]; then
  printf '%s' "$text" >$local_go.tmp
  mv $local_go.tmp $local_go
fi
echo "$line"
