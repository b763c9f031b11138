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
DEB_BUILD := build-essential pkg-config libuv1-dev libhiredis-dev libwebsockets-dev \
             libwebsockets-evlib-uv libcjson-dev
DEB_TEST  := libcmocka-dev redis-server curl iproute2
DEB_LINT  := clang-format clang-tidy
# llhttp is a library in Debian 13 and C source in Debian 12.
DEB_LLHTTP := $(shell grep -qs 'VERSION_CODENAME=bookworm' /etc/os-release && echo node-llhttp || echo libllhttp-dev)

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

# ---- what is built ----------------------------------------------------------
LIB_SRC  := $(filter-out src/server/main.c src/server/options.c,$(wildcard src/server/*.c src/server/*/*.c))
MAIN_SRC := src/server/main.c src/server/options.c
LIB_OBJ  := $(LIB_SRC:%.c=$(OBJ)/%.o)
MAIN_OBJ := $(MAIN_SRC:%.c=$(OBJ)/%.o)
LIB      := $(OUT)/libactive_users.a
INNER    := $(OBJ)/inner.a
DAEMON   := $(OUT)/active-users

PKGS := libuv hiredis libwebsockets libcjson
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

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(OUT)/unit/%)

.PHONY: all
all: $(DAEMON) $(LIB) ## build build/active-users and build/libactive_users.a

$(OBJ)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(if $(CI),,echo "  cc  $<")
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

# Debian's source, not ours: its warnings are not errors here. The strict mode of 8.x
# refuses what 9.x always refuses, such as two arbitrary bytes after a chunk.
$(OBJ)/llhttp/%.o: $(LLHTTP_DIR)/%.c
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -DLLHTTP_STRICT_MODE=1 $(CFLAGS) -w -c -o $@ $<

# For the daemon and the unit tests, which look inside.
$(INNER): $(LIB_OBJ) $(LLHTTP_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

# For embedders: one object that shows only what begins with au_.
$(LIB): $(LIB_OBJ) $(LLHTTP_OBJ)
	@rm -f $@
	@$(LD) -r -o $(OBJ)/active_users.o $^
	@objcopy --wildcard --keep-global-symbol='au_*' $(OBJ)/active_users.o
	@$(AR) rcs $@ $(OBJ)/active_users.o

$(DAEMON): $(MAIN_OBJ) $(INNER)
	@echo "  ld  $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(MAIN_OBJ) $(INNER) $(LDLIBS)

-include $(LIB_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(wildcard $(OUT)/unit/*.d)

# ---- first steps ------------------------------------------------------------
.PHONY: deps-build deps run
deps-build:
	$(call apt_install,$(DEB_BUILD) $(DEB_LLHTTP))

deps: deps-build ## install what building and testing need (Debian packages, npm)
	$(call apt_install,$(DEB_TEST))
	@node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null || \
	  $(MAKE) --no-print-directory deps-node
	@npm --version >/dev/null 2>&1 || $(MAKE) --no-print-directory deps-npm
	@[ tests/node_modules/.package-lock.json -nt tests/package-lock.json ] || \
	  { echo "installing: npm packages of tests/"; npm ci --prefix tests --no-audit --no-fund --loglevel=error >/dev/null \
	    && touch tests/node_modules/.package-lock.json; }

.PHONY: deps-node deps-npm deps-lint
deps-node:
	$(call apt_install,nodejs)
deps-npm:
	$(call apt_install,npm)
deps-lint:
	$(call apt_install,$(DEB_LINT))

# A second make, because what pkg-config finds is known only after the install.
run: deps-build ## set up, build and start on the memory store (ARGS="--flag …")
	@$(MAKE) --no-print-directory all
	@exec $(DAEMON) $(ARGS)

# ---- tests ------------------------------------------------------------------
.PHONY: test unit integration sanitize test-built
test: deps ## set up and run every test
	@$(MAKE) --no-print-directory test-built

test-built:
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory integration

# C unit tests always run under the sanitizers.
unit: ## run the C unit tests (ASan + UBSan)
	@$(MAKE) --no-print-directory SAN=1 run-unit

.PHONY: run-unit
run-unit: $(UNIT_BIN)
	@failed=0; for t in $(UNIT_BIN); do $$t || failed=1; done; exit $$failed

$(OUT)/unit/%: tests/unit/%.c $(OBJ)/src/server/options.o $(INNER)
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -Isrc/server $(CFLAGS) $(WARN) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< \
	  $(OBJ)/src/server/options.o $(INNER) $(LDLIBS) $$(pkg-config --libs cmocka)

integration: all $(OUT)/embed ## run the integration tests against the built daemon
	@AU_DAEMON=$(abspath $(DAEMON)) AU_EMBED=$(abspath $(OUT)/embed) \
	  node --test --test-concurrency=4 --test-reporter=$(if $(CI),tap,spec) $(sort $(wildcard tests/integration/*.test.mjs))

# An embedder's program: the public headers and the library, nothing else.
$(OUT)/embed: tests/integration/embed.c $(LIB)
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(WARN) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS)

sanitize: deps ## run every test with the daemon under ASan + UBSan too
	@$(MAKE) --no-print-directory SAN=1 run-unit
	@$(MAKE) --no-print-directory SAN=1 integration

# ---- the rest ---------------------------------------------------------------
C_FILES := $(wildcard include/*/*.h src/server/*.[ch] src/server/*/*.[ch] tests/unit/*.[ch] tests/integration/*.c)

.PHONY: lint format docs install clean help
lint: deps-lint ## clang-format, clang-tidy, the include table, generated pages
	@clang-format --dry-run -Werror $(C_FILES)
	@tests/lint/includes.sh
	@tests/lint/headers.sh $(CC) $(CPPFLAGS)
	@clang-tidy --quiet --warnings-as-errors='*' $(LIB_SRC) $(MAIN_SRC) -- -std=c11 $(CPPFLAGS) \
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
	install -Dm644 $(LIB) $(DESTDIR)$(PREFIX)/lib/libactive_users.a
	install -d $(DESTDIR)$(PREFIX)/include/active_users
	install -m644 include/active_users/*.h $(DESTDIR)$(PREFIX)/include/active_users/

clean: ## remove what was built
	rm -rf build

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
