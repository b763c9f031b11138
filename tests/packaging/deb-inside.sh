#!/usr/bin/env bash
# What deb.sh asks of the package, inside of a tree where systemd is process 1: one argument, a step.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
unit=active-users conf=/etc/active-users.conf secrets=/etc/default/active-users
at=http://127.0.0.1:3001
shown() { systemctl show -p "$2" --value "$1"; }
fail() { echo "$*" >&2; systemctl status --no-pager "$unit*" >&2 || true; journalctl -o cat --no-pager -n 20 >&2; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"; }
# until_true WHAT COMMAND...
until_true() {
  local what=$1
  shift
  for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
  fail "in 30 s: no $what"
}
answers() { curl -fsS "$at/ready"; }
has_state() { [ "$(shown "$1" ActiveState)" = "$2" ]; }
count() { curl -fsS "$at/metrics?customerId=shop" | sed 's/.*"count":\([0-9]*\).*/\1/'; }
join() { curl -fsS "$at/presence/join" -H 'Content-Type: application/json' -d '{"customerId":"shop","sessionId":"s1","tabId":"t1"}'; }

# refused WHAT WORDS: the unit does not start, says so in one line with these words, and does not try again.
refused() {
  systemctl reset-failed "$unit" 2>/dev/null || true
  systemctl start "$unit" 2>/dev/null || true
  until_true "failure with $1" has_state "$unit" failed
  is "$1: exit status" "$(shown "$unit" ExecMainStatus)" 2
  is "$1: restarts" "$(shown "$unit" NRestarts)" 0
  is "$1: result" "$(shown "$unit" Result)" exit-code
  journalctl --sync
  local said
  said=$(journalctl -o cat --no-pager "_SYSTEMD_INVOCATION_ID=$(shown "$unit" InvocationID)")
  is "$1: lines" "$(printf '%s\n' "$said" | wc -l)" 1
  grep -qF -- "$2" <<<"$said" || fail "$1: $said"
  systemctl reset-failed "$unit"
}

# Asks again and again while a command runs: none may be refused.
asked_while() {
  local asked=0 lost=0
  "$@" >/dev/null 2>&1 &
  local job=$!
  while kill -0 $job 2>/dev/null || [ $asked -lt 20 ]; do
    curl -fsS -o /dev/null "$at/ready" || lost=$((lost + 1))
    asked=$((asked + 1))
  done
  wait $job || fail "$* failed"
  is "lost requests of $asked" $lost 0
}

installed() {
  until_true "answer" answers
  is state "$(shown $unit ActiveState)" active
  is enabled "$(systemctl is-enabled $unit)" enabled
  is socket "$(systemctl is-enabled $unit.socket || true)" disabled
  is user "$(stat -c %U "/proc/$(shown $unit MainPID)")" active-users
  curl -fsS "$at/client.js" | grep -q ActiveUsers || fail "no script"
  systemd-analyze security --no-pager $unit | grep -q 'Overall exposure level.* OK' ||
    fail "$(systemd-analyze security --no-pager $unit | tail -1)"
  local dropped
  dropped=$(grep -E '^(CapEff|NoNewPrivs|Seccomp):' "/proc/$(shown $unit MainPID)/status" | tr -d '\t\n')
  is sandbox "$dropped" CapEff:0000000000000000NoNewPrivs:1Seccomp:2
}

restarted() { # after a crash, and not after a mistake
  local before
  before=$(shown $unit MainPID)
  systemctl kill -s KILL $unit
  until_true "restart" sh -c "[ \$(systemctl show -p NRestarts --value $unit) = 1 ]"
  until_true "answer" answers
  [ "$(shown $unit MainPID)" != "$before" ] || fail "the same process"
  echo 'log-level = debug' >>$conf
  systemctl reload $unit
  until_true "reload" sh -c "journalctl --sync; journalctl -u $unit -o cat --no-pager | grep -q reloaded"
  is "state after a reload" "$(shown $unit ActiveState)" active
  systemctl stop $unit
  is "status of a stop" "$(shown $unit ExecMainStatus)" 0

  cp $conf /tmp/conf
  echo 'http-prot = 1' >>$conf
  refused "a wrong key" 'http-prot: no such key; did you mean http-port?'
  cp /tmp/conf $conf
  install -m 600 /dev/null $secrets
  echo 'AU_REDIS_URL_FILE=/etc/no-such-secret' >$secrets
  refused "a missing secret" 'AU_REDIS_URL_FILE: cannot open /etc/no-such-secret'
  rm $secrets
  systemctl start $unit@1
  until_true "answer of an instance" answers
  refused "a port in use" 'port 3001: address already in use'
  systemctl start $unit@2
  until_true "second instance" has_state $unit@2 active
  is "first instance" "$(shown $unit@1 ActiveState)" active
  systemctl stop $unit@1 $unit@2
}

socket() { # the ports are systemd's, and the count outlives a restart
  install -m 600 /dev/null $secrets
  echo 'AU_STATE_FILE=/var/lib/active-users/state' >$secrets
  systemctl disable $unit 2>/dev/null
  systemctl enable --now $unit.socket 2>/dev/null
  is "state before the first connection" "$(shown $unit ActiveState)" inactive
  join >/dev/null
  is "count" "$(count)" 1
  asked_while systemctl restart $unit
  is "count after a restart" "$(count)" 1
}

upgraded() { # argument: the package
  local before
  before=$(shown $unit MainPID)
  echo 'presence-ttl = 77' >>$conf
  asked_while dpkg -i "$1"
  until_true "answer" answers
  [ "$(shown $unit MainPID)" != "$before" ] || fail "the old process goes on"
  grep -q 'presence-ttl = 77' $conf || fail "the config file is another one"
  is "count after an upgrade" "$(count)" 1
}

removed() {
  dpkg -r $unit
  is service "$(shown $unit ActiveState)" inactive
  is socket "$(shown $unit.socket ActiveState)" inactive
  ! answers 2>/dev/null || fail "somebody answers"
  [ -e $conf ] && [ ! -e /usr/bin/active-users ] || fail "remove takes too much or too little"
  rm $secrets # the operator's own
  dpkg -P $unit
  systemctl daemon-reload
  local left
  left=$(find /etc /usr /var /lib -name '*active-users*' -not -path '/var/lib/dpkg/*' -not -path '/var/lib/apt/*' \
    -not -path '/var/cache/*' -not -path '/var/log/journal/*')
  [ -z "$left" ] || fail "purge leaves $left"
}

"$@"
