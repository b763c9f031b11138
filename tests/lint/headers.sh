#!/usr/bin/env bash
# Every header compiles alone. Arguments: the compiler and its flags.
set -u
cd "$(dirname "$0")/../.." || exit 2
bad=0
for header in include/active_users/*.h $(find src/server -name '*.h'); do
  echo "#include \"$PWD/$header\"" | "$@" -std=c11 -Wall -Wextra -fsyntax-only -x c - || bad=1
done
exit $bad
