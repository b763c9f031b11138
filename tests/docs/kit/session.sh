# Sourced by the shell that runs a page's commands as they are pasted. It has a network, processes and
# /etc of its own, so the ports and paths of the page are the real ones. A server goes to the background
# as soon as it listens, because a page starts it "in another terminal".

ip link set lo up
# An /etc that may be written to: links to the real one, and folders of their own where pages put files.
mkdir "$SESSION/real" "$SESSION/etc"
# In a container, /etc/hosts and others are mounts: without them "localhost" would have no address.
mount --rbind /etc "$SESSION/real" || exit 1
findmnt -rnRo TARGET "$SESSION/real" | while read -r at; do mount -o remount,bind,ro "$at" || exit 1; done || exit 1
for folder in . default ssl nginx nginx/sites-enabled; do
  [ -d "$SESSION/real/$folder" ] || continue
  [ $folder = . ] || { rm "$SESSION/etc/$folder" && mkdir "$SESSION/etc/$folder"; }
  ln -s "$SESSION/real/$folder"/* "$SESSION/etc/$folder/"
  find "$SESSION/real/$folder" -maxdepth 1 -type l -exec cp -Pf --remove-destination -t "$SESSION/etc/$folder/" {} +
done
rm "$SESSION/etc/hosts" && cp "$SESSION/real/hosts" "$SESSION/etc/hosts"
mount --bind "$SESSION/etc" /etc
mount -t tmpfs none /run
mount -t tmpfs none /var/log
export PATH="$SESSION/bin:$PATH" HOME="$SESSION/home"
cd "$HOME" || exit 1

sudo() { "$@"; }

# An answer that is an error fails a block of commands alone; where answers are shown, they are compared.
curl() {
  if [ "$session_shows" = 1 ]; then command curl "$@"; else command curl -sS --fail-with-body "$@"; fi
}

# $1: the words that say that it listens. The rest is the server's command.
session_serve() {
  local ready=$1 log
  shift
  log=$(mktemp "$SESSION/log.XXXXXX") && : >"$log.out"
  command "$@" >"$log.out" 2>"$log" &
  local pid=$!
  until grep -q "$ready" "$log" "$log.out"; do
    if ! kill -0 $pid 2>/dev/null; then cat "$log" "$log.out" >&2; return 1; fi
    session_pause
  done
  cat "$log.out"
  disown $pid
  session_pid=$pid
}

session_pause() { read -rt 0.02 <> <(:) || true; }

# For the steps before a block: waits, for ten seconds at most, until the command is true.
await() {
  local i
  for i in {1..500}; do
    "$@" >/dev/null 2>&1 && return
    session_pause
  done
  return 1
}

session_end() { # one that was started before, and its port
  [ -n "$1" ] || return 0
  kill "$1" 2>/dev/null
  while kill -0 "$1" 2>/dev/null; do session_pause; done
}

active-users() {
  case " $* " in
    *' --help '* | *' -h '* | *' --version '* | *' --print-config '* | *' top '* | *' check '* | *' stat '*)
      command active-users "$@"; return ;;
  esac
  case " $* " in *reuse-port*) ;; *) session_end "$daemon_pid" ;; esac
  session_serve 'server listening\|"listening"' active-users --drain 0 "$@" && daemon_pid=$session_pid
}

redis-server() {
  local all="$*" port=6379
  case "$all" in *'--port '*) port=${all#*--port } port=${port%% *} ;; esac
  case "$all" in
    *daemonize*) command redis-server "$@" >/dev/null && await redis-cli -p "$port" ping; return ;;
    *--version*) command redis-server "$@"; return ;;
  esac
  session_serve 'eady to accept connections\|Sentinel ID is' redis-server "$@"
}

make() {
  local word args=
  for word; do case $word in ARGS=*) args=${word#ARGS=} ;; esac; done
  case $1 in
    run) session_end "$daemon_pid"
         session_serve 'server *listening\|"listening"' make --no-print-directory -C "$ROOT" run NO_DEPS=1 ARGS="--drain 0 $args" &&
           daemon_pid=$(pidof active-users) ;;
    *) command make --no-print-directory -C "$ROOT" "$@" ;;
  esac
}

session_step() { # $1: its number, whose text is in $SESSION/step.$1; $2: 1 where the page shows what it prints
  session_failed=0 session_shows=$2
  trap 'session_failed=1' ERR
  . "$SESSION/step.$1" >"$SESSION/out.$1" 2>"$SESSION/err.$1"
  trap - ERR
  echo $session_failed >"$SESSION/status.$1"
}
