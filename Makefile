# SPDX-License-Identifier: BSD-2-Clause
# make [all] | tests | fuzzers        builds    V=1 verbose, SAN=1 ASan+UBSan, TSAN=1 ThreadSanitizer, WERROR=1, DPDK=0, WITH_KEYS=0, CC=clang
# make check | check-unit | lint | rfc          all tests; unit tests; texts and includes; MUSTs without code or test
# make check-kernel | check-kernels             tests under a guest kernel that has ESP: Debian 13's; its backports', too
# make check-kernel-all                         the first, with every test that can run over the kernel engine
# make fuzz | soak | walk                       long ones: FUZZ_SECONDS=, SOAK_MINUTES=
# make bench | bench-ike                        figures: packets; negotiations
# make install DESTDIR= | clean | format | fuzz-seeds

CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo 0.1)

SAN ?= 0
TSAN ?= 0
# show sa --with-keys: 0 leaves it out of xdpsecd
WITH_KEYS ?= 1
WERROR ?= $(if $(CI),1,0)
B ?= build$(if $(filter clang%,$(notdir $(CC))),-clang)$(if $(filter 1,$(SAN)),-san)$(if $(filter 1,$(TSAN)),-tsan)
Q := $(if $(V),,@)
# make -s says nothing but warnings
SILENT := $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
say = $(if $(or $(V),$(SILENT)),,@printf '  %-7s %s\n' $(1) $(2))

have = $(shell pkg-config --exists $(1) 2>/dev/null && echo 1)
DPDK ?= $(or $(call have,libdpdk),0)
HAVE_XDP := $(or $(call have,libxdp),0)

WARN := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wshadow -Wpointer-arith \
	-Wwrite-strings -Wundef
WARN_STRICT := -Wconversion
ifeq ($(WERROR),1)
WARN += -Werror
endif
CPPFLAGS += -D_GNU_SOURCE -I. -I$(B) -DXDPSEC_VERSION='"$(VERSION)"' -DHAVE_DPDK=$(if $(filter 0,$(DPDK)),0,1) \
	-DWITH_KEYS=$(if $(filter 0,$(WITH_KEYS)),0,1)
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 -fno-common -fstack-protector-strong -fPIE $(WARN) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now $(LDFLAGS)
ifeq ($(SAN),1)
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_ALL += -fsanitize=address,undefined
else ifeq ($(TSAN),1)
ALL_CFLAGS += -fsanitize=thread -fno-omit-frame-pointer
LDFLAGS_ALL += -fsanitize=thread
else
CPPFLAGS += -D_FORTIFY_SOURCE=2
endif

LIBS_COMMON := $(shell pkg-config --libs libcrypto)
LIBS_MAPS := $(shell pkg-config --libs libbpf)
LIBS_AGENT := $(shell pkg-config --libs libevent libevent_pthreads libmnl libseccomp libcap-ng 2>/dev/null) -lpthread -lm
LIBS_LOADER := $(if $(filter 1,$(HAVE_XDP)),$(shell pkg-config --libs libxdp)) $(LIBS_MAPS) $(shell pkg-config --libs libmnl)
LIBS_PLANE := $(if $(filter 1,$(HAVE_XDP)),$(shell pkg-config --libs libxdp)) $(LIBS_MAPS) \
	$(shell pkg-config --libs libmnl libcap-ng) -lpthread
LIBS_TOOL := $(shell pkg-config --libs smartcols jansson libpcap)
ifneq ($(DPDK),0)
DPDK_CFLAGS := $(shell pkg-config --cflags libdpdk)
LIBS_PLANE += -lrte_eal -lrte_cryptodev -lrte_mbuf -lrte_mempool -lrte_ring -lrte_kvargs -lrte_rcu
endif

