#!/usr/bin/env bash
# Checks the drawing of docs/architecture.md against the #include lines of src/server:
# who may include whom, and which file alone may include which library.
set -u
cd "$(dirname "$0")/../.." || exit 2
bad=0
complain() { echo "$1: may not include $2 ($3)" >&2; bad=1; }

# Libraries: header -> the files that may include it.
library() {
  local header=$1 allowed=$2 file
  while IFS= read -r file; do
    [[ $file =~ ^src/server/($allowed)$ ]] || complain "$file" "<$header>" "only $allowed"
  done < <(grep -lE "#include *<$header" -r src/server)
}
library 'cjson/' 'wire\.c'
library 'llhttp\.h' 'transports/http_private\.h'
library 'libwebsockets\.h' 'transports/ws_private\.h'
library 'hiredis' 'adapters/redis_[a-z]+\.[ch]'
library 'openssl/' 'adapters/redis_tls\.c'
library 'uv[./]' 'main\.c|server\.c|adapters/.*|transports/.*|services/ticker\.h'

# Our own: folder -> what its files may include, as a path below src/server.
own() {
  local file=$1 target=$2 here=${1#src/server/}
  case $here in
  server.c) return ;;        # the only one that may see everything
  main.c) allowed='options|utils/log' ;;
  options* | config.c) allowed='options|utils/' ;;
  transports/*) allowed='services/|utils/|wire|stats|transports/' ;;
  services/*) allowed='utils/|stats|services/' ;;
  adapters/*) allowed='utils/|wire|stats|adapters/' ;;
  utils/*) allowed='utils/' ;;
  *) allowed='utils/|wire|stats' ;;
  esac
  [[ $target =~ ^($allowed) ]] || complain "$file" "$target" "$here may include $allowed"
}
while IFS=: read -r file line; do
  header=$(sed -E 's/.*#include "([^"]+)".*/\1/' <<<"$line")
  target=$(realpath -m --relative-to=src/server "$(dirname "$file")/$header")
  own "$file" "$target"
done < <(grep -E '#include "' -r src/server)

# Public headers: services and adapters see the store, not the server, which brings libuv.
while IFS=: read -r file _; do
  [[ $file =~ ^src/server/(main|server)\.c$ ]] || complain "$file" '<active_users/server.h>' 'only main and server'
done < <(grep -E '#include *<active_users/server\.h>' -r src/server)
# utils are libc alone, and no event interface of it.
while IFS=: read -r file line; do
  complain "$file" "$line" 'utils are libc alone'
done < <(grep -E '#include *<(uv|sys/epoll|pthread|hiredis|cjson|llhttp|libwebsockets)' -r src/server/utils)

# One place each for what asks the system.
for call in 'getenv\(:main\.c' 'uv_run\(:main\.c' 'clock_gettime\(:utils/(time|log)\.c'; do
  pattern=${call%:*} allowed=${call#*:}
  while IFS= read -r file; do
    [[ $file =~ ^src/server/($allowed)$ ]] || { echo "$file: may not call ${pattern%\\(}" >&2; bad=1; }
  done < <(grep -lE "(^|[^a-z_])$pattern" -r src/server)
done
exit $bad
