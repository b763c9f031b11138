#!/usr/bin/env bash
# Checks the drawing of docs/explanation/architecture.md against the #include lines of src/server:
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
library 'cjson/' 'wire/object\.h|cli/answer\.c'
library 'curl/' 'cli/fetch\.c|adapters/webhooks/http_client\.c'
library 'llhttp\.h' 'transports/http/http_parser\.h'
library 'libwebsockets\.h' 'transports/websocket/ws_private\.h'
library 'hiredis' 'adapters/redis/.*'
library 'openssl/' 'adapters/redis/link/tls\.c|adapters/webhooks/signature\.c|transports/access/jwt\.c'
library 'uv[./]' 'main\.c|server(_start|_stop|_webhooks)?\.c|server_private\.h|adapters/.*|transports/.*|services/(ticker|operators/fleet|webhooks/webhooks)\.h|turn_clock\.h|stores\.h|utils/join_stop\.h'

# Our own: folder -> what its files may include, as a path below src/server.
own() {
  local file=$1 target=$2 here=${1#src/server/}
  case $here in
  server.c | server_error.c | server_start.c | server_stop.c | server_webhooks.c | server_private.h) return ;; # the only ones that may see everything
  stores.[ch]) allowed='stores|stats|utils/|adapters/|services/history/' ;;
  listen.[ch]) allowed='listen|transports/|utils/' ;;
  main.c) allowed='cli/cli\.h|options/|process|utils/(log|net/authority)' ;;
  cli/*) allowed='cli/|options/options\.h|utils/' ;;
  process.c) allowed='process|utils/log' ;;
  options/* | config.c) allowed='options/|utils/' ;;
  transports/*) allowed='services/|utils/|wire|stats|transports/' ;;
  services/*) allowed='utils/|stats|services/' ;;
  # Inside adapters: what is above may be told by callbacks only.
  adapters/shared_store.h) allowed='utils/' ;;
  adapters/memory/*) allowed='utils/|adapters/memory/' ;;
  adapters/webhooks/*) allowed='utils/|wire|stats|adapters/webhooks/' ;;
  adapters/fallback/*) allowed='utils/|wire|adapters/(memory/|fallback/|shared_store\.h)' ;;
  adapters/redis/protocol/*) allowed='utils/|wire|adapters/redis/protocol/' ;;
  adapters/redis/link/*) allowed='utils/|adapters/redis/(protocol|link)/' ;;
  adapters/redis/cluster/*) allowed='utils/|stats|adapters/redis/(protocol|link|cluster)/' ;;
  adapters/redis/pubsub/*) allowed='utils/|wire|stats|adapters/redis/(protocol|link|pubsub)/' ;;
  adapters/redis/scan/*) allowed='utils/|wire|stats|adapters/redis/(protocol|link|cluster|scan)/' ;;
  adapters/redis/ops/*) allowed='utils/|wire|stats|adapters/(shared_store\.h|redis/)' ;;
  adapters/redis/*) allowed='utils/|stats|adapters/(shared_store\.h|redis/)' ;;
  utils/*) allowed='utils/' ;;
  *) allowed='utils/|wire|stats|turn_clock' ;;
  esac
  [[ $target =~ ^($allowed) ]] || complain "$file" "$target" "$here may include $allowed"
}
while IFS=: read -r file line; do
  header=$(sed -E 's/.*#include "([^"]+)".*/\1/' <<<"$line")
  # A bare name is in the same folder; any other is a path below src/server.
  target=$header
  [[ $header == */* || ! -e $(dirname "$file")/$header ]] ||
    target=$(realpath -m --relative-to=src/server "$(dirname "$file")/$header")
  own "$file" "$target"
done < <(grep -E '#include "' -r src/server)

# Public headers: services and adapters see the store, not the server, which brings libuv.
while IFS=: read -r file _; do
  [[ $file =~ ^src/server/(main\.c|server\.c|server_private\.h)$ ]] || complain "$file" '<active_users/server.h>' 'only main and server'
done < <(grep -E '#include *<active_users/server\.h>' -r src/server)
# utils are libc alone, and no event interface of it; but join_stop.h closes handles of libuv.
while IFS=: read -r file line; do
  [[ $file == */join_stop.h ]] || complain "$file" "$line" 'utils are libc alone'
done < <(grep -E '#include *<(uv|sys/epoll|pthread|hiredis|cjson|llhttp|libwebsockets)' -r src/server/utils)

# One place each for what asks the system.
for call in 'getenv\(:main\.c' 'uv_run\(:main\.c' 'clock_gettime\(:utils/(time|log)\.c'; do
  pattern=${call%:*} allowed=${call#*:}
  while IFS= read -r file; do
    [[ $file =~ ^src/server/($allowed)$ ]] || { echo "$file: may not call ${pattern%\\(}" >&2; bad=1; }
  done < <(grep -lE "(^|[^a-z_])$pattern" -r src/server)
done
exit $bad
