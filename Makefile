# Active Users. `make help` says what there is.
#
# SAN=1 builds everything with AddressSanitizer and UBSan, into a directory of its own.

.DEFAULT_GOAL := all
SHELL   := /bin/bash
VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
SAN     ?= 0
OUT     := $(if $(filter 1,$(SAN)),build/sanitize,build)
OBJ     := $(OUT)/obj

# ---- packages ---------------------------------------------------------------
# One line each in docs/dependencies.md says why.
DEB_BUILD := build-essential pkg-config libuv1-dev libhiredis-dev libssl-dev \
             libwebsockets-dev libcjson-dev
DEB_TEST  := libcmocka-dev redis-server openssl curl iproute2 chromium locales \
             libfaketime
DEB_LINT  := clang-format clang-tidy
# What the benchmark measures the daemon against. Where they cannot be had, its rows say so.
DEB_PEERS := nginx libnginx-mod-nchan redis-tools
# llhttp is a library in Debian 13 and C source in Debian 12.
DEB_LLHTTP := $(shell grep -qs 'VERSION_CODENAME=bookworm' /etc/os-release && echo node-llhttp || echo libllhttp-dev)

# Valkey, Redis's sibling, is in Debian 13.
DEB_TEST += $(shell grep -qs 'VERSION_CODENAME=bookworm' /etc/os-release || echo valkey-server)

# $(call apt_install,packages): installs what is missing, and says so.
define apt_install
@missing=; for p in $(1); do \
  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
if [ -n "$$missing" ]; then \
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
  { echo "installing: npm packages of $(1)/"; \
    npm ci --prefix $(1) --no-audit --no-fund --loglevel=error >/dev/null && \
    touch $(1)/node_modules/.package-lock.json; }
endef

# ---- what is built ----------------------------------------------------------
LIB_SRC  := $(filter-out src/server/main.c src/server/options.c,$(wildcard src/server/*.c src/server/*/*.c))
MAIN_SRC := src/server/main.c src/server/options.c
LIB_OBJ  := $(LIB_SRC:%.c=$(OBJ)/%.o)
MAIN_OBJ := $(MAIN_SRC:%.c=$(OBJ)/%.o)
LIB      := $(OUT)/libactive_users.a
INNER    := $(OBJ)/inner.a
DAEMON   := $(OUT)/active-users

# The browser SDK goes into the binary. Where there is no Node, or its packages are not fetched
# (`make deps`), the daemon is built without it.
SDK    := $(if $(wildcard src/client/node_modules/.package-lock.json),$(shell node -p 1 2>/dev/null))
ASSETS := $(if $(SDK),build/client/assets.c,build/no-client/assets.c)
# Named after its source: a tree that gets its Node later needs the other one.
ASSETS_OBJ := $(ASSETS:build/%.c=$(OBJ)/%.o)

PKGS := libuv hiredis libssl libcrypto libwebsockets libcjson
ifeq ($(shell pkg-config --exists libllhttp 2>/dev/null && echo yes),yes)
  PKGS += libllhttp
else
  LLHTTP_DIR := /usr/share/llhttp
  LLHTTP_INC := -isystem /usr/share/include/llhttp
  LLHTTP_OBJ := $(patsubst %,$(OBJ)/llhttp/%.o,api http llhttp)
endif

WARN     := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wundef
HARDEN   := -fstack-protector-strong -fPIE -fno-plt
OPTIMISE := -O2 -g
ifeq ($(SAN),1)
  OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
  SAN_LD   := -fsanitize=address,undefined
else
  HARDEN   += -D_FORTIFY_SOURCE=2
endif
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
CPPFLAGS   += -D_GNU_SOURCE -DAU_VERSION='"$(VERSION)"' -Iinclude $(LLHTTP_INC) $(PKG_CFLAGS)
override CFLAGS := -std=c11 $(OPTIMISE) $(HARDEN) $(CFLAGS)
LDFLAGS    += -pie -Wl,-z,relro,-z,now $(SAN_LD)
LDLIBS     := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm

