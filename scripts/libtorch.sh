#!/usr/bin/env bash
# Finds libtorch, or fetches it, and tells Go where it is. Takes the first of:
#
#   1. $LIBTORCH, an unpacked libtorch or the torch folder of a Python wheel
#   2. an earlier download under third_party/libtorch
#   3. a libtorch of the system
#   4. on Debian and Ubuntu, as root: the packages libtorch-dev and libopenblas0-pthread
#   5. the archive that third_party/libtorch.version pins, checksum verified
#
# --build asks for an archive by name: then only an earlier download of that one will do, and else it is fetched.
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
  --build NAME      take this archive, whatever the machine has; without it cpu, if one has to be downloaded
  --accept-sha256   the checksum to accept for an archive without a known one

$LIBTORCH chooses an unpacked libtorch, or the torch folder of a Python wheel.
$LIBTORCH_URL replaces the address of the archive (a mirror, or file://).
EOF
}

say() { echo "libtorch.sh: $*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }

print_only=false asked='' accept=''
while [ $# -gt 0 ]; do
  case $1 in
    --print) print_only=true; shift ;;
    --build | --accept-sha256)
      [ -n "${2:-}" ] || { usage >&2; exit 2; }
      if [ "$1" = --build ]; then asked=$2; else accept=${2,,}; fi
      shift 2
      ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
case $asked in '' | cpu | cu126 | cu128 | cu130) ;; *) usage >&2; exit 2 ;; esac
[ -z "$asked" ] || [ -z "${LIBTORCH:-}" ] || die "--build $asked and LIBTORCH=$LIBTORCH contradict each other" 2
build=${asked:-cpu}
pinned() { sed -n "s/^$1=//p" third_party/libtorch.version; }

unpacked=third_party/libtorch
local_go=cgo/internal/ctorch/libtorch_local.go
system=${LIBTORCH_SYSTEM-/usr /usr/local} # where to look for a system's libtorch; the tests look elsewhere

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
  if complete $unpacked/include $unpacked/lib && { [ -z "$asked" ] || [ "$(cat $unpacked/.build)" = "$asked" ]; } 2>/dev/null; then
    include=$PWD/$unpacked/include lib=$PWD/$unpacked/lib how='downloaded'
    return
  fi
  [ -z "$asked" ] || return 0
  local prefix l
  for prefix in $system; do
    for l in "$prefix/lib/$(uname -m)-linux-gnu" "$prefix/lib64" "$prefix/lib"; do
      if complete "$prefix/include" "$l"; then include=$prefix/include lib=$l how='system'; return; fi
    done
  done
}

packages='libtorch-dev libopenblas0-pthread g++'
debian() { command -v apt-get >/dev/null && command -v dpkg >/dev/null; }
can_apt() { [ "$(id -u)" = 0 ] && debian; }

# advice: what else a user can do who has no libtorch.
advice() {
  if debian; then echo -n "as root, apt-get install $packages; or "; fi
  echo 'set LIBTORCH to the folder of a libtorch that you have'
}

apt_install() {
  say "installing Debian packages: $*"
  if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; then
    apt-get update -qq >/dev/null || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || return 1
  fi
}

# fetch URL FILE: goes on where an interrupted download ended.
fetch() {
  local progress=-sS
  if [ -t 2 ]; then progress='-#'; fi
  if command -v curl >/dev/null; then
    curl -fL $progress --retry 3 -C - -o "$2" "$1" || case $? in
      33 | 36) rm -f "$2" && curl -fL $progress --retry 3 -o "$2" "$1" ;; # it cannot go on there: from the start
      *) return 1 ;;
    esac
  elif command -v wget >/dev/null; then
    wget -nv -c -O "$2" "$1"
  else
    echo 'need curl or wget' >&2
    return 1
  fi
}

download() {
  local v url want got zip reason
  v=$(pinned version)
  url=${LIBTORCH_URL:-$(pinned url | sed "s/%BUILD%/$build/g; s/%VERSION%/$v/g")}
  want=$(pinned "sha256_$build")
  [ -n "$want" ] || want=$accept
  zip=third_party/libtorch-$v-$build.zip
  command -v unzip >/dev/null || { can_apt && apt_install unzip; } ||
    die "no libtorch here, and no unzip to unpack one: install unzip; or $(advice)" 3
  if [ ! -f "$zip" ]; then
    say "downloading $url"
    if [ -t 2 ]; then
      fetch "$url" "$zip.part" || die "no libtorch: download failed; $(advice)" 3
    else
      reason=$(fetch "$url" "$zip.part" 2>&1) || die "no libtorch: download failed: ${reason##*$'\n'}; $(advice)" 3
    fi
    mv "$zip.part" "$zip"
  fi
  got=$(sha256sum "$zip" | cut -d' ' -f1)
  if [ -z "$want" ]; then
    die "no checksum is known for $zip; it has $got. If you trust it, run again with --build $build --accept-sha256 $got; or $(advice)" 3
  fi
  if [ "$got" != "$want" ]; then
    rm -f "$zip"
    die "$url has checksum $got, want $want; the file was deleted" 3
  fi
  rm -rf $unpacked.tmp
  { unzip -q "$zip" -d $unpacked.tmp && complete $unpacked.tmp/libtorch/include $unpacked.tmp/libtorch/lib; } ||
    die "$zip cannot be unpacked, or holds no libtorch" 3
  echo "$build" >$unpacked.tmp/libtorch/.build
  rm -rf $unpacked
  mv $unpacked.tmp/libtorch $unpacked
  rm -rf $unpacked.tmp
}

find_existing
if [ -z "$include" ]; then
  if $print_only; then
    if [ -z "$asked" ] && can_apt; then
      echo "would install $packages"
    else
      echo "would download libtorch $(pinned version) ($build)"
    fi
    exit 0
  fi
  # shellcheck disable=SC2086
  if [ -n "$asked" ] || ! can_apt || ! apt_install $packages; then download; fi
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
compiles() { $cxx -std=c++20 -x c++ -fsyntax-only - <<<'int main(){}' 2>/dev/null; }
compiles || { can_apt && apt_install g++ && compiles; } ||
  die "need a C++ compiler with C++20, g++ 10 or clang 12 (on Debian: apt-get install g++); \$CXX names another"

# Archives and wheels before 2.7 may have been built with the old string ABI; mixing both gives undefined symbols. The
# constructor c10::Error(SourceLocation, std::string) shows it.
abi=''
if grep -q '_ZN3c105ErrorC[12]ENS_14SourceLocationESs' "$lib/libc10.so" 2>/dev/null; then abi=' -D_GLIBCXX_USE_CXX11_ABI=0'; fi

cxxflags="-isystem \"$include/torch/csrc/api/include\""
ldflags=''
if [ "$how" != system ]; then
  cxxflags="-isystem \"$include\" $cxxflags"
  ldflags="\"-L$lib\" \"-Wl,-rpath,$lib\""
  # A wheel keeps CUDA's own libraries beside torch.
  for d in "$lib"/../../nvidia/*/lib; do
    [ -d "$d" ] && ldflags="$ldflags \"-Wl,-rpath,$(cd "$d" && pwd)\""
  done
elif [ "${include#/usr/include}" = "$include" ]; then
  cxxflags="-isystem \"$include\" $cxxflags"
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
