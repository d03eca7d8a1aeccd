#!/usr/bin/env bash
# Tests scripts/libtorch.sh in copies of what it needs of a checkout, with a libtorch of three small files, a compiler that
# accepts everything, an apt-get that copies a folder, and a PATH that holds nothing but the tools named below. So neither
# the machine's libtorch nor this checkout's choice of one is seen or touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
repo=$tmp/repo go=$repo/cgo/internal/ctorch/libtorch_local.go
cases=0 failed=0 name='' good=true

# archive: a zip of libtorch/include/torch/version.h, which says 2.11.0, and empty lib/libtorch_cpu.so and lib/libc10.so.
archive() {
  base64 -d <<'END'
UEsDBBQAAAAIAAAAIQBS9Ba8MwAAAFsAAAAgAAAAbGlidG9yY2gvaW5jbHVkZS90b3JjaC92ZXJzaW9uLmhTTklNy8xLVQjxD3L2iA9zDQr29PeL93X0
8g9SMOJSxi7r6QeUNTTEIR3gGOLsoWDABQBQSwMEFAAAAAAAAAAhAAAAAAAAAAAAAAAAABwAAABsaWJ0b3JjaC9saWIvbGlidG9yY2hfY3B1LnNvUEsD
BBQAAAAAAAAAIQAAAAAAAAAAAAAAAAAWAAAAbGlidG9yY2gvbGliL2xpYmMxMC5zb1BLAQIUAxQAAAAIAAAAIQBS9Ba8MwAAAFsAAAAgAAAAAAAAAAAA
AACkAQAAAABsaWJ0b3JjaC9pbmNsdWRlL3RvcmNoL3ZlcnNpb24uaFBLAQIUAxQAAAAAAAAAIQAAAAAAAAAAAAAAAAAcAAAAAAAAAAAAAACkAXEAAABs
aWJ0b3JjaC9saWIvbGlidG9yY2hfY3B1LnNvUEsBAhQDFAAAAAAAAAAhAAAAAAAAAAAAAAAAABYAAAAAAAAAAAAAAKQBqwAAAGxpYnRvcmNoL2xpYi9s
aWJjMTAuc29QSwUGAAAAAAMAAwDcAAAA3wAAAAAA
END
}

# libtorch FOLDER VERSION: the same unpacked, with the header where most releases have it.
libtorch() {
  local v
  IFS=. read -ra v <<<"$2"
  mkdir -p "$1/include/torch/csrc/api/include/torch" "$1/lib"
  printf '#define TORCH_VERSION_%s\n' "MAJOR ${v[0]}" "MINOR ${v[1]}" "PATCH ${v[2]}" \
    >"$1/include/torch/csrc/api/include/torch/version.h"
  touch "$1/lib/libtorch_cpu.so" "$1/lib/libc10.so"
}

# tools NAME...: puts them into the PATH of the script, ours where there is one.
tools() {
  local t
  for t in "$@"; do
    if [ -e "$tmp/fake/$t" ]; then ln -sf "$tmp/fake/$t" "$repo/bin/"; else ln -sf "$(command -v "$t")" "$repo/bin/"; fi
  done
}

# a NAME: begins a case with a fresh checkout; not root, with a compiler, without libtorch, apt-get and curl.
a() {
  name=$1 good=true cases=$((cases + 1)) uid=1000
  rm -rf "$repo" "$tmp/usr"
  mkdir -p "$repo/scripts" "$repo/third_party" "$repo/bin" "${go%/*}" "$tmp/usr"
  cp "$root/scripts/libtorch.sh" "$repo/scripts"
  printf '%s\n' version=2.11.0 oldest=1.13 newest=2.14 "url=file://$tmp/%BUILD%-%VERSION%.zip" sha256_cpu= \
    "sha256_cu126=$sum" "sha256_cu128=${sum//[0-9]/0}" >"$repo/third_party/libtorch.version"
  tools bash env dirname uname cat cut sed awk grep sort mv rm mkdir id g++ sha256sum
}

