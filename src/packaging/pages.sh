#!/usr/bin/env bash
# Fills a template of src/packaging/pages: @version@, @date@, and a line @MODE PROGRAM@ for what
# pages.awk makes of the --help of build/PROGRAM. Arguments: version, folder of the programs, template.
set -eu
here=$(dirname "$0")
version=$1 programs=$2 template=$3
# A page is as old as the commit, so that the same commit gives the same bytes.
at=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
date=$(LC_ALL=C date -u -d "@$at" '+%B %Y')
while IFS= read -r line; do
  if [[ $line =~ ^@(man|keys|conf)\ ([a-z-]+)@$ ]]; then
    "$programs/${BASH_REMATCH[2]}" --help | awk -v MODE="${BASH_REMATCH[1]}" -f "$here/pages.awk"
  else
    line=${line//@version@/$version}
    printf '%s\n' "${line//@date@/$date}"
  fi
done <"$template"
