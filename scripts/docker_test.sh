#!/usr/bin/env bash
# Builds the image of Dockerfile.cuda with buildah on a Debian that debootstrap makes, with Debian's libtorch, and runs it.
# Wants root, buildah and debootstrap, and neither a daemon nor a registry of images: Debian's mirror is that of the
# machine's own apt, or $MIRROR; Go and its modules are the machine's. What is built stays for the next time, in build/image
# or $IMAGE_DIR, apart from the machine's own images.
#
# Exit codes: 0 passed; 1 a check failed, or something could not be built.
# shellcheck disable=SC2016 # commands for inside the image
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

suite=trixie # the newest release of Debian with a libtorch
say() { echo "docker_test.sh: $* (after $SECONDS s)"; }
die() { echo "docker_test.sh: error: $1" >&2; exit 1; }

for c in buildah debootstrap; do command -v $c >/dev/null || die "want $c: apt-get install $c"; done
[ "$(id -u)" = 0 ] || die 'want root, for debootstrap and chroot'
go=$(command -v go || echo /usr/local/go/bin/go)

# A mount namespace of its own: buildah leaves mounts behind, which would keep the folder from being removed.
[ -n "${IMAGE_TEST:-}" ] || exec env IMAGE_TEST=1 unshare -m scripts/docker_test.sh

mkdir -p "${IMAGE_DIR:=build/image}"
dir=$(cd "$IMAGE_DIR" && pwd)
rm -rf "$dir/run" # what it believes to be mounted
mkdir -p "$dir/tmp"
cat >"$dir/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$dir/graph"
runroot = "$dir/run"
CONF
export CONTAINERS_STORAGE_CONF=$dir/storage.conf BUILDAH_ISOLATION=chroot TMPDIR=$dir/tmp

# The folder of runs is the user's, who is not the one in the image here: 4321.
container='' host=$(mktemp -d)
finish() {
  [ -z "$container" ] || buildah rm "$container" >/dev/null || true
  rm -rf "$host"
}
trap finish EXIT
chmod 755 "$host"
mkdir "$host/runs" "$host/other" "$host/bin"
chown 1000:1000 "$host/runs"
chown 4321:4321 "$host/other"

# Without a tool there is one line.
ln -s "$(command -v dirname)" "$host/bin/dirname"
if said=$(unset CONTAINER_TOOL; PATH=$host/bin "$BASH" scripts/docker-build.sh --libtorch debian 2>&1); then die 'built without a tool'; fi
[[ $said == *'want docker'* && $said != *$'\n'* ]] || die "without a tool it says: $said"

# The base.
if ! buildah inspect --type image localhost/tigas-base >/dev/null 2>&1; then
  mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | grep -m1 -E '/debian/?$' || true)}
  [ -n "$mirror" ] || die 'no Debian mirror among the sources of apt; MIRROR=URL names one'
  rm -rf "$dir/base"
  debootstrap --variant=minbase "$suite" "$dir/base" "$mirror" >"$dir/base.log" 2>&1 || die "debootstrap failed: $(tail -n 1 "$dir/base.log")"
  rm -rf "$dir"/base/var/cache/apt/* "$dir"/base/var/lib/apt/lists/*
  # As in Debian's own images; and a mirror may be frozen at some day.
  echo force-unsafe-io >"$dir/base/etc/dpkg/dpkg.cfg.d/image"
  echo 'Acquire::Languages "none"; Acquire::Check-Valid-Until "false";' >"$dir/base/etc/apt/apt.conf.d/99image"
  c=$(buildah from scratch)
  buildah add --quiet "$c" "$dir/base" / >/dev/null
  buildah commit --quiet --rm "$c" localhost/tigas-base >/dev/null
  rm -rf "$dir/base"
  say "$suite is a base"
fi

"$go" mod download
CONTAINER_TOOL=buildah scripts/docker-build.sh --libtorch debian --base localhost/tigas-base --go "$("$go" env GOROOT)" \
  --modules "$("$go" env GOMODCACHE)/cache/download" --tag localhost/tigas-train:test >"$dir/build.log" 2>&1 ||
  { tail -n 30 "$dir/build.log" >&2; die "the image could not be built; see $dir/build.log"; }
say "the image is built: $(buildah images --format '{{.Size}}' localhost/tigas-train:test)"

config=$(buildah inspect --type image --format '{{.OCIv1.Config}}' localhost/tigas-train:test)
for want in 1000:1000 '[tigas-train] [--help]' /workspace SIGTERM NVIDIA_VISIBLE_DEVICES=all org.opencontainers.image.version: \
  org.pytorch.libtorch.version:debian org.opencontainers.image.base.name:localhost/tigas-base; do
  [[ $config == *"$want"* ]] || die "the image's configuration has no $want: $config"
done

container=$(buildah from localhost/tigas-train:test)
# in_image UID COMMANDS: runs them in the image. Runs of 4321 are in a folder of theirs.
in_image() {
  local runs=$host/runs
  [ "$1" = 1000 ] || runs=$host/other
  buildah run --user "$1:$1" --volume "$runs:/workspace/runs" "$container" -- sh -euc "$2"
}

# A user of another number has no entry in passwd.
for uid in 1000 4321; do
  in_image $uid '
    tigas-train doctor
    test "$(id -u)" != 0 -a -w "$HOME" -a -w "$XDG_CACHE_HOME" -a -w .
    tigas-train gan --kimg 0.5 --out runs/a
    tigas-train sample runs/a --n 4 --out runs/grid.png'
done
for f in "$host"/runs/grid.png "$host"/other/grid.png "$host"/{runs,other}/a/{log.jsonl,samples/reals.png,snapshots/manifest.json}; do
  [ -s "$f" ] || die "$f is missing"
done
[ -z "$(find "$host/runs" ! -uid 1000)$(find "$host/other" ! -uid 4321)" ] || die 'runs belong to somebody else'
say 'doctor and training passed'

in_image 1000 '
  tigas-train gan --kimg 1000 --tick 0.2 --out runs/b & pid=$!
  until test -s runs/b/log.jsonl; do kill -0 $pid; sleep 0.2; done
  kill -TERM $pid
  code=0; wait $pid || code=$?
  test $code = 75 || { echo "SIGTERM: exit code $code, want 75"; exit 1; }
  ls runs/b/snapshots/*.safetensors
  tigas-train gan --resume runs/b --dry-run'
say 'a run stopped with a snapshot'

# What a runtime image should not have.
in_image 1000 '
  for p in gcc g++ cc c++ clang cpp as ld go make python3 curl git; do
    if command -v $p; then echo "$p is in the image"; exit 1; fi
  done
  test -z "$(find / -xdev \( -name "*.a" -o -name "*.h" -o -name "*.hpp" \) -print -quit 2>/dev/null)"'
say 'passed'