# run RC [VARIABLE=VALUE...] [OPTION...]: runs the script and checks its exit code.
run() {
  local want=$1 got=0 vars=()
  shift
  while [[ ${1:-} == *=* ]]; do vars+=("$1"); shift; done
  env -i PATH="$repo/bin" FAKE_UID="$uid" FAKE_ROOT="$tmp" LIBTORCH_SYSTEM="$tmp/usr $tmp/usr/local" ${vars[@]+"${vars[@]}"} \
    "$repo/scripts/libtorch.sh" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || got=$?
  [ $got = "$want" ] || fail "got exit code $got vs $want"
}

fail() {
  ! $good || failed=$((failed + 1))
  good=false
  echo "libtorch_test.sh: $name: $*" >&2
  sed 's/^/    /' "$tmp/out" "$tmp/err" >&2
}

# What is to be on standard output (all of it), standard error (a part, or none), and in the file for Go.
out() { [ "$(cat "$tmp/out")" = "$1" ] || fail "want on standard output: $1"; }
err() { grep -qF -- "$1" "$tmp/err" || fail "want on standard error: $1"; }
quiet() { [ ! -s "$tmp/err" ] || fail "want nothing on standard error"; }
lines() { [ "$(wc -l <"$tmp/err")" = "$1" ] || fail "want $1 line(s) on standard error"; }
goes() { grep -qxF -- "$1" "$go" || fail "want in ${go##*/}: $1, got: $(cat "$go")"; }
none() { [ ! -e "$1" ] || fail "want no $1"; }

mkdir "$tmp/fake"
cat >"$tmp/fake/apt-get" <<'END'
#!/usr/bin/env bash
# Knows packages after an update only; installing copies $FAKE_ROOT/deb, or puts tools into the PATH.
echo "$*" >>"$FAKE_ROOT/repo/apt.log"
case $* in
  update*) echo >"$FAKE_ROOT/repo/lists" ;;
  *) [ -e "$FAKE_ROOT/repo/lists" ] || { echo 'E: Unable to locate package' >&2; exit 100; } ;;
