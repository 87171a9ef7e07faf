# make demo    containers that talk through a vswitchd, from nothing to traffic and back to nothing
# make test    everything that is tested, end to end too
# make instructions  records how many instructions a frame takes, with which make test compares
# make bench   criterion's benchmarks, then the lab: the switch beside the kernel's bridge, NAT, VXLAN and macvlan
# make install programs, systemd units and completions, below PREFIX and DESTDIR; make uninstall takes them away
# make deb     the same as a Debian package
#
# Each works on a fresh Debian 12 with Rust, as root, with no step before it; but make deb needs cargo-deb.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Neither rustup's folder nor the system's is certain to be in the path of a root shell made by `su`.
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/local/sbin:/usr/sbin:/sbin

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Commands and the Debian package that has each.
BUILD_NEEDS := cc=gcc ld=binutils
DEMO_NEEDS := $(BUILD_NEEDS) ip=iproute2 ping=iputils-ping curl=curl iperf3=iperf3 python3=python3 \
	unshare=util-linux ps=procps
TEST_NEEDS := $(DEMO_NEEDS) setpriv=util-linux nsenter=util-linux prlimit=util-linux \
	sysctl=procps traceroute=traceroute turnserver=coturn turnutils_natdiscovery=coturn \
	tshark=tshark tcpdump=tcpdump ethtool=ethtool iptables-restore=iptables ovs-vswitchd=openvswitch-switch \
	dnsmasq=dnsmasq-base systemd-analyze=systemd dockerd=docker.io docker=docker.io tini=tini busybox=busybox-static \
	podman=podman runc=runc /usr/lib/cni/host-local=containernetworking-plugins valgrind=valgrind
BENCH_NEEDS := $(TEST_NEEDS) sockperf=sockperf vde_switch=vde-switch pasta=passt slirp4netns=slirp4netns \
	docker-proxy=docker.io

# What the end-to-end tests have measured.
FIGURES := $(abspath $(TARGET))/figures.txt
test: export VSWITCH_FIGURES := $(FIGURES)

# What the lab has measured.
BENCH := $(abspath $(TARGET))/bench

# Where things are installed; the units look for the programs there.
PREFIX := /usr/local
# Where engines look for CNI plugins.
CNI_BIN := /opt/cni/bin
# The programs that are installed, if they are not to be built.
BINARIES :=
INSTALL := PREFIX='$(PREFIX)' CNI_BIN='$(CNI_BIN)' packaging/install

.PHONY: help demo test instructions bench install uninstall deb

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo:
	@.ci/packages $(DEMO_NEEDS)
	cargo build --locked --release -p vswitchd -p vsctl
	demo/run '$(TARGET)/release'

# The end-to-end tests start the daemon and the command line that lie beside them: build those first.
test:
	@.ci/packages $(TEST_NEEDS)
	cargo build --locked --workspace
	@rm -f '$(FIGURES)'
	if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --locked --workspace --no-fail-fast; \
	else \
		cargo test --locked --workspace --no-fail-fast --lib --bins --tests; \
	fi
	cargo test --locked --workspace --doc --quiet
	@cat '$(FIGURES)'
	cargo run --locked --release -p counts -- check

instructions:
	@.ci/packages $(BUILD_NEEDS) valgrind=valgrind
	cargo run --locked --release -p counts -- record

bench:
	@.ci/packages $(BENCH_NEEDS)
	cargo bench --locked --workspace --bench '*'
	cargo build --locked --release -p vswitchd -p vsctl -p perf
	@mkdir -p '$(BENCH)'
	'$(TARGET)/release/perf' lab --seconds 3 --repeats 3 \
		--json '$(BENCH)/lab.json' --markdown '$(BENCH)/lab.md' --svg '$(BENCH)/lab.svg'
	@echo "The lab's figures are in $(BENCH): lab.json, lab.md, lab.svg."

install:
ifeq ($(BINARIES),)
	@.ci/packages $(BUILD_NEEDS)
	cargo build --locked --release -p vswitchd -p vsctl
endif
	@$(INSTALL) install '$(or $(BINARIES),$(TARGET)/release)'

uninstall:
	@$(INSTALL) uninstall

deb:
	@.ci/packages $(BUILD_NEEDS) dpkg-shlibdeps=dpkg-dev
	@cargo deb --version >/dev/null 2>&1 || \
		{ echo 'error: cargo-deb is missing: cargo install --locked cargo-deb' >&2; exit 1; }
	cargo build --locked --release -p vswitchd -p vsctl
	@rm -rf '$(TARGET)/release/package'
	@DESTDIR='$(abspath $(TARGET))/release/package' PREFIX=/usr CNI_BIN=/usr/lib/cni \
		packaging/install install '$(TARGET)/release'
	cargo deb --locked --no-build -p vswitchd
