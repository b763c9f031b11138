# Active Users. `make help` says what there is.
#
# SAN=1 builds everything with AddressSanitizer and UBSan, into a directory of its own. CPPFLAGS,
# CFLAGS and LDFLAGS are the builder's, from the environment or the command line: they stand behind
# what is needed here, and never in its place. docs/howto/packaging.md tells of the rest.
# FUZZ=1 builds the fuzzers with clang, into another directory.

.DEFAULT_GOAL := all
SHELL   := /bin/bash
VERSION := $(file < VERSION)
CC      ?= cc
OBJCOPY ?= objcopy
PKG_CONFIG ?= pkg-config
SAN     ?= 0
# A new compiler warns of more, which must not break an old release.
WERROR  ?= $(if $(CI),1)
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)

# Where `make install` puts things.
DESTDIR ?=
PREFIX  ?= /usr/local
prefix  ?= $(PREFIX)
bindir  ?= $(prefix)/bin
libdir  ?= $(prefix)/lib
includedir ?= $(prefix)/include
mandir  ?= $(prefix)/share/man
unitdir ?= $(prefix)/lib/systemd/system
sysconfdir ?= $(if $(filter /usr,$(prefix)),/etc,$(prefix)/etc)

# Compilers side by side, where this file calls make again: `make run` and the tests.
JOBS    ?= $(shell nproc 2>/dev/null || echo 1)
BUILD   = $(MAKE) --no-print-directory -j$(JOBS)

FUZZ    ?= 0
OUT     := $(if $(filter 1,$(FUZZ)),build/fuzz,$(if $(filter 1,$(SAN)),build/sanitize,build))
OBJ     := $(OUT)/obj

# ---- packages ---------------------------------------------------------------
# One line each in docs/reference/dependencies.md says why.
DEB_BUILD := build-essential pkg-config libuv1-dev libhiredis-dev libssl-dev \
             libwebsockets-dev libcjson-dev libcurl4-openssl-dev
DEB_TEST  := libcmocka-dev redis-server nginx haproxy caddy openssl curl iproute2 chromium locales \
             libfaketime man-db firefox-esr webkit2gtk-driver xvfb libjwt-dev python3 prometheus
DEB_LINT  := clang-format clang-tidy
DEB_FUZZ  := clang libclang-rt-dev
# What the benchmark measures the daemon against. Where they cannot be had, its rows say so.
DEB_PEERS := libnginx-mod-nchan redis-tools
# llhttp is a library in Debian 13 and C source in Debian 12.
DEB_LLHTTP := $(shell grep -qs 'VERSION_CODENAME=bookworm' /etc/os-release && echo node-llhttp || echo libllhttp-dev)

# Valkey, Redis's sibling, is in Debian 13.
DEB_TEST += $(shell grep -qs 'VERSION_CODENAME=bookworm' /etc/os-release || echo valkey-server)

# $(call apt_install,packages): installs what is missing, and says so. With NO_DEPS=1, as where a
# package is built, nothing is installed: what is missing is named, and that is all.
define apt_install
@missing=; for p in $(1); do \
  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
if [ -n "$$missing" ]; then \
  if [ "$(NO_DEPS)" = 1 ]; then echo "missing, and NO_DEPS=1 forbids to install:$$missing" >&2; exit 1; fi; \
  echo "installing:$$missing"; \
  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
  log=$$(mktemp); \
  { $$sudo apt-get update && $$sudo env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends $$missing; } >"$$log" 2>&1 \
    || { cat "$$log" >&2; rm -f "$$log"; exit 1; }; rm -f "$$log"; fi
endef

# $(call npm_install,folder): what its lock file names, once.
define npm_install
@[ $(1)/node_modules/.package-lock.json -nt $(1)/package-lock.json ] || \
  { if [ "$(NO_DEPS)" = 1 ]; then \
      echo "missing, and NO_DEPS=1 forbids to install: npm packages of $(1)/" >&2; exit 1; fi; \
    echo "installing: npm packages of $(1)/"; \
    npm ci --prefix $(1) --no-audit --no-fund --loglevel=error >/dev/null && \
    touch $(1)/node_modules/.package-lock.json; }
endef

