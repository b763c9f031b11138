#!/usr/bin/env bash
# Builds the Debian packages in a tree of a release, then installs, runs, upgrades and purges them in
# another one that has no compiler. Needs root, debootstrap and the package mirror.
#   tests/packaging/deb.sh bookworm|trixie    after `make dist`
# DEBS=build/deb takes packages that were built on this machine, of the same release of Debian.
set -eu
cd "$(dirname "$0")/../.."
suite=$1
version=$(sed -n 's/^VERSION := //p' Makefile)
work=$(mktemp -d)
umount_all() { for tree in build clean; do umount "$work/$tree/proc" 2>/dev/null || true; done; }
trap 'umount_all; rm -rf "$work"' EXIT
say() { echo "$suite: $*"; }
quiet() { "$@" >"$work/log" 2>&1 || { tail -40 "$work/log" >&2; exit 1; }; }
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
unset MAKEFLAGS MAKEOVERRIDES MFLAGS

# ---- two trees, which take packages from where this machine does -------------------------------
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
[ -n "$mirror" ] || mirror=$(awk '/^deb /{for(i=2;i<=NF;i++) if($i ~ /:\/\//){print $i; exit}}' /etc/apt/sources.list)
quiet debootstrap --variant=minbase --include=ca-certificates "$suite" "$work/clean" "$mirror"
echo "deb $mirror $suite main" >"$work/clean/etc/apt/sources.list"
cp -r /etc/apt/apt.conf.d/. "$work/clean/etc/apt/apt.conf.d/"
cp -rL --remove-destination /etc/ssl/certs/. "$work/clean/etc/ssl/certs/"
[ -n "${DEBS:-}" ] || cp -a "$work/clean" "$work/build"
for tree in build clean; do [ ! -d "$work/$tree" ] || mount -t proc proc "$work/$tree/proc" 2>/dev/null || true; done
in_build() { quiet chroot "$work/build" "$@"; }
in_clean() { quiet chroot "$work/clean" "$@"; }

build_packages() {
  # ---- the first minute: nothing but git and make ------------------------------------------------
  in_build apt-get update -q
  in_build apt-get install -y -q --no-install-recommends git make
  git bundle create -q "$work/build/repository" HEAD
  in_build git clone -q /repository /first
  chroot "$work/build" make -C /first --no-print-directory run ARGS=--version >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  grep -q '^npm is missing' "$work/log" && tail -1 "$work/log" | grep -qx "active-users $version"
  say "make run works with nothing but git and make"

  # ---- build ---------------------------------------------------------------------------------------
  mkdir -p "$work/build/src"
  src/packaging/stage.sh "build/active-users-$version.tar.gz" "$work/build/src"
  in_build apt-get install -y -q --no-install-recommends build-essential fakeroot lintian
  in_build apt-get build-dep -y -q --no-install-recommends "/src/active-users-$version"
  in_build sh -c "cd /src/active-users-$version && dpkg-buildpackage -us -uc"
  chroot "$work/build" sh -c 'cd /src && lintian --fail-on error,warning --profile debian --allow-root *.changes'
  say "built, and lintian has no word"

  # An embedder's program, by pkg-config alone.
  in_build sh -c 'apt-get install -y -q ./src/libactive-users-dev_*.deb'
  in_build sh -c "cd /src/active-users-$version && cc tests/integration/embed.c \
  \$(pkg-config --cflags --libs active_users) -o /src/embed"
  say "a program links with libactive-users-dev"
  DEBS=$work/build/src
}
[ -n "${DEBS:-}" ] || build_packages

# ---- install and run, without a compiler -----------------------------------------------------------
deb=active-users_$version-1_$(dpkg --print-architecture).deb
cp "$DEBS/$deb" "$work/clean/"
in_clean apt-get update -q
in_clean apt-get install -y -q --no-install-recommends "./$deb" curl
grep -q '^active-users:' "$work/clean/etc/passwd"
! chroot "$work/clean" sh -c 'command -v cc' || exit 1
[ -L "$work/clean/etc/systemd/system/multi-user.target.wants/active-users.service" ]
run() { # the daemon as the unit starts it; its answers to the commands that follow
  # shellcheck disable=SC2016
  quiet chroot "$work/clean" sh -c '
    AU_CONFIG=/etc/active-users.conf setpriv --reuid active-users --regid active-users --clear-groups \
      /usr/bin/active-users --host 127.0.0.1 --http-port 13801 --ws-port 13803 --log-format json >/tmp/out 2>&1 &
    pid=$!
    until curl -fsS http://127.0.0.1:13801/ready 2>/dev/null || ! kill -0 $pid; do sleep 0.1; done
    curl -fsS http://127.0.0.1:13801/health && curl -fsS http://127.0.0.1:13801/client.js | grep -q ActiveUsers
    answered=$?
    kill $pid; wait $pid; ended=$?
    cat /tmp/out; [ $answered = 0 ] && [ $ended = 0 ]'
}
run
say "installed, answers with its script, stops with 0"

# ---- upgrade: the setting of the operator stays ------------------------------------------------------
echo 'presence-ttl = 77' >>"$work/clean/etc/active-users.conf"
chroot "$work/clean" dpkg-deb -R "/$deb" /tmp/next
sed -i "s/^Version: .*/Version: $version-2/" "$work/clean/tmp/next/DEBIAN/control"
in_clean dpkg-deb -b /tmp/next /next.deb
in_clean apt-get install -y -q /next.deb
grep -q 'presence-ttl = 77' "$work/clean/etc/active-users.conf"
chroot "$work/clean" dpkg-query -W -f '${Version}\n' active-users | grep -qx "$version-2"
run
say "upgraded, and the config file is as it was changed"

# ---- remove, and purge -----------------------------------------------------------------------------
in_clean apt-get remove -y -q active-users
[ -e "$work/clean/etc/active-users.conf" ] && [ ! -e "$work/clean/usr/bin/active-users" ]
mkdir -p "$work/clean/var/log/active-users" "$work/clean/var/lib/active-users"
in_clean apt-get purge -y -q active-users
rm -rf "$work/clean/tmp/next" "$work/clean/$deb"
left=$(cd "$work/clean" && find etc usr var lib -name '*active-users*' -not -path 'var/lib/dpkg/*' -not -path 'var/lib/apt/*' -not -path 'var/cache/*')
[ -z "$left" ] || { say "purge leaves $left" >&2; exit 1; }
say "purged, and nothing is left"
