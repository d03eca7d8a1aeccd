# Two commands do all the set-up: `make demo` and `make test`, each as the first one in a fresh clone.

GO      ?= $(or $(shell command -v go),/usr/local/go/bin/go)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
BIN     := bin/tigas-train
STATIC  := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOTORCH := ./pkg/gotorch/... ./examples/gotorch-dcgan/...

# Tests of several packages run at once: threads that spin while they wait take the cores that the others need.
test check gotorch: export OMP_WAIT_POLICY = PASSIVE

.PHONY: help libtorch build demo test gotorch check lint bench fuzz detector man image clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*##/ {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

libtorch: ## find libtorch, or install it
	@scripts/libtorch.sh

build: libtorch ## build bin/tigas-train
	@$(GO) build -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/tigas-train

demo: build ## build, and train a GAN on the demo pictures: two minutes on two cores
	$(BIN) gan --tigas-weight 0.1

test: libtorch ## vet and unit tests
	@scripts/libtorch_test.sh
	$(GO) vet -tags invariants ./...
	$(GO) test -tags invariants -timeout 20m ./...
	@$(MAKE) --no-print-directory gotorch

# Where gotorch cannot be had or compiled, the script says so with exit code 3, and its tests are left out.
gotorch: libtorch ## compile gotorch's C++, and test what shares tensors with it
	@rc=0; scripts/gotorch.sh || rc=$$?; \
	if [ $$rc = 3 ]; then echo 'the tests of gotorch are left out'; exit 0; fi; \
	[ $$rc = 0 ] || exit $$rc; \
	set -x; $(GO) vet -tags "invariants gotorch" $(GOTORCH) && $(GO) test -tags "invariants gotorch" $(GOTORCH)

check: test lint ## everything: race detector and long tests too
	$(GO) test -race -tags invariants -timeout 40m ./cgo/... ./pkg/data/... ./pkg/monitor/... ./pkg/tigas/... ./pkg/trainers/...
	$(GO) test -tags "invariants slow" -timeout 40m ./...

lint: libtorch ## gofmt, vet, staticcheck
	@files=$$(gofmt -l cmd cgo pkg examples); if [ -n "$$files" ]; then echo "gofmt: $$files"; exit 1; fi
	$(GO) vet -tags invariants ./...
	$(GO) run $(STATIC) -tags invariants ./...
	$(GO) run $(STATIC) -tags "invariants gotorch" $(GOTORCH)

bench: build ## ratios against Python and gotorch on the same libtorch
	bench/run.sh

fuzz: libtorch ## fuzz every parser of files, ten minutes each
	scripts/fuzz.sh

detector: build ## train the embedded detector anew (pkg/tigas/embedded.pt)
	$(BIN) detector demo --out pkg/tigas/embedded.pt

man: build ## write the manual pages to build/man
	$(BIN) man --out build/man

image: ## build the image for GPUs, with docker, podman or buildah
	scripts/docker-build.sh

clean: ## remove what was built; runs and downloads stay
	rm -rf bin build