# ---- what is built ----------------------------------------------------------
MAIN_SRC := $(addprefix src/server/,main.c process.c) \
            $(sort $(wildcard src/server/options/*.c src/server/cli/*.c))
LIB_SRC  := $(filter-out $(MAIN_SRC),$(sort $(shell find src/server -name '*.c')))
LIB_OBJ  := $(LIB_SRC:%.c=$(OBJ)/%.o)
MAIN_OBJ := $(MAIN_SRC:%.c=$(OBJ)/%.o)
OPTIONS_OBJ := $(filter $(OBJ)/src/server/options/%.o,$(MAIN_OBJ))
LIB      := $(OUT)/libactive_users.a
INNER    := $(OBJ)/inner.a
DAEMON   := $(OUT)/active-users

# The browser SDK goes into the binary. Where there is no Node, or its packages are not fetched
# (`make deps`), it is the one that `make dist` has put into a release; else there is none.
SDK    := $(if $(wildcard src/client/node_modules/.package-lock.json),$(shell node -p 1 2>/dev/null))
BUILT_SDK := src/client/built
ASSETS := $(if $(SDK),build/client/assets.c,$(or $(wildcard $(BUILT_SDK)/assets.c),build/no-client/assets.c))
# Named after its source: a tree that gets its Node later needs the other one.
ASSETS_OBJ := $(OBJ)/$(patsubst build/%,%,$(ASSETS:%.c=%.o))

PKGS := libuv hiredis libssl libcrypto libwebsockets libcjson libcurl
ifeq ($(shell $(PKG_CONFIG) --exists libllhttp >/dev/null 2>&1 && echo yes),yes)
  PKGS += libllhttp
else
  LLHTTP_DIR := /usr/share/llhttp
  LLHTTP_INC := -isystem /usr/share/include/llhttp
  LLHTTP_OBJ := $(patsubst %,$(OBJ)/llhttp/%.o,api http llhttp)
endif

WARN     := -Wall -Wextra -Wpedantic $(if $(filter 1,$(WERROR)),-Werror) -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wundef
HARDEN   := -fstack-protector-strong -fPIE -fno-plt
OPTIMISE := -O2 -g
ifeq ($(SAN),1)
  OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
  SAN_LD   := -fsanitize=address,undefined
else ifeq ($(FUZZ),1)
  CC       := clang
  OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=all
  SAN_LD   := -fsanitize=fuzzer,address,undefined
  WARN     += -Wno-unneeded-internal-declaration # of a constant that only sizeof reads
else
  # Twice with two levels is an error of the compiler: a builder's own wins.
  HARDEN   += $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,-D_FORTIFY_SOURCE=2)
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
# Of embedders, who have no look inside; and ours.
OUTER_CPPFLAGS := -D_GNU_SOURCE -DAU_VERSION='"$(VERSION)"' -Iinclude $(LLHTTP_INC) $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CPPFLAGS := -Isrc/server $(OUTER_CPPFLAGS)
ALL_CFLAGS   := -std=c11 $(OPTIMISE) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS  := -pie -Wl,-z,relro,-z,now $(SAN_LD) $(LDFLAGS)
LDLIBS     := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null) -lm

# The load generator, and the server of a hundred lines that the daemon is measured against.
LOAD_SRC := $(filter-out tests/load/bare.c tests/load/fill_history.c,$(wildcard tests/load/*.c))
LOAD_OBJ := $(LOAD_SRC:%.c=$(OBJ)/%.o)
LOAD_LIB := $(OBJ)/load.a
LOAD     := $(OUT)/au-load
BARE     := $(OUT)/bare
FILL_HISTORY := $(OUT)/fill-history
FAIL_MALLOC := build/fail_malloc.so
BENCH_ENV = AU_DAEMON=$(abspath $(DAEMON)) AU_LOAD=$(abspath $(LOAD)) AU_BARE=$(abspath $(BARE)) \
            AU_FILL_HISTORY=$(abspath $(FILL_HISTORY))

# The many connections of the attack suite.
FLOOD_SRC  := $(wildcard tests/attack/*.c)
FLOOD_OBJ  := $(FLOOD_SRC:%.c=$(OBJ)/%.o)
FLOOD      := $(OUT)/au-flood
ATTACK_ENV  = AU_DAEMON=$(abspath $(DAEMON)) AU_FLOOD=$(abspath $(FLOOD))

# The seeded simulation of stores and services.
SIM_SRC := $(wildcard tests/sim/*.c)
SIM_OBJ := $(SIM_SRC:%.c=$(OBJ)/%.o)
SIM     := $(OUT)/sim

# One program each. With FUZZ=1 libFuzzer drives it, else replay.c, which needs gcc alone.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(OUT)/fuzzers/%)
FUZZ_OBJ := $(if $(filter 1,$(FUZZ)),,$(OBJ)/tests/fuzz/replay.o) $(OBJ)/tests/fuzz/fuzz.o \
            $(OBJ)/tests/fuzz/client.o $(OBJ)/tests/fuzz/fake.o

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(OUT)/unit/%)

# What several unit tests share.
FIXTURE_OBJ := $(patsubst %.c,$(OBJ)/%.o,$(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)))
FIXTURES    := $(OBJ)/fixtures.a

.PHONY: all
all: $(DAEMON) $(LIB) $(LOAD) ## build build/active-users, build/libactive_users.a and build/au-load

# n of m, where m is how many were missing, or older than their source or this file, when make
# began; what a changed header adds is not known before. Says nothing in CI.
STALE = $(shell for c in $(LIB_SRC) $(MAIN_SRC) $(LOAD_SRC); do o="$(OBJ)/$${c%.c}.o"; \
          [ "$$o" -nt $$c ] && [ "$$o" -nt Makefile ] || echo x; done)
count = $(eval TOTAL := $(or $(TOTAL),$(STALE)))$(eval DONE += x)[$(words $(DONE)) of $(words \
          $(if $(word $(words $(DONE)),$(TOTAL)),$(TOTAL),$(DONE)))]

# A line before the compiler's hundred. $(call need_packages,names of pkg-config,target that installs)
define need_packages
@missing=; for p in $(1); do $(PKG_CONFIG) --exists $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
[ -z "$$missing" ] || { echo "missing libraries, by $(PKG_CONFIG):$$missing; \"make $(2)\" installs them" >&2; exit 1; }
endef

$(OBJ)/found:
	@command -v $(firstword $(CC)) >/dev/null || \
	  { echo 'there is no compiler ($(firstword $(CC))): "make deps-build" installs what building needs' >&2; exit 1; }
	$(call need_packages,$(PKGS),deps-build)
	@mkdir -p $(@D) && touch $@

$(OBJ)/found-for-tests: | $(OBJ)/found
	$(call need_packages,cmocka libjwt,deps)
	@touch $@

$(OBJ)/%.o: %.c Makefile VERSION | $(OBJ)/found
	@mkdir -p $(@D)
	$(if $(CI),,@echo "  cc  $(count) $<")
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

# Debian's source, not ours: its warnings are not errors here. The strict mode of 8.x
# refuses what 9.x always refuses, such as two arbitrary bytes after a chunk.
$(OBJ)/llhttp/%.o: $(LLHTTP_DIR)/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) -DLLHTTP_STRICT_MODE=1 $(ALL_CFLAGS) -w -c -o $@ $<

API := docs/openapi.yaml docs/asyncapi.yaml

build/client/assets.c: VERSION docs/reference/sdk.md $(API) $(wildcard src/client/*.* src/client/*/*.ts src/client/dashboard/*)
	@echo "  js  $(@D)"
	@node src/client/build.mjs $(@D)

build/no-client/assets.c: src/packaging/plain-assets.sh $(API)
	@mkdir -p $(@D)
	@$< $(API) > $@.new && mv $@.new $@

$(ASSETS_OBJ): $(ASSETS) src/server/transports/assets.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(WARN) -c -o $@ $<

# For the daemon and the unit tests, which look inside. Objects of two folders may have one base
# name, and ar names members by that alone: so each archive is made anew and `q` appends, where `r`
# would look for a member to replace.
$(INNER): $(LIB_OBJ) $(LLHTTP_OBJ) $(ASSETS_OBJ)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

# For embedders: one object that shows only what begins with au_.
$(LIB): $(LIB_OBJ) $(LLHTTP_OBJ) $(ASSETS_OBJ)
	@rm -f $@
	$(Q)$(LD) -r -o $(OBJ)/active_users.o $^
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='au_*' $(OBJ)/active_users.o
	$(Q)$(AR) qcs $@ $(OBJ)/active_users.o

$(DAEMON): $(MAIN_OBJ) $(INNER)
	@echo "  ld  $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(MAIN_OBJ) $(INNER) $(LDLIBS)

$(FIXTURES): $(FIXTURE_OBJ)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

# Without main.o, for the unit tests.
$(LOAD_LIB): $(filter-out %/main.o,$(LOAD_OBJ))
	@rm -f $@
	$(Q)$(AR) qcs $@ $^

$(LOAD): $(OBJ)/tests/load/main.o $(LOAD_LIB) $(INNER)
	@echo "  ld  $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $$($(PKG_CONFIG) --libs libuv) -lm

$(BARE): tests/load/bare.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(WARN) $(ALL_LDFLAGS) -o $@ $<

$(FILL_HISTORY): $(OBJ)/tests/load/fill_history.o $(LOAD_LIB) $(INNER)
	@echo "  ld  $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lm

$(FLOOD): $(FLOOD_OBJ)
	@echo "  ld  $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^

$(OUT)/metrics-table: tests/lint/metrics_table.c src/server/stats.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $<

# Kept, so that the next build is quick.
.SECONDARY: $(FUZZ_SRC:%.c=$(OBJ)/%.o) $(FUZZ_OBJ)
$(OUT)/fuzzers/%: $(OBJ)/tests/fuzz/fuzz_%.o $(FUZZ_OBJ) $(OPTIONS_OBJ) $(INNER)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(SIM): $(SIM_OBJ) $(INNER)
	@echo "  ld  $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(SIM_OBJ) $(INNER) $(LDLIBS)


-include $(OBJ)/tests/load/fill_history.d $(FIXTURE_OBJ:.o=.d) $(FLOOD_OBJ:.o=.d) $(LIB_OBJ:.o=.d) $(LOAD_OBJ:.o=.d) $(SIM_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) \
  $(wildcard $(OBJ)/tests/fuzz/*.d) \
  $(wildcard $(OUT)/unit/*.d)

# ---- first steps ------------------------------------------------------------
.PHONY: deps-build deps run
deps-build:
	$(call apt_install,$(DEB_BUILD) $(DEB_LLHTTP))

deps: deps-build ## install what building and testing need: Debian packages by apt, npm's by npm
	$(call apt_install,$(DEB_TEST))
	@node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null || \
	  $(MAKE) --no-print-directory deps-node
	@npm --version >/dev/null 2>&1 || $(MAKE) --no-print-directory deps-npm
	$(call npm_install,src/client)
	$(call npm_install,tests)
	$(call npm_install,tests/projects)
	$(call npm_install,tests/packaging)
	@$(MAKE) --no-print-directory deps-peers || echo "not all peers of the benchmark are here: its rows say which"

.PHONY: deps-node deps-npm deps-lint deps-client deps-peers deps-peers-apt deps-peers-npm
deps-peers:
	@failed=0; $(MAKE) --no-print-directory deps-peers-npm || failed=1; \
	  $(MAKE) --no-print-directory deps-peers-apt || failed=1; exit $$failed
deps-peers-apt:
	$(call apt_install,$(DEB_PEERS))
deps-peers-npm:
	$(call npm_install,tests/load/peers)
deps-node:
	$(call apt_install,nodejs)
deps-npm:
	$(call apt_install,npm)
deps-lint:
	$(call apt_install,$(DEB_LINT))

# The browser SDK is built where npm is at hand; it is not installed for that.
NO_SDK = npm is missing, so this daemon has no browser SDK and /client.js is 404: "make deps" installs it
deps-client:
	$(if $(wildcard $(BUILT_SDK)/assets.c),@true,$(if $(shell npm --version 2>/dev/null),$(call npm_install,src/client),@echo '$(NO_SDK)'))

# A second make, because what pkg-config finds is known only after the install.
run: deps-build deps-client ## install what building needs, build and start (ARGS="--flag …")
	@+$(BUILD) all
	@exec $(DAEMON) $(ARGS)

# ---- tests ------------------------------------------------------------------
.PHONY: test unit client docs-test population population-short integration load browser projects test-projects bench attack attack-short sanitize oom test-built check packaging upgrade test-upgrade test-slow
test: deps ## install what is needed and run every test
	@$(MAKE) --no-print-directory test-built

check: test-built ## every test with what is there: installs nothing

test-built:
	@+$(BUILD) all
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory replay
	@$(MAKE) --no-print-directory sim
	@$(MAKE) --no-print-directory load
	@$(MAKE) --no-print-directory client
	@$(MAKE) --no-print-directory integration
	@$(MAKE) --no-print-directory packaging
	@$(MAKE) --no-print-directory docs-test
	@$(MAKE) --no-print-directory upgrade
	@$(MAKE) --no-print-directory population-short
	@$(MAKE) --no-print-directory attack-short
	@$(MAKE) --no-print-directory oom-built
	@$(MAKE) --no-print-directory browser
	@$(MAKE) --no-print-directory projects

# C unit tests always run under the sanitizers.
unit: ## run the C unit tests (ASan + UBSan)
	@+$(BUILD) SAN=1 run-unit
	@$(MAKE) --no-print-directory SAN=0 history-memory

# What counts the bytes of malloc itself, which the sanitizers replace.
.PHONY: history-memory
history-memory: $(OUT)/unit/test_history_table ## compare what the history counts with what it allocates
	@GLIBC_TUNABLES=glibc.malloc.tcache_count=0 $<

.PHONY: run-unit
run-unit: $(UNIT_BIN)
	@rm -f $(UNIT_BIN:%=%.failed)
	@printf '%s\n' $(UNIT_BIN) | xargs -P 4 -I{} sh -c '{} >{}.log 2>&1 || touch {}.failed'
	@failed=0; for t in $(UNIT_BIN); do cat $$t.log; [ ! -e $$t.failed ] || failed=1; done; exit $$failed

# The fixtures come first: one of them is the clock of what it is linked with, so it may be taken
# only by a test that names it.
$(OUT)/unit/%: tests/unit/%.c $(FIXTURES) $(OPTIONS_OBJ) $(LOAD_LIB) $(INNER) | $(OBJ)/found-for-tests
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(WARN) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< \
	  $(FIXTURES) $(OPTIONS_OBJ) $(LOAD_LIB) $(INNER) $(LDLIBS) $$($(PKG_CONFIG) --libs cmocka libjwt)

.PHONY: fuzz replay run-fuzz run-replay
FUZZ_SECONDS ?= 60
fuzz: ## let each fuzzer try new inputs for a minute (FUZZ_SECONDS=60, FUZZERS=http,wire)
	$(call apt_install,$(DEB_FUZZ))
	@$(MAKE) --no-print-directory FUZZ=1 run-fuzz

run-fuzz: $(FUZZ_BIN)
	@tests/fuzz/fuzz.sh $(OUT)/fuzzers $(FUZZ_SECONDS) $(if $(FUZZERS),$(FUZZERS),$(FUZZ_SRC:tests/fuzz/fuzz_%.c=%))

# What fuzzers have found so far, under the sanitizers and by the compiler of everything else.
replay: ## run the fuzzers over the inputs in tests/fuzz/corpus (seconds)
	@+$(BUILD) SAN=1 run-replay

run-replay: $(FUZZ_BIN)
	@failed=0; for f in $(FUZZ_BIN); do $$f tests/fuzz/corpus/$${f##*/} || failed=1; done; exit $$failed

# Always under the sanitizers, too.
SEEDS     ?= 200
SEED_FROM ?= 1
SIM_JOBS  ?= 2
.PHONY: sim run-sim sim-mutants
sim: ## run the simulation (SEEDS=10000, or SEED=n for one, VERBOSE=1 for its steps)
	@+$(BUILD) SAN=1 run-sim

run-sim: $(SIM)
	@$(SIM) $(if $(SEED),--from $(SEED) --seeds 1,--from $(SEED_FROM) --seeds $(SEEDS)) \
	  --jobs $(SIM_JOBS) $(if $(VERBOSE),--verbose)

sim-mutants: ## break the store in a dozen ways: the simulation must find each
	@tests/sim/mutants.sh

integration: all $(OUT)/embed ## run the integration tests against the built daemon
	@AU_DAEMON=$(abspath $(DAEMON)) AU_EMBED=$(abspath $(OUT)/embed) \
	  node --test --test-concurrency=4 --test-reporter=$(if $(CI),tap,spec) $(sort $(wildcard tests/integration/*.test.mjs))

client: $(ASSETS) ## run the unit tests of the browser SDK
	@node --test --test-reporter=$(if $(CI),tap,spec) $(sort $(wildcard tests/client/*.test.mjs))

load: all $(BARE) $(FILL_HISTORY) ## run the tests of au-load and of the benchmark
	@$(BENCH_ENV) node --test --test-concurrency=1 --test-reporter=$(if $(CI),tap,spec) \
	  $(sort $(wildcard tests/load/*.test.mjs))

bench: deps ## measure the daemon beside its peers (BENCH=quick, ROWS=http,storm) (installs)
	@$(MAKE) --no-print-directory bench-built

.PHONY: bench-built
bench-built: all $(BARE) $(FILL_HISTORY)
	@$(BENCH_ENV) BENCH=$(BENCH) ROWS=$(ROWS) node tests/load/bench.mjs

conformance: deps ## HTTP and WebSocket by the letter: ours beside nginx and ws (installs)
	@$(MAKE) --no-print-directory conformance-built

.PHONY: conformance conformance-built
conformance-built: all
	@$(BENCH_ENV) node tests/conformance/compare.mjs

population-short: all ## a scripted population and an office, each surface beside the truth
	@AU_DAEMON=$(abspath $(DAEMON)) node --test --test-concurrency=2 --test-reporter=$(if $(CI),tap,spec) \
	  $(sort $(wildcard tests/population/*.test.mjs))

population: all ## the same with 2,000 people for minutes (PEOPLE=2000, SECONDS=120)
	@AU_DAEMON=$(abspath $(DAEMON)) PEOPLE=$(PEOPLE) SECONDS=$(SECONDS) \
	  node --test --test-reporter=spec tests/population/long.mjs

attack: deps ## attack the daemon from this machine, some 2 minutes (ROWS=all, ROWS=joins,places) (installs)
	@$(MAKE) --no-print-directory attack-built

.PHONY: attack-built
attack-built: all $(FLOOD)
	@$(ATTACK_ENV) ROWS=$(ROWS) node tests/attack/attack.mjs

attack-short: all $(FLOOD) ## the attacks in short: counts and ratios, under a minute
	@$(ATTACK_ENV) node --test --test-concurrency=2 --test-reporter=$(if $(CI),tap,spec) \
	  $(sort $(wildcard tests/attack/*.test.mjs))

# The acts run in every engine, the rest in Chromium alone, of which two wait side by side.
# ENGINES=all is all of it, and ENGINES=firefox,webkit these.
BROWSER_ENV   = AU_DAEMON=$(abspath $(DAEMON)) AU_RESULTS=$(abspath build/browser)
BROWSER_TEST  = node --test --test-reporter=$(if $(CI),tap,spec) --test-concurrency
BROWSER_ACTS := tests/browser/acts.test.mjs
BROWSER_REST := $(filter-out $(BROWSER_ACTS),$(sort $(wildcard tests/browser/*.test.mjs)))
ENGINE_NAMES  = $(filter-out all,$(ENGINES))

browser: all ## run the SDK in Chromium, Firefox and WebKitGTK (ENGINES=all: every case in each)
	@rm -rf build/browser
	@$(BROWSER_ENV) AU_ENGINES=$(ENGINE_NAMES) $(BROWSER_TEST)=1 $(BROWSER_ACTS)
	@$(BROWSER_ENV) AU_ENGINES=$(if $(ENGINES),$(ENGINE_NAMES),chromium) $(BROWSER_TEST)=$(if $(ENGINES),1,2) $(BROWSER_REST)
	@$(BROWSER_ENV) AU_ENGINES=$(ENGINE_NAMES) node tests/browser/matrix.mjs

packaging: all pages build/client/assets.c ## flags of builders, install and uninstall, pages, units, the npm package, files for Kubernetes and Grafana
	@node --test --test-concurrency=1 --test-reporter=$(if $(CI),tap,spec) $(sort $(wildcard tests/packaging/*.test.mjs))

docs-test: all pages $(ASSETS) ## paste and run what stands on the pages, check their links and code
	@node --test --test-concurrency=2 --test-reporter=$(if $(CI),tap,spec) $(sort $(wildcard tests/docs/*.test.mjs))

upgrade: all ## let one daemon hand over to the next with 300 sockets: nothing may be lost
	@AU_DAEMON=$(abspath $(DAEMON)) node --test --test-concurrency=1 --test-reporter=$(if $(CI),tap,spec) \
	  $(sort $(wildcard tests/upgrade/*.test.mjs))

test-upgrade: deps ## the same with 2,000 in every order (SOCKETS=2000; WRITE=1 writes the figures of docs/howto/upgrade.md) (installs)
	@$(MAKE) --no-print-directory all
	@AU_DAEMON=$(abspath $(DAEMON)) SOCKETS=$(or $(SOCKETS),2000) WRITE=$(WRITE) \
	  node --test --test-reporter=$(if $(CI),tap,spec) tests/upgrade/long.mjs

test-slow: deps ## the tests that take more than some minutes, one after the other (installs)
	@+$(BUILD) SAN=1 all
	@$(MAKE) --no-print-directory SAN=1 browser
	@$(MAKE) --no-print-directory test-upgrade
	@$(MAKE) --no-print-directory test-projects
	@$(MAKE) --no-print-directory test-deb
	@$(MAKE) --no-print-directory test-container

projects: all ## build the small projects of docs/howto/recipes.md and open them in a browser
	@AU_DAEMON=$(abspath $(DAEMON)) node --test --test-concurrency=1 --test-reporter=$(if $(CI),tap,spec) \
	  tests/projects/projects.test.mjs

test-projects: deps ## the same with the ones that take an install of their own (Next) (installs)
	$(call npm_install,tests/projects/next)
	@$(MAKE) --no-print-directory all
	@AU_DAEMON=$(abspath $(DAEMON)) AU_PROJECTS=all node --test --test-concurrency=1 \
	  --test-reporter=$(if $(CI),tap,spec) tests/projects/projects.test.mjs

oom: deps ## let every allocation of the daemon fail in turn, also several in a row (installs)
	@$(MAKE) --no-print-directory oom-built OOM=long

# As it is shipped: AddressSanitizer has an allocator of its own, and ends at its first failure.
.PHONY: oom-built
oom-built: all $(FAIL_MALLOC)
	@AU_DAEMON=$(abspath $(DAEMON)) AU_FAIL_MALLOC=$(abspath $(FAIL_MALLOC)) OOM=$(OOM) \
	  node --test --test-reporter=$(if $(CI),tap,spec) tests/oom/oom.test.mjs

$(FAIL_MALLOC): tests/oom/fail_malloc.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -O1 -g -D_GNU_SOURCE $(WARN) -shared -fPIC -o $@ $< -ldl

# An embedder's program: the public headers and the library, nothing else.
$(OUT)/embed: tests/integration/embed.c $(LIB)
	$(Q)$(CC) $(OUTER_CPPFLAGS) $(ALL_CFLAGS) $(WARN) $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

# The unit tests are so in any case.
sanitize: deps ## run the integration tests with the daemon under ASan + UBSan too (installs)
	@+$(BUILD) SAN=1 all
	@$(MAKE) --no-print-directory SAN=1 integration

# ---- the rest ---------------------------------------------------------------
C_FILES := $(sort $(shell find include src/server tests -name node_modules -prune -o -name '*.[ch]' -print))

.PHONY: lint format docs pages install uninstall dist npm-package clean help
lint: deps-lint ## clang-format, clang-tidy, the include table, sizes, circles of calls, generated pages (installs)
	@clang-format --dry-run -Werror $(C_FILES)
	@tests/lint/includes.sh
	@tests/lint/sizes.sh
	@tests/lint/threats.sh
	@tests/lint/headers.sh $(CC) $(ALL_CPPFLAGS)
	@clang-tidy --quiet --warnings-as-errors='*' $(LIB_SRC) $(MAIN_SRC) $(LOAD_SRC) $(FLOOD_SRC) tests/load/bare.c tests/load/fill_history.c -- \
	  -std=c11 $(ALL_CPPFLAGS) \
	  2> >(grep -v 'warnings generated' >&2)
	@$(MAKE) --no-print-directory WERROR=1 all
	@tests/lint/circles.sh $(LIB_OBJ) $(MAIN_OBJ)
	@diff -u docs/reference/configuration.md <($(DAEMON) --print-markdown) || { echo "run: make docs" >&2; exit 1; }
	@$(MAKE) --no-print-directory $(OUT)/metrics-table
	@tests/lint/metrics.sh $(OUT)/metrics-table
	@echo "lint: clean"

format: ## apply clang-format
	@clang-format -i $(C_FILES)

docs: all $(OUT)/metrics-table ## write what is generated: options, metrics, log events, close codes, and the engines of the last `make browser`
	@$(DAEMON) --print-markdown > docs/reference/configuration.md
	@tests/lint/metrics.sh $(OUT)/metrics-table --write
	@node tests/docs/log_events.mjs --write
	@node tests/docs/close_codes.mjs --write
	@[ ! -d build/browser ] || $(BROWSER_ENV) node tests/browser/matrix.mjs --write

# What is installed, and where: `uninstall` removes the same. A config file that is there stays.
INSTALLED = $(bindir)/active-users $(bindir)/au-load $(libdir)/libactive_users.a \
            $(libdir)/pkgconfig/active_users.pc $(unitdir)/active-users.service \
            $(unitdir)/active-users@.service $(unitdir)/active-users.socket \
            $(addprefix $(mandir)/,man1/active-users.1 man1/au-load.1 man5/active-users.conf.5) \
            $(patsubst include/%,$(includedir)/%,$(wildcard include/active_users/*.h))

# The names between @ are settings of this makefile.
FILL = sed -e 's|@prefix@|$(prefix)|g' -e 's|@bindir@|$(bindir)|g' -e 's|@libdir@|$(libdir)|g' \
         -e 's|@includedir@|$(includedir)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' \
         -e 's|@version@|$(VERSION)|g' -e 's|@packages@|$(PKGS)|g'
INSTANCES = One daemon of several on the same ports, as in `systemctl enable --now active-users@{1..4}`: they count as one with a Redis.

# Manual pages, and a config file with every setting, from --help.
PAGES := $(patsubst src/packaging/pages/%.in,build/pages/%,$(wildcard src/packaging/pages/*.in))
pages: $(PAGES)
build/pages/%: src/packaging/pages/%.in src/packaging/pages.sh src/packaging/pages.awk $(DAEMON) $(LOAD)
	@mkdir -p $(@D)
	$(Q)src/packaging/pages.sh $(VERSION) $(dir $(DAEMON)) $< > $@.new && mv $@.new $@

install: all pages ## install (DESTDIR, PREFIX, bindir, libdir, includedir, mandir, unitdir, sysconfdir)
	install -Dm755 $(DAEMON) $(DESTDIR)$(bindir)/active-users
	install -Dm755 $(LOAD) $(DESTDIR)$(bindir)/au-load
	install -Dm644 $(LIB) $(DESTDIR)$(libdir)/libactive_users.a
	install -d $(addprefix $(DESTDIR),$(includedir)/active_users $(libdir)/pkgconfig $(unitdir) \
	  $(mandir)/man1 $(mandir)/man5)
	install -m644 include/active_users/*.h $(DESTDIR)$(includedir)/active_users/
	install -m644 build/pages/*.1 $(DESTDIR)$(mandir)/man1/
	install -m644 build/pages/*.5 $(DESTDIR)$(mandir)/man5/
	[ -e $(DESTDIR)$(sysconfdir)/active-users.conf ] || \
	  install -Dm644 build/pages/active-users.conf $(DESTDIR)$(sysconfdir)/active-users.conf
	$(FILL) src/packaging/active_users.pc.in > $(DESTDIR)$(libdir)/pkgconfig/active_users.pc
	$(FILL) -e '/@comment@/d' -e 's|@instance@||' -e 's|@flags@||' src/packaging/active-users.service.in \
	  > $(DESTDIR)$(unitdir)/active-users.service
	$(FILL) -e 's|@comment@|# $(INSTANCES)|' -e 's|@instance@|, daemon %i|' -e 's|@flags@| --reuse-port|' \
	  src/packaging/active-users.service.in > $(DESTDIR)$(unitdir)/active-users@.service
	install -m644 src/packaging/active-users.socket $(DESTDIR)$(unitdir)/active-users.socket

uninstall: ## remove what install put there (the same DESTDIR, PREFIX and so on)
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	-rmdir $(DESTDIR)$(includedir)/active_users 2>/dev/null

# A release: what is in git, and the browser SDK, so that building it needs neither Node nor network.
# Its bytes depend on the commit alone.
DIST := active-users-$(VERSION)
dist: build/client/assets.c ## make build/active-users-VERSION.tar.gz, a source release with the SDK built
	@git rev-parse HEAD >/dev/null
	@rm -rf build/dist && mkdir -p build/dist/$(DIST)/$(BUILT_SDK)
	@git ls-files -z | tar -c --null -T - | tar -x -C build/dist/$(DIST)
	@cp build/client/assets.c build/dist/$(DIST)/$(BUILT_SDK)/
	@tar -C build/dist --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
	  --mtime=@$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} -c $(DIST) | gzip -9n > build/$(DIST).tar.gz
	@echo build/$(DIST).tar.gz

NPM_PACKAGE := active-users-client-$(VERSION)
npm-package: build/client/assets.c ## make build/active-users-client-VERSION.tgz, and where its files come from
	@cd build/client && npm pack --silent --pack-destination ..
	@node src/packaging/provenance.mjs build/$(NPM_PACKAGE).tgz > build/$(NPM_PACKAGE).provenance.json
	@echo $(NPM_PACKAGE).provenance.json

# debian/ stands at the top of a package's source only: src/packaging/stage.sh puts it there.
DEB_PACKAGE := debhelper dpkg-dev fakeroot lintian
.PHONY: deb deb-built test-deb
deb: deps-build ## build Debian packages into build/deb, and ask lintian (installs)
	$(call apt_install,$(DEB_PACKAGE))
	@$(MAKE) --no-print-directory deb-built

deb-built: dist
	@rm -rf build/deb && mkdir -p build/deb
	@src/packaging/stage.sh build/$(DIST).tar.gz build/deb
	@cd build/deb/$(DIST) && env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS dpkg-buildpackage -us -uc >../build.log 2>&1 || \
	  { tail -40 ../build.log >&2; exit 1; }
	@cd build/deb && lintian --allow-root --fail-on error,warning --profile debian *.changes
	@ls build/deb/*.deb

# As root; some ten minutes.
SUITES ?= bookworm trixie
test-deb: dist ## install, run, upgrade and purge the packages in trees of Debian 12 and 13 (installs)
	$(call apt_install,debootstrap)
	@for suite in $(SUITES); do tests/packaging/deb.sh $$suite || exit 1; done

# A commit's time stands for the time of the build. Where builds have no kernel's namespaces to
# themselves, podman's need no isolation.
ENGINE ?= $(shell docker info >/dev/null 2>&1 && echo docker || echo podman)
IMAGE_TAG ?= latest
EPOCH = $${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)}
IMAGE_ARGS = --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
             --build-arg SOURCE_DATE_EPOCH=$(EPOCH) $(if $(filter podman,$(ENGINE)), \
             --format docker --isolation chroot --network host --timestamp $(EPOCH))
.PHONY: container test-container
container: ## build the image active-users:latest (ENGINE=podman, IMAGE_TAG=latest)
	@$(ENGINE) build $(IMAGE_ARGS) -f docker/Dockerfile -t active-users:$(IMAGE_TAG) .

test-container: deps ## run the image and docker/compose.yaml: kill and upgrade its parts (as root, minutes; installs)
	@node --test --test-reporter=$(if $(CI),tap,spec) tests/container/container.test.mjs

clean: ## remove what was built
	rm -rf build

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