# The load generator, and the server of a hundred lines that the daemon is measured against.
LOAD_SRC := $(filter-out tests/load/bare.c,$(wildcard tests/load/*.c))
LOAD_OBJ := $(LOAD_SRC:%.c=$(OBJ)/%.o)
LOAD_LIB := $(OBJ)/load.a
LOAD     := $(OUT)/au-load
BARE     := $(OUT)/bare
BENCH_ENV = AU_DAEMON=$(abspath $(DAEMON)) AU_LOAD=$(abspath $(LOAD)) AU_BARE=$(abspath $(BARE))

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(OUT)/unit/%)

.PHONY: all
all: $(DAEMON) $(LIB) $(LOAD) ## build build/active-users, build/libactive_users.a and build/au-load

$(OBJ)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(if $(CI),,echo "  cc  $<")
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

# Debian's source, not ours: its warnings are not errors here. The strict mode of 8.x
# refuses what 9.x always refuses, such as two arbitrary bytes after a chunk.
$(OBJ)/llhttp/%.o: $(LLHTTP_DIR)/%.c
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -DLLHTTP_STRICT_MODE=1 $(CFLAGS) -w -c -o $@ $<

build/client/assets.c: docs/client.md $(wildcard src/client/*.* src/client/*/*.ts)
	@echo "  js  $(@D)"
	@node src/client/build.mjs $(@D)

build/no-client/assets.c:
	@echo "building without the browser SDK, /client.js will be 404: "make deps" fetches what it needs"
	@mkdir -p $(@D)
	@printf '%s\n' '#include "transports/assets.h"' 'const asset assets_table[1];' \
	  'const size_t assets_count = 0;' > $@

$(ASSETS_OBJ): $(ASSETS) src/server/transports/assets.h
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -Isrc/server $(CFLAGS) $(WARN) -c -o $@ $<

# For the daemon and the unit tests, which look inside.
$(INNER): $(LIB_OBJ) $(LLHTTP_OBJ) $(ASSETS_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

# For embedders: one object that shows only what begins with au_.
$(LIB): $(LIB_OBJ) $(LLHTTP_OBJ) $(ASSETS_OBJ)
	@rm -f $@
	@$(LD) -r -o $(OBJ)/active_users.o $^
	@objcopy --wildcard --keep-global-symbol='au_*' $(OBJ)/active_users.o
	@$(AR) rcs $@ $(OBJ)/active_users.o

$(DAEMON): $(MAIN_OBJ) $(INNER)
	@echo "  ld  $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(MAIN_OBJ) $(INNER) $(LDLIBS)

$(OBJ)/tests/load/%.o: CPPFLAGS += -Isrc/server

# Without main.o, for the unit tests.
$(LOAD_LIB): $(filter-out %/main.o,$(LOAD_OBJ))
	@rm -f $@
	@$(AR) rcs $@ $^

$(LOAD): $(OBJ)/tests/load/main.o $(LOAD_LIB) $(INNER)
	@echo "  ld  $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs libuv) -lm

$(BARE): tests/load/bare.c
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) $(LDFLAGS) -o $@ $<

-include $(LIB_OBJ:.o=.d) $(LOAD_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(wildcard $(OUT)/unit/*.d)

# ---- first steps ------------------------------------------------------------
.PHONY: deps-build deps run
deps-build:
	$(call apt_install,$(DEB_BUILD) $(DEB_LLHTTP))

deps: deps-build ## install what building and testing need (Debian packages, npm)
	$(call apt_install,$(DEB_TEST))
	@node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null || \
	  $(MAKE) --no-print-directory deps-node
	@npm --version >/dev/null 2>&1 || $(MAKE) --no-print-directory deps-npm
	$(call npm_install,src/client)
	$(call npm_install,tests)
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
deps-client:
	$(if $(shell npm --version 2>/dev/null),$(call npm_install,src/client),@true)

# A second make, because what pkg-config finds is known only after the install.
run: deps-build deps-client ## set up, build and start on the memory store (ARGS="--flag …")
	@$(MAKE) --no-print-directory all
	@exec $(DAEMON) $(ARGS)

# ---- tests ------------------------------------------------------------------
.PHONY: test unit client integration load browser bench sanitize test-built
test: deps ## set up and run every test
	@$(MAKE) --no-print-directory test-built

test-built:
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory load
	@$(MAKE) --no-print-directory client
	@$(MAKE) --no-print-directory integration
	@$(MAKE) --no-print-directory browser

# C unit tests always run under the sanitizers.
unit: ## run the C unit tests (ASan + UBSan)
	@$(MAKE) --no-print-directory SAN=1 run-unit

.PHONY: run-unit
run-unit: $(UNIT_BIN)
	@rm -f $(UNIT_BIN:%=%.failed)
	@printf '%s\n' $(UNIT_BIN) | xargs -P 4 -I{} sh -c '{} >{}.log 2>&1 || touch {}.failed'
	@failed=0; for t in $(UNIT_BIN); do cat $$t.log; [ ! -e $$t.failed ] || failed=1; done; exit $$failed

$(OUT)/unit/%: tests/unit/%.c $(OBJ)/src/server/options.o $(LOAD_LIB) $(INNER)
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -Isrc/server $(CFLAGS) $(WARN) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< \
	  $(OBJ)/src/server/options.o $(LOAD_LIB) $(INNER) $(LDLIBS) $$(pkg-config --libs cmocka)

integration: all $(OUT)/embed ## run the integration tests against the built daemon
	@AU_DAEMON=$(abspath $(DAEMON)) AU_EMBED=$(abspath $(OUT)/embed) \
	  node --test --test-concurrency=4 --test-reporter=$(if $(CI),tap,spec) $(sort $(wildcard tests/integration/*.test.mjs))

client: $(ASSETS) ## run the unit tests of the browser SDK
	@node --test --test-reporter=$(if $(CI),tap,spec) $(sort $(wildcard tests/client/*.test.mjs))

load: all $(BARE) ## run the tests of au-load and of the benchmark
	@$(BENCH_ENV) node --test --test-concurrency=1 --test-reporter=$(if $(CI),tap,spec) \
	  $(sort $(wildcard tests/load/*.test.mjs))

bench: deps ## measure the daemon beside its peers (BENCH=quick, ROWS=http,storm)
	@$(MAKE) --no-print-directory bench-built

.PHONY: bench-built
bench-built: all $(BARE)
	@$(BENCH_ENV) BENCH=$(BENCH) ROWS=$(ROWS) node tests/load/bench.mjs

browser: all ## run the SDK in a real Chromium against the built daemon
	@AU_DAEMON=$(abspath $(DAEMON)) node --test --test-concurrency=1 --test-reporter=$(if $(CI),tap,spec) \
	  $(sort $(wildcard tests/browser/*.test.mjs))

# An embedder's program: the public headers and the library, nothing else.
$(OUT)/embed: tests/integration/embed.c $(LIB)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

# The unit tests are so in any case.
sanitize: deps ## run the other tests with the daemon under ASan + UBSan too
	@$(MAKE) --no-print-directory SAN=1 integration
	@$(MAKE) --no-print-directory SAN=1 browser

# ---- the rest ---------------------------------------------------------------
C_FILES := $(wildcard include/*/*.h src/server/*.[ch] src/server/*/*.[ch] tests/unit/*.[ch] tests/integration/*.c tests/load/*.[ch])

.PHONY: lint format docs install clean help
lint: deps-lint ## clang-format, clang-tidy, the include table, generated pages
	@clang-format --dry-run -Werror $(C_FILES)
	@tests/lint/includes.sh
	@tests/lint/headers.sh $(CC) $(CPPFLAGS)
	@clang-tidy --quiet --warnings-as-errors='*' $(LIB_SRC) $(MAIN_SRC) $(LOAD_SRC) tests/load/bare.c -- \
	  -std=c11 $(CPPFLAGS) -Isrc/server \
	  2> >(grep -v 'warnings generated' >&2)
	@$(MAKE) --no-print-directory all
	@diff -u docs/configuration.md <($(DAEMON) --print-markdown) || { echo "run: make docs" >&2; exit 1; }
	@echo "lint: clean"

format: ## apply clang-format
	@clang-format -i $(C_FILES)

docs: all ## write the pages that are generated
	@$(DAEMON) --print-markdown > docs/configuration.md

install: all ## install under DESTDIR and PREFIX
	install -Dm755 $(DAEMON) $(DESTDIR)$(PREFIX)/bin/active-users
	install -Dm755 $(LOAD) $(DESTDIR)$(PREFIX)/bin/au-load
	install -Dm644 $(LIB) $(DESTDIR)$(PREFIX)/lib/libactive_users.a
	install -d $(DESTDIR)$(PREFIX)/include/active_users
	install -m644 include/active_users/*.h $(DESTDIR)$(PREFIX)/include/active_users/
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|' docker/active-users@.service \
	  > $(DESTDIR)$(PREFIX)/lib/systemd/system/active-users@.service

clean: ## remove what was built
	rm -rf build

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