common_src := $(wildcard common/*.c)
maps_src := $(wildcard maps/*.c)
loader_src := $(wildcard loader/*.c)
agent_src := $(wildcard agent/*.c agent/*/*.c agent/*/*/*.c)
plane_src := $(wildcard dataplane/*.c)
cli_src := $(wildcard tools/xdpsec/*.c)
# what the tool may link of the agent: its decoders and its algorithms
proto_src := $(wildcard agent/wire/*.c agent/crypt/*.c agent/cred/dn.c)
tool_src := $(wildcard tools/bench/*.c)
lab_src := $(wildcard tools/lab/*.c)
bpf_src := $(wildcard bpf/*.bpf.c)
unit_src := $(wildcard tests/unit/*_test.c)
bpftest_src := $(wildcard tests/bpf/*_test.c)
kerneltest_src := $(wildcard tests/kernel/*_test.c)
testtool_src := $(wildcard tests/net/*.c)
vectors_src := $(wildcard tests/vectors/*.c)
fuzz_src := $(wildcard tests/fuzz/*_fuzz.c)

objs = $(patsubst %.c,$(B)/%.o,$(1))
lib_src = $(filter-out %/main.c,$(1))

BINS := $(B)/xdpsecd $(B)/xdpsec-dataplane $(B)/xdpsec-loader $(B)/xdpsec
TOOLS := $(patsubst tools/bench/%.c,$(B)/bench/%,$(tool_src)) $(patsubst tools/lab/%.c,$(B)/lab/%,$(lab_src))
UNITS := $(patsubst %.c,$(B)/%,$(unit_src) $(bpftest_src) $(kerneltest_src))
TESTTOOLS := $(patsubst %.c,$(B)/%,$(testtool_src))

.PHONY: soak rfc walk all check check-unit check-kernel check-kernel-all check-kernels lint fuzz fuzzers fuzz-seeds bench bench-ike install clean tests format
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BINS) $(TOOLS)

tests: all $(UNITS) $(TESTTOOLS) $(B)/tests/vectors/vectors

# ---- BPF: one file a program, linked into one object, one skeleton ---------------------------
SKEL := $(B)/bpf/xdpsec.skel.h
BPF_CFLAGS := -target bpf -g -O2 -mcpu=v3 -Wall -Wextra -Wno-unused-function $(if $(filter 1,$(WERROR)),-Werror) \
	-D__bpf__ -I. -I/usr/include/$(shell uname -m)-linux-gnu

$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h maps/*.h)
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(B)/bpf/xdpsec.o: $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(bpf_src))
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKEL): $(B)/bpf/xdpsec.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name xdpsec_bpf > $@

# ---- objects ---------------------------------------------------------------------------------
$(B)/common/%.o $(B)/agent/wire/%.o: WARN += $(WARN_STRICT)
$(B)/dataplane/%.o $(B)/tests/unit/dp_%.o $(B)/tests/vectors/%.o $(B)/tools/bench/%.o: CPPFLAGS += $(DPDK_CFLAGS)
$(call objs,$(loader_src) $(bpftest_src) $(tool_src)): $(SKEL)

$(B)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(if $(filter common/% agent/wire/%,$<),$(WARN_STRICT)) -MMD -MP -c $< -o $@

define archive
$(B)/lib$(1).a: $$(call objs,$$(call lib_src,$$($(1)_src)))
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef
$(foreach lib,common maps loader agent plane cli proto,$(eval $(call archive,$(lib))))

link = $(CC) $(ALL_CFLAGS) $(LDFLAGS_ALL) -o $@

$(B)/xdpsecd: $(B)/agent/main.o $(B)/libagent.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_AGENT) $(LIBS_MAPS) $(LIBS_COMMON)

$(B)/xdpsec-dataplane: $(B)/dataplane/main.o $(B)/libplane.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_PLANE) $(LIBS_COMMON)

$(B)/xdpsec-loader: $(B)/loader/main.o $(B)/libloader.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_LOADER) $(LIBS_COMMON)

$(B)/xdpsec: $(B)/tools/xdpsec/main.o $(B)/libcli.a $(B)/libproto.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_TOOL) $(LIBS_COMMON)

$(B)/bench/%: $(B)/tools/bench/%.o $(B)/libplane.a $(B)/libloader.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $^ $(LIBS_PLANE) $(LIBS_LOADER) $(LIBS_COMMON) -lm

# the load generator speaks IKE with the agent's own encoders
$(B)/bench/ike_load: $(B)/tools/bench/ike_load.o $(B)/libagent.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $^ $(LIBS_AGENT) $(LIBS_MAPS) $(LIBS_COMMON)

$(B)/lab/%: $(B)/tools/lab/%.o $(B)/libcommon.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $^

# ---- tests: unit tests of the dataplane are called dp_*, of the loader and BPF live in tests/bpf; those in
# tests/kernel are started by its scripts, in the guest ------
$(B)/tests/unit/dp_%: $(B)/tests/unit/dp_%.o $(B)/libplane.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_PLANE) $(LIBS_COMMON) -lcmocka -ljansson

$(B)/tests/unit/cli_%: $(B)/tests/unit/cli_%.o $(B)/libcli.a $(B)/libagent.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_TOOL) $(LIBS_AGENT) $(LIBS_MAPS) $(LIBS_COMMON) -lcmocka

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libagent.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_AGENT) $(LIBS_MAPS) $(LIBS_COMMON) -lcmocka -ljansson

$(B)/tests/kernel/%: $(B)/tests/kernel/%.o $(B)/libagent.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_AGENT) $(LIBS_MAPS) $(LIBS_COMMON) -lcmocka -ljansson

$(B)/tests/bpf/%: $(B)/tests/bpf/%.o $(B)/libloader.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_LOADER) $(LIBS_COMMON) -lcmocka

$(B)/tests/net/%: $(B)/tests/net/%.o $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_MAPS) $(LIBS_COMMON)

# JSON lines in and out, over the code of both (tests/vectors/README)
$(B)/tests/vectors/vectors: $(call objs,$(vectors_src)) $(B)/libcli.a $(B)/libplane.a $(B)/libagent.a $(B)/libmaps.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_PLANE) $(LIBS_AGENT) $(LIBS_COMMON) -ljansson

# ---- fuzzers: clang and libFuzzer, each source compiled once with coverage. A fuzzer names the folders it
# needs in a comment, "fuzz-rooms: common agent/wire", and links what it uses of them; default: all of the
# agent (tests/fuzz/README) ----
FUZZ_SECONDS ?= 60
F := $(B)/fuzz
FUZZ_CFLAGS := -std=gnu11 -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	-D_GNU_SOURCE -I. -DXDPSEC_VERSION='"fuzz"' -DHAVE_DPDK=0 -DWITH_KEYS=1
FUZZERS := $(patsubst tests/fuzz/%.c,$(F)/%,$(fuzz_src))
fuzz_rooms = $(or $(shell sed -n 's|.*fuzz-rooms: *\([a-z0-9_ /-]*[a-z0-9]\).*|\1|p' $(1)), \
	common maps agent $(sort $(patsubst %/,%,$(dir $(wildcard agent/*/*.c agent/*/*/*.c)))))
