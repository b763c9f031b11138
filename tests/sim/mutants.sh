#!/usr/bin/env bash
# Proves that the simulation can fail: applies each of tests/sim/mutants/*.patch, which breaks the
# server in one way, to a copy of the tree, builds, and demands that one of the first SEEDS seeds
# fails: a rare one takes a thousand. Arguments: names of mutants; none: all of them.
#
# A patch that does not apply any more is about code that was changed: write it again for the new
# code, or delete it with what it broke.
set -u
cd "$(dirname "$0")/../.." || exit 2
seeds=${SEEDS:-3000}
make --no-print-directory SAN=1 CI=1 build/sanitize/sim || exit 2
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
tar -c --exclude=node_modules --exclude=./.git --exclude=./build . | tar -x -C "$tree"
mkdir -p "$tree/build/sanitize"
cp -a build/sanitize/obj "$tree/build/sanitize"
found=0 missed=0
for patch in tests/sim/mutants/*.patch; do
  name=$(basename "$patch" .patch)
  [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
  what=$(head -1 "$patch")
  miss() { echo "$patch: $1"; missed=$((missed + 1)); }
  if ! patch -s -d "$tree" -p1 --dry-run <"$patch" >/dev/null 2>&1; then
    miss "does not apply: write it again for the code as it is"
    continue
  fi
  patch -s -d "$tree" -p1 <"$patch"
  if ! make -C "$tree" --no-print-directory SAN=1 CI=1 build/sanitize/sim >"$tree/log" 2>&1; then
    miss "does not build: $(grep -m1 -E 'error|\*\*\*' "$tree/log")"
  elif "$tree/build/sanitize/sim" --seeds "$seeds" --jobs "${SIM_JOBS:-2}" --stop-after 1 >"$tree/log" 2>&1; then
    miss "is not found by $seeds seeds: $what"
  else
    echo "$name: $(grep -am1 -E '^seed|ERROR' "$tree/log") ($what)"
    found=$((found + 1))
  fi
  patch -s -R -d "$tree" -p1 <"$patch"
done
echo "$found found, $missed missed"
[[ $missed -eq 0 ]]
