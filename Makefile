# SPDX-License-Identifier: GPL-2.0-or-later
# Everything a person types; meson and ninja do the work. `make help` lists the targets.
SHELL := /bin/bash
BUILD ?= build
PYTHON := /usr/bin/python3
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# build; tests and their foreign judges; the demo
PACKAGES := build-essential clang clang-tidy libclang-rt-14-dev meson ninja-build pkg-config \
	liburing-dev libssl-dev libjson-c-dev libseccomp-dev libcmocka-dev scdoc \
	drbd-utils fio fuse3 nbdkit libnbd-bin libnbd-dev qemu-utils python3-pytest python3-pytest-xdist sqlite3 e2fsprogs xfsprogs \
	iproute2 util-linux valgrind procps strace resource-agents $(EXTRA_PACKAGES)

.PHONY: help deps build demo test test-asan test-tsan tidy sim sim-long bench fuzz install clean format check
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

deps: ## install what is missing (Debian 12)
	@missing=""; for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; fi

$(BUILD)/build.ninja:
	meson setup $(BUILD)

build: deps $(BUILD)/build.ninja ## compile everything
	ninja -C $(BUILD)

demo: build ## two hosts, a replicated file system, a crash, a failover: all on this machine
	$(SUDO) BSR_BUILD=$(abspath $(BUILD)) demo/run

test: build ## every test; the last line says how many passed and failed
	$(SUDO) $(PYTHON) scripts/run_tests.py --build $(BUILD)

test-asan: deps ## unit tests, fuzzers and clusters of hosts under AddressSanitizer and UndefinedBehaviorSanitizer
	$(SUDO) $(PYTHON) scripts/run_tests.py --only sanitized

# An engine has one thread; what carries it (suite threads: loops, links, front ends) may have more.
THREADED := host/loop_file_test host/loop_event_test host/link_test host/link_traffic_test host/link_raw_test \
	device/fuse_test device/nbd_test device/links_test
test-tsan: deps ## tests of the parts with threads under ThreadSanitizer
	[ -f build-tsan/build.ninja ] || meson setup build-tsan -Db_sanitize=thread -Db_lundef=false -Dwerror_dev=false
	ninja -C build-tsan $(THREADED)
	TSAN_OPTIONS=halt_on_error=1 setarch -R meson test -C build-tsan --no-rebuild --print-errorlogs \
		--timeout-multiplier 5 --suite threads

check: build ## style and layering checks only
	meson test -C $(BUILD) --suite style --print-errorlogs

sim: build ## a minute of simulated clusters and faults
	meson test -C $(BUILD) --suite sim --print-errorlogs

SEEDS ?= 1..100000
SIM ?=
sim-long: build ## a campaign: make sim-long SEEDS=1..1000000 [SIM="--nodes mix"]; resumable
	$(PYTHON) sim/run_seeds.py --sim $(BUILD)/sim/bsr-sim --seeds $(SEEDS) --state $(BUILD)/campaign-$(SEEDS)$(subst $() ,,$(SIM)).json --judge -- $(SIM)

bench: build ## compare with the bare disk and with other servers; results in bench/results
	$(SUDO) BSR_BUILD=$(abspath $(BUILD)) $(PYTHON) bench/bench.py
	$(SUDO) BSR_BUILD=$(abspath $(BUILD)) $(PYTHON) bench/thousand.py

FUZZ_SECONDS ?= 60
fuzz: deps ## run every fuzz target under libFuzzer for FUZZ_SECONDS each
	[ -f build-fuzz/build.ninja ] || CC=clang meson setup build-fuzz -Dfuzzers=true -Dwerror_dev=false
	ninja -C build-fuzz
	scripts/fuzz_all build-fuzz $(FUZZ_SECONDS)

install: build ## install to the system; DRBD_NAMES=1: also links named drbdadm, drbdsetup, drbdmeta in lib/bsr/drbd
	$(if $(DRBD_NAMES),meson configure $(BUILD) -Ddrbd_names=true)
	$(SUDO) meson install -C $(BUILD) --no-rebuild

tidy: build ## clang-tidy over every file (.clang-tidy): minutes
	$(PYTHON) scripts/tidy.py $(BUILD)

format: ## clang-format over the C files
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## remove build directories
	rm -rf $(BUILD) build-asan build-tsan build-fuzz
