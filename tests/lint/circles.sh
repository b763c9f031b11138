#!/usr/bin/env bash
# Names circles of calls between files: who uses whose symbols, by nm over the objects. Those of
# tests/lint/circles.allowed are known, one a line; the list may only become shorter. Arguments:
# the objects.
#
# A circle is a set of files of which each reaches each other by calls (a strongly connected
# component), so that none of them can be read, tested or replaced without all of the others.
set -u
cd "$(dirname "$0")/../.." || exit 2
allowed=tests/lint/circles.allowed
[[ $# -gt 0 ]] || { echo "usage: circles.sh objects" >&2; exit 2; }

# Lines "user user's symbol", and "symbol definer"; weak and common ones count too.
symbols() {
  nm -A -g "$@" | sed -E 's/^([^:]+):[0-9a-f ]* ([A-Za-z]) (.*)$/\1 \2 \3/; s/^[^ ]*obj\/src\/server\///; s/\.o / /'
}

circles() {
  symbols "$@" | awk '
    $2 != "U" { definer[$3] = $1 }
    $2 == "U" { uses[++n] = $1 " " $3 }
    END {
      for (i = 1; i <= n; i++) {
        split(uses[i], u, " ")
        to = definer[u[2]]
        if (to == "" || to == u[1]) continue
        reach[u[1], to] = 1
        file[u[1]] = file[to] = 1
      }
      for (k in file) for (i in file) if ((i, k) in reach)
        for (j in file) if ((k, j) in reach) reach[i, j] = 1
      for (i in file) {
        if (!((i, i) in reach) || i in seen) continue
        line = ""
        for (j in file) if ((i, j) in reach && (j, i) in reach) { seen[j] = 1; line = line "\n" j }
        cmd = "sort | paste -sd\" \""
        print substr(line, 2) | cmd
        close(cmd)
      }
    }' | sort
}

bad=0
complain() { echo "$1" >&2; bad=1; }
found=$(circles "$@")
known=$(grep -v '^#' "$allowed" | grep . | sort)
while IFS= read -r circle; do
  [[ -n $circle ]] || continue
  grep -qxF -- "$circle" <<<"$known" && continue
  new=$(comm -23 <(tr ' ' '\n' <<<"$circle" | sort) <(tr ' ' '\n' <<<"$known" | sort) | paste -sd' ')
  if [[ -z $new ]]; then
    complain "$allowed: a circle is smaller now, put this line there in place of the old one: $circle"
  else
    complain "a circle of calls: $circle: undo what ties in $new, by a table of callbacks or by moving the function down"
  fi
done <<<"$found"
while IFS= read -r circle; do
  [[ -z $circle ]] || grep -qxF -- "$circle" <<<"$found" ||
    complain "$allowed: this circle is gone or has changed, delete its line: $circle"
done <<<"$known"
exit $bad
