#!/usr/bin/env bash
# Lets each fuzzer try new inputs: fuzz.sh FOLDER SECONDS NAME[,NAME…]…
# It begins with tests/fuzz/corpus/NAME and leaves new inputs in FOLDER/NAME.new. An input that a
# fuzzer ends at is FOLDER/NAME.found-…: mend the fault, then put the input into the corpus under a
# name that says what it is.
set -u
cd "$(dirname "$0")/../.." || exit 2
folder=$1 seconds=$2 bad=0
shift 2
for name in ${*//,/ }; do
  [[ -x $folder/$name ]] || { echo "no fuzzer $name" >&2; exit 2; }
  mkdir -p "$folder/$name.new"
  "$folder/$name" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$folder/$name.found-" -print_final_stats=1 \
    "$folder/$name.new" "tests/fuzz/corpus/$name" >"$folder/$name.log" 2>&1 || {
    bad=1
    tail -n 60 "$folder/$name.log" >&2
    echo "fuzz: $name found something: $(ls "$folder/$name".found-* 2>/dev/null | tail -1)" >&2
    continue
  }
  echo "fuzz: $name: $(sed -n 's/stat::number_of_executed_units: *//p' "$folder/$name.log") inputs tried, $(
    sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$folder/$name.log" | tail -1) edges"
done
exit $bad
