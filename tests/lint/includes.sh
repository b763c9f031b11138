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
  done < <(grep -lE "#include <$header" -r src/server)
}
library 'cjson/' 'wire\.c'
library 'llhttp\.h' 'transports/http_private\.h'
library 'libwebsockets\.h' 'transports/ws_private\.h'
library 'hiredis' 'adapters/redis_[a-z]+\.[ch]'
library 'uv\.h' 'main\.c|server\.c|adapters/.*|transports/.*|services/ticker\.h'

# Our own: folder -> what its files may include, as a path below src/server.
own() {
  local file=$1 target=$2 here=${1#src/server/}
  case $here in
  server.c | main.c | options*) return ;; # main and options are checked below
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

# main.c sees the options, the server and the log; nothing further in.
while IFS= read -r header; do
  [[ $header =~ ^(options|utils/log)\.h$ ]] || complain src/server/main.c "$header" "only options and log"
done < <(sed -nE 's/#include "([^"]+)".*/\1/p' src/server/main.c)

# One place each for what asks the system.
for call in 'getenv\(:main\.c' 'uv_run\(:main\.c' 'clock_gettime\(:utils/(time|log)\.c'; do
  pattern=${call%:*} allowed=${call#*:}
  while IFS= read -r file; do
    [[ $file =~ ^src/server/($allowed)$ ]] || { echo "$file: may not call ${pattern%\\(}" >&2; bad=1; }
  done < <(grep -lE "(^|[^a-z_])$pattern" -r src/server)
done
exit $bad
