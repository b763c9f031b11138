#!/usr/bin/env bash
# Names folders of src/server with more modules than a reader takes in at a glance (a .c with its .h
# is one), and files that are too long for one job.
set -u
cd "$(dirname "$0")/../.." || exit 2
modules_max=14 lines_max=500
bad=0
report() { echo "$1" >&2; bad=1; }
while IFS= read -r folder; do
  n=$(find "$folder" -maxdepth 1 -name '*.[ch]' -printf '%f\n' | sed 's/\.[ch]$//' | sort -u | wc -l)
  [[ $n -le $modules_max ]] || report "$folder: $n modules, at most $modules_max: split it by subject"
done < <(find src/server -type d)
while read -r lines file; do
  [[ $lines -le $lines_max ]] || report "$file: $lines lines, at most $lines_max: split it by job"
done < <(find src/server include -name '*.[ch]' -exec wc -l {} + | grep -v ' total$')
exit $bad
