#!/usr/bin/env bash
# Compares docs/reference/metrics.md with the table of metrics in the code, or writes it there: --write.
# And each alert must have a runbook in docs/howto/monitor.md.
set -u
cd "$(dirname "$0")/../.." || exit 2
program=$1 page=docs/reference/metrics.md runbooks=docs/howto/monitor.md rules=docker/prometheus/alerts.yml
begin='<!-- metrics: written by make docs -->' end='<!-- end of metrics -->'
table=$("$program" "$rules") || exit 2
if [[ ${2:-} == --write ]]; then
  written=$(sed -n "1,/^$begin\$/p" "$page" | sed '$d'; echo "$table"; sed "1,/^$end\$/d" "$page")
  echo "$written" > "$page"
  exit
fi
diff -u <(sed -n "/^$begin\$/,/^$end\$/p" "$page") <(echo "$table") ||
  { echo "run: make docs" >&2; exit 1; }
bad=0
while read -r name; do
  grep -qx "### $name" "$runbooks" || { echo "$runbooks: no runbook of $name" >&2; bad=1; }
done < <(sed -n 's/^ *- alert: //p' "$rules")
exit $bad
