#!/usr/bin/env bash
# Checks that each row of docs/explanation/threat-model.md names a test, and that each test it names is there.
set -u
cd "$(dirname "$0")/../.." || exit 2
page=docs/explanation/threat-model.md
bad=0 tests=0
report() { echo "$page: $1" >&2; bad=1; }
while IFS= read -r row; do
  [[ $row == '|---'* || $row == '| asset '* ]] && continue
  rest=$row found=0
  while [[ $rest =~ \`(tests/[^\`]+)\`:\ \"([^\"]+)\"(.*) ]]; do
    file=${BASH_REMATCH[1]} title=${BASH_REMATCH[2]} rest=${BASH_REMATCH[3]}
    found=1 tests=$((tests + 1))
    if [[ ! -f $file ]]; then
      report "there is no $file"
    elif [[ $file == *.c ]]; then
      tr '\n' ' ' <"$file" | sed 's/ \* / /g' | grep -qF -- "$title" || report "$file has no \"$title\""
    else
      # The name of a test, or of a row of the attacks.
      grep -E '(test|it)\(|name:' "$file" | grep -qF -- "$title" || report "$file has no test \"$title\""
    fi
  done
  [[ $found == 1 ]] || report "a row without a test: ${row:0:80}"
done < <(grep '^|' "$page")
[[ $tests -gt 0 ]] || report 'no tests at all'
exit $bad