esac
case $* in *libtorch-dev*) "$FAKE_ROOT/repo/bin/cp" -r "$FAKE_ROOT/deb/." "$FAKE_ROOT/usr" || exit 100 ;; esac
case $* in *g++*) "$FAKE_ROOT/repo/bin/ln" -sf "$FAKE_ROOT/fake/g++" "$FAKE_ROOT/repo/bin/g++" ;; esac
END
printf '#!/usr/bin/env bash\necho "$FAKE_UID"\n' >"$tmp/fake/id"
printf '#!/usr/bin/env bash\n' | tee "$tmp/fake/dpkg" >"$tmp/fake/g++"
chmod +x "$tmp"/fake/*
libtorch "$tmp/deb" 1.13.1
archive >"$tmp/cpu-2.11.0.zip"
sum=$(sha256sum "$tmp/cpu-2.11.0.zip" | cut -d' ' -f1)
for b in cu126 cu128 cu130; do cp "$tmp/cpu-2.11.0.zip" "$tmp/$b-2.11.0.zip"; done

a 'bad options'
for o in --nonsense extra --build --accept-sha256 '--build cu99' "--build ''"; do
  eval "run 2 $o"
  err 'usage: scripts/libtorch.sh'
done
run 2 LIBTORCH=/opt/libtorch --build cpu
err '--build cpu and LIBTORCH=/opt/libtorch contradict each other'
run 0 --help
none "$go"

a '$LIBTORCH'
libtorch "$tmp/my libtorch" 2.6.0
run 0 LIBTORCH="$tmp/my libtorch"
out "libtorch 2.6.0 (\$LIBTORCH, CPU): $tmp/my libtorch/lib"
quiet
goes "// #cgo CXXFLAGS: -isystem \"$tmp/my libtorch/include\" -isystem \"$tmp/my libtorch/include/torch/csrc/api/include\""
goes "// #cgo LDFLAGS: \"-L$tmp/my libtorch/lib\" \"-Wl,-rpath,$tmp/my libtorch/lib\""
goes 'package ctorch'
goes 'import "C"'
touch -d '2000-01-01' "$go"
run 0 LIBTORCH="$tmp/my libtorch"
[ "$go" -ot "$root/scripts/libtorch.sh" ] || fail 'the same answer was written again'

a '$LIBTORCH relative, before an earlier download, of an untested release'
libtorch "$repo/third_party/libtorch" 2.11.0
libtorch "$repo/mine" 2.15.0
touch "$repo/mine/lib/libtorch_cuda.so"
run 0 LIBTORCH=mine
out "libtorch 2.15.0 (\$LIBTORCH, CUDA): $repo/mine/lib"
err 'warning: libtorch 2.15.0 is outside the range 1.13 to 2.14'
lines 1
goes "// libtorch 2.15.0 (\$LIBTORCH, CUDA): $repo/mine/lib"

a '$LIBTORCH bad: not there, no library, no version'
run 1 LIBTORCH="$tmp/nowhere"
err "LIBTORCH=$tmp/nowhere: want a folder with include/torch and lib/libtorch_cpu.so"
lines 1
libtorch "$repo/mine" 2.6.0
rm "$repo/mine/lib/libtorch_cpu.so"
run 1 LIBTORCH=mine
touch "$repo/mine/lib/libtorch_cpu.so"
: >"$repo/mine/include/torch/csrc/api/include/torch/version.h"
run 1 LIBTORCH=mine
none "$go"

a 'a wheel: its header elsewhere, CUDA libraries beside it, the old string ABI'
wheel=$repo/site-packages
libtorch "$wheel/torch" 2.5.1
mv "$wheel/torch/include/torch/csrc/api/include/torch/version.h" "$wheel/torch/include/torch/version.h"
mkdir -p "$wheel/nvidia/cudnn/lib"
echo '_ZN3c105ErrorC2ENS_14SourceLocationESs std::__cxx11' >"$wheel/torch/lib/libc10.so"
run 0 LIBTORCH="$wheel/torch"
goes "// #cgo CXXFLAGS: -isystem \"$wheel/torch/include\" -isystem \"$wheel/torch/include/torch/csrc/api/include\" -D_GLIBCXX_USE_CXX11_ABI=0"
goes "// #cgo LDFLAGS: \"-L$wheel/torch/lib\" \"-Wl,-rpath,$wheel/torch/lib\" \"-Wl,-rpath,$wheel/nvidia/cudnn/lib\""

a 'an earlier download, before the system'
libtorch "$repo/third_party/libtorch" 2.11.0
libtorch "$tmp/usr" 1.13.1
run 0
out "libtorch 2.11.0 (downloaded, CPU): $repo/third_party/libtorch/lib"

a 'the system, at a place that the compiler does not know'
libtorch "$tmp/usr/local" 2.6.0
rm -rf "$tmp/usr/local/lib64"
mv "$tmp/usr/local/lib" "$tmp/usr/local/lib64"
run 0
out "libtorch 2.6.0 (system, CPU): $tmp/usr/local/lib64"
goes "// #cgo LDFLAGS: \"-L$tmp/usr/local/lib64\" \"-Wl,-rpath,$tmp/usr/local/lib64\""

a '--print'
run 0 --print
out 'would download libtorch 2.11.0 (cpu)'
run 0 --print --build cu126
out 'would download libtorch 2.11.0 (cu126)'
tools apt-get dpkg
uid=0
run 0 --print
out 'would install libtorch-dev libopenblas0-pthread g++'
libtorch "$tmp/usr" 1.13.1
run 0 --print
out "libtorch 1.13.1 (system, CPU): $tmp/usr/lib"
none "$go"

a 'no compiler'
libtorch "$tmp/usr" 1.13.1
run 1 CXX=false
err 'need a C++ compiler with C++20, g++ 10 or clang 12 (on Debian: apt-get install g++); $CXX names another'
lines 1
none "$go"

a 'Debian as root: packages, also without lists'
tools apt-get dpkg cp ln
uid=0
rm "$repo/bin/g++"
run 0
out "libtorch 1.13.1 (system, CPU): $tmp/usr/lib"
err 'installing Debian packages: libtorch-dev libopenblas0-pthread g++'
lines 1
grep -q '^update' "$repo/apt.log" || fail 'want apt-get update'

a 'Debian as root, with libtorch and without a compiler'
tools apt-get dpkg cp ln
uid=0
rm "$repo/bin/g++"
libtorch "$tmp/usr" 1.13.1
run 0
err 'installing Debian packages: g++'

a 'neither unzip nor a way to get it; neither curl nor wget'
run 3
err 'no libtorch here, and no unzip to unpack one: install unzip; or set LIBTORCH to the folder of a libtorch that you have'
tools apt-get dpkg
run 3
err 'or as root, apt-get install libtorch-dev libopenblas0-pthread g++; or set LIBTORCH'
ln -s "$tmp/fake/dpkg" "$repo/bin/unzip" # there, and not yet used
run 3
err 'download failed: need curl or wget; as root, apt-get install'

downloads() {
  local zip=$repo/third_party/libtorch-2.11.0-cu126.zip cpu=$repo/third_party/libtorch-2.11.0-cpu.zip

  a 'a download with the right checksum, though the system has a libtorch'
  tools curl unzip
  libtorch "$tmp/usr" 1.13.1
  run 0 --build cu126
  out "libtorch 2.11.0 (downloaded, CPU): $repo/third_party/libtorch/lib"
  err "downloading file://$tmp/cu126-2.11.0.zip"
  lines 1
  run 0
  out "libtorch 2.11.0 (downloaded, CPU): $repo/third_party/libtorch/lib"
  quiet
  rm "$zip"
  run 0 --build cu126
  quiet
  run 3 --build cpu # another one than that
  run 0 --build cpu --accept-sha256 "$sum"
  run 0 --build cpu
  quiet

  a 'a wrong checksum'
  tools curl unzip
  run 3 --build cu128
  err "has checksum $sum, want ${sum//[0-9]/0}; the file was deleted"
  lines 2
  none "$repo/third_party/libtorch-2.11.0-cu128.zip"
  none "$repo/third_party/libtorch"
  none "$go"

  a 'an unknown checksum, without any option; a tool of another Linux'
  tools curl unzip
  run 3
  err "no checksum is known for third_party/libtorch-2.11.0-cpu.zip; it has $sum. If you trust it, run again with --build cpu --accept-sha256 $sum"
  lines 2
  none "$repo/third_party/libtorch"
  run 0 LIBTORCH_URL=file:///nowhere --accept-sha256 "${sum^^}" # what was fetched is kept
  quiet
  out "libtorch 2.11.0 (downloaded, CPU): $repo/third_party/libtorch/lib"

  a 'a checksum accepted that is not the right one'
  tools curl unzip
  run 3 --accept-sha256 0123
  err "want 0123; the file was deleted"
  none "$cpu"

  a 'an address that does not answer'
  tools curl unzip
  run 3 LIBTORCH_URL="file://$tmp/nowhere.zip" --build cu126
  err "downloading file://$tmp/nowhere.zip"
  err "no libtorch: download failed: curl: (37)"
  lines 2
  none "$zip"

  a 'an interrupted download goes on'
  tools curl unzip
  head -c 100 "$tmp/cu126-2.11.0.zip" >"$zip.part"
  run 0 --build cu126
  none "$zip.part"
  rm -r "$repo/third_party/libtorch" "$zip"
  printf '%0100d' 0 >"$zip.part" # only who goes on keeps these
  run 3 --build cu126
  err 'the file was deleted'
  printf '%010000d' 0 >"$zip.part" # longer than the archive
  run 0 --build cu126

  a 'an archive of something else'
  tools curl unzip
  echo nonsense >"$tmp/nonsense"
  run 3 LIBTORCH_URL="file://$tmp/nonsense" --accept-sha256 "$(sha256sum "$tmp/nonsense" | cut -d' ' -f1)"
  err 'cannot be unpacked, or holds no libtorch'
  none "$go"

  a 'Debian as root, without such a package'
  tools curl unzip apt-get dpkg
  uid=0
  run 0 --accept-sha256 "$sum"
  err 'installing Debian packages: libtorch-dev'
  err 'downloading'
  out "libtorch 2.11.0 (downloaded, CPU): $repo/third_party/libtorch/lib"
}
if command -v curl >/dev/null && command -v unzip >/dev/null; then
  downloads
else
  echo 'libtorch_test.sh: no curl or no unzip here: the cases of downloads are left out'
fi

[ $failed = 0 ] || { echo "libtorch_test.sh: $failed of $cases cases failed" >&2; exit 1; }
echo "libtorch_test.sh: $cases cases passed"
