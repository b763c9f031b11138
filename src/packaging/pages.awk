# Turns --help of the daemon or of au-load into a part of a page.
#   MODE=man   options of a manual page      MODE=keys  keys of the config file, as a manual page
#   MODE=conf  the config file, every setting as a comment
# A setting is two lines of --help of the daemon: flag and meaning, then variable, default, range.
function roff(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); return text }
function group(name) {
  if (MODE == "conf") printf "\n# ---- %s ----\n", name
  else printf ".SS %s\n", roff(name)
}
function setting(flag, arg, help, more,    rest) {
  if (MODE == "man") {
    if (begun != "") group(begun)
    begun = ""
    printf ".TP\n.B \\-\\-%s", roff(flag)
    if (arg != "") printf " \\fI%s\\fR", roff(arg)
    printf "\n%s", roff(help)
    printf(more == "" ? "\n" : ".\n%s.\n", roff(more))
    return
  }
  if (more == "" || flag == "config") return
  if (begun != "") group(begun)
  begun = ""
  rest = more; sub(/^[^,]*, /, "", rest) # the variable
  if (MODE == "keys") { printf ".TP\n.B %s\n%s.\n%s.\n", roff(flag), roff(help), roff(rest); return }
  value = rest; sub(/^default /, "", value); sub(/ \(.*/, "", value)
  printf "# %s%s\n", help, rest ~ /\(/ ? substr(rest, index(rest, " (")) : ""
  printf "#%s =%s\n", flag, value == "none" ? "" : " " value
}
function flush() { if (held) setting(flag, arg, help, more); held = 0; more = "" }
# Read to the end: the program would complain of a pipe that closes.
/^(Redis|Examples)$/ { flush(); over = 1 }
over { next }
/^[A-Z][A-Za-z-]*$/ { flush(); begun = $0; next }
/^  --?[a-z]/ && !/^  --help, --version/ {
  flush()
  line = substr($0, 3); sub(/^--?/, "", line)
  if (substr($0, 3, 2) == "-h") next
  match(line, /^[a-z-]+/); flag = substr(line, 1, RLENGTH); line = substr(line, RLENGTH + 1)
  arg = ""
  if (match(line, /^ [A-Z][A-Z_,]*/)) { arg = substr(line, 2, RLENGTH - 1); line = substr(line, RLENGTH + 1) }
  sub(/^ +/, "", line); help = line; held = 1
  next
}
held && /^ +AU_/ { more = $0; sub(/^ +/, "", more); next }
/^$/ { flush() }
END { flush() }
