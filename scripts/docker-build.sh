#!/usr/bin/env bash
# Builds the image of Dockerfile.cuda with docker, podman or buildah, the first that works. docs/docker.md is about the image.
#
# Exit codes: 0 done; 1 no tool, or the build failed; 2 wrong option.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
usage: scripts/docker-build.sh [options] [-- MORE...]

  --libtorch WHAT   cu126 (the default), cu128, cu130 or cpu: the pinned archive of that name
                    debian: the packages of the base, which is a Debian then; CPU only
                    an address: that archive, which is of the build in its name
                    a folder: an unpacked libtorch, with include/ and lib/
  --sha256 HEX      the checksum to accept for an archive without a known one
  --base IMAGE      what both stages begin with, a Debian or Ubuntu; default nvidia/cuda of the version that libtorch wants,
                    debian:trixie-slim for debian and cpu
  --go IMAGE|DIR    where Go is from: an image with /usr/local/go, or a GOROOT; default golang of the version in go.mod
  --modules DIR     Go modules that need no download: $(go env GOMODCACHE)/cache/download
  --tag NAME[:TAG]  default tigas-train:VERSION and tigas-train:latest, VERSION as git describes it
  -- MORE...        more arguments of the tool's build: --no-cache, --build-arg GOPROXY=...

$CONTAINER_TOOL chooses docker, podman or buildah.
USAGE
}

die() { echo "docker-build.sh: error: $1" >&2; exit "${2:-1}"; }

libtorch=cu126 sha256='' base='' go='' modules='' tag='' more=()
while [ $# -gt 0 ]; do
  case $1 in
    --libtorch | --sha256 | --base | --go | --modules | --tag)
      [ -n "${2:-}" ] || { usage >&2; exit 2; }
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    --) shift; more=("$@"); break ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

pinned() { sed -n "s/^$1=//p" third_party/libtorch.version; }

# LIBTORCH_BUILD of the Dockerfile, and what the label says.
build=$libtorch url='' args=()
case $libtorch in
  cpu | cu126 | cu128 | cu130)
    label=$(pinned version)+$build
    [ -n "$(pinned "sha256_$build")$sha256" ] ||
      die "no checksum is known for the archive $build; --sha256 HEX accepts one, and cu126 has one" 2
    ;;
  debian) label=debian ;;
  *://*)
    url=$libtorch
    build=$(grep -oE 'cu1[0-9]{2}|cpu' <<<"${url##*/}" || echo cpu)
    build=${build%%$'\n'*} label=$(sed -E 's/.*-([0-9.]+)(%2B|\+)(\w+)\.zip$/\1+\3/' <<<"${url##*/}")
    ;;
  *)
    [ -e "$libtorch/lib/libtorch_cpu.so" ] ||
      die "--libtorch $libtorch: want cu126, cu128, cu130, cpu, debian, an address, or a folder with include/ and lib/libtorch_cpu.so" 2
    # In a Python wheel CUDA's libraries lie beside torch, and would not come along.
    [ ! -d "$libtorch/../nvidia" ] || die "--libtorch $libtorch is that of a Python wheel, which lacks CUDA's libraries; want an unpacked archive" 2
    build='local' label=$(LIBTORCH=$libtorch scripts/libtorch.sh --print | cut -d' ' -f2)
    args+=(--build-context "local=$(cd "$libtorch" && pwd)")
    ;;
esac

# Nothing of a base's CUDA is used; but NVIDIA's say to its container runtime which driver it takes.
if [ -z "$base" ]; then
  case $build in
    cu126 | local) ;; # the Dockerfile's own
    cu128) base=docker.io/nvidia/cuda:12.8.1-base-ubuntu24.04 ;;
    cu130) base=docker.io/nvidia/cuda:13.0.1-base-ubuntu24.04 ;;
    debian | cpu) base=docker.io/library/debian:trixie-slim ;;
    *) die "no base is known for $build; --base names one" 2 ;;
  esac
fi

works() {
  case $1 in
    docker) docker info >/dev/null 2>&1 ;; # there may be a client and no daemon
    *) command -v "$1" >/dev/null ;;
  esac
}
tool=${CONTAINER_TOOL:-}
case $tool in
  '') for t in docker podman buildah; do if works $t; then tool=$t; break; fi; done ;;
  docker | podman | buildah) works "$tool" || die "CONTAINER_TOOL=$tool is not installed, or its daemon does not answer" ;;
  *) die "CONTAINER_TOOL=$tool: want docker, podman or buildah" 2 ;;
esac
[ -n "$tool" ] || die 'want docker (and its daemon running), podman or buildah; on Debian: apt-get install buildah'

version=$(git describe --tags --always --dirty 2>/dev/null || echo development)
revision=$(git rev-parse HEAD 2>/dev/null || true)
if [ -n "$tag" ]; then
  tags=("$tag")
else
  tags=("tigas-train:${version//[^A-Za-z0-9_.-]/-}" tigas-train:latest)
fi

for t in "${tags[@]}"; do args+=(--tag "$t"); done
[ -z "$base" ] || args+=(--build-arg "BASE=$base")
[ -z "$modules" ] || args+=(--build-context "modules=$modules")
if [ -d "$go" ]; then
  args+=(--build-arg GO=scratch --build-context "go=$go")
elif [ -n "$go" ]; then
  args+=(--build-arg "GO=$go")
fi
args+=(--build-arg "LIBTORCH_BUILD=$build" --build-arg "LIBTORCH_URL=$url" --build-arg "LIBTORCH_SHA256=$sha256"
  --build-arg "LIBTORCH_VERSION=$label" --build-arg "VERSION=$version" --build-arg "REVISION=$revision")
# buildah keeps no layers unless it is told to.
[ "$tool" != buildah ] || args+=(--layers)

"$tool" build --file Dockerfile.cuda "${args[@]}" "${more[@]}" .
echo "built with $tool: ${tags[*]}"