fuzz_objs = $(patsubst %.c,$(F)/obj/%.o,$(filter-out %/main.c,$(wildcard $(addsuffix /*.c,$(1)))))

$(F)/obj/%.o: %.c
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@

define fuzzer
$(F)/obj/$(1).a: $$(call fuzz_objs,$$(call fuzz_rooms,tests/fuzz/$(1).c))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
$(F)/$(1): $(F)/obj/tests/fuzz/$(1).o $(F)/obj/$(1).a
	$$(call say,FUZZ,$$@)
	$$(Q)$$(CLANG) -fsanitize=fuzzer,address,undefined $$^ -o $$@ -Wl,--as-needed $$(LIBS_AGENT) $$(LIBS_TOOL) \
		$$(LIBS_MAPS) $$(LIBS_COMMON) -lcmocka
endef
$(foreach f,$(notdir $(FUZZERS)),$(eval $(call fuzzer,$(f))))

# writes the seeds that come from our own encoder
fuzz-seeds: $(B)/tests/fuzz/wire_seeds
	$(Q)$< tests/fuzz/corpus

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libagent.a $(B)/libcommon.a
	$(call say,LD,$@)
	$(Q)$(link) $^ $(LIBS_COMMON)

fuzzers: $(FUZZERS)

fuzz: $(FUZZERS)
	$(Q)tests/fuzz/run $(B)/fuzz $(FUZZ_SECONDS)

# ---- the rest ------------------------------------------------------------------------------
check: tests fuzzers
	$(Q)tests/run $(B)

check-unit: $(UNITS)
	$(Q)tests/run $(B) unit

# in QEMU, with what tests/kernel/fetch gets from Debian
check-kernel: tests
	$(Q)tests/run $(B) kernel

check-kernel-all: tests
	$(Q)KERNEL_ALL=1 tests/run $(B) kernel

check-kernels: tests
	$(Q)XDPSEC_KERNELS="trixie trixie-backports" tests/run $(B) kernel

lint:
	$(Q)tests/lint/run

# every order of crossing exchanges, with faults: minutes
walk: tests
	$(Q)WALK_THOROUGH=1 $(B)/tests/unit/ike_walk_test

# MUSTs of RFC 7296 that no code or no test cites
rfc:
	$(Q)tests/rfc/run

SOAK_MINUTES ?= 30
soak: tests
	$(Q)tests/perf/soak $(B) $(SOAK_MINUTES)

bench: all
	$(Q)tests/perf/run $(B)

# IKE_SA_INIT and IKE_AUTH: rate, CPU and memory of the responder, beside strongSwan's
bench-ike: all
	$(Q)tests/perf/ike.sh

format:
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

# Manual pages: left out, and said, where there is no scdoc.
MAN := $(if $(shell command -v scdoc),$(patsubst docs/man/%.scd,$(B)/man/%,$(wildcard docs/man/*.scd)))

$(B)/man/%: docs/man/%.scd
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)scdoc < $< > $@

# The administrator's xdpsec.conf is kept; the one of this version is beside the documents.
install: all $(MAN)
	install -D -m 0755 $(B)/xdpsecd $(DESTDIR)$(PREFIX)/sbin/xdpsecd
	install -D -m 0755 $(B)/xdpsec-dataplane $(DESTDIR)$(PREFIX)/sbin/xdpsec-dataplane
	install -D -m 0755 $(B)/xdpsec-loader $(DESTDIR)$(PREFIX)/sbin/xdpsec-loader
	install -D -m 0755 $(B)/xdpsec $(DESTDIR)$(PREFIX)/bin/xdpsec
	[ -e $(DESTDIR)$(SYSCONFDIR)/xdpsec/xdpsec.conf ] || \
		install -D -m 0644 deploy/xdpsec.conf $(DESTDIR)$(SYSCONFDIR)/xdpsec/xdpsec.conf
	for f in deploy/xdpsec.conf deploy/swanctl.conf.example deploy/swanctl-certs.conf.example; do \
		install -D -m 0644 $$f $(DESTDIR)$(PREFIX)/share/doc/xdpsec/examples/$${f##*/} || exit 1; done
	$(if $(MAN),for m in $(MAN); do install -D -m 0644 $$m $(DESTDIR)$(PREFIX)/share/man/man8/$${m##*/} || exit 1; done,@echo "no scdoc: no manual pages")
	install -d $(DESTDIR)$(UNITDIR)
	for u in deploy/systemd/*.service; do \
		sed 's|/usr/sbin/|$(PREFIX)/sbin/|; s|/etc/xdpsec/|$(SYSCONFDIR)/xdpsec/|' $$u \
			>$(DESTDIR)$(UNITDIR)/$${u##*/} && chmod 0644 $(DESTDIR)$(UNITDIR)/$${u##*/} || exit 1; done

clean:
	rm -rf build build-clang build-san build-clang-san

-include $(shell find $(B) -name '*.d' 2>/dev/null)
