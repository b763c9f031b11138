#!/usr/bin/env bash
# Builds the Debian packages in a tree of a release, then installs, runs, upgrades and purges them in
# another one that has no compiler and a systemd of its own. Needs root, debootstrap and the package mirror.
#   tests/packaging/deb.sh bookworm|trixie    after `make dist`
# DEBS=build/deb takes packages that were built on this machine, of the same release of Debian.
set -eu
cd "$(dirname "$0")/../.."
suite=$1
version=$(cat VERSION)
work=$(mktemp -d)
umount_all() { for tree in build clean; do umount "$work/$tree/proc" 2>/dev/null || true; done; }
end() {
  [ -z "${boot:-}" ] || { kill "$boot" 2>/dev/null && wait "$boot"; } || true
  umount_all
  rm -rf --one-file-system "$work"
}
trap end EXIT
say() { echo "$suite: $*"; }
quiet() { "$@" >"$work/log" 2>&1 || { tail -40 "$work/log" >&2; exit 1; }; }
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
unset MAKEFLAGS MAKEOVERRIDES MFLAGS

# ---- two trees, which take packages from where this machine does -------------------------------
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
[ -n "$mirror" ] || mirror=$(awk '/^deb /{for(i=2;i<=NF;i++) if($i ~ /:\/\//){print $i; exit}}' /etc/apt/sources.list)
quiet debootstrap --variant=minbase --include=ca-certificates "$suite" "$work/clean" "$mirror"
echo "deb $mirror $suite main" >"$work/clean/etc/apt/sources.list"
for file in /etc/apt/apt.conf.d/*; do # but what a package put there, which may come by itself
  dpkg-query -S "$file" >/dev/null 2>&1 || cp "$file" "$work/clean/etc/apt/apt.conf.d/"
done
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
  in_build pkg-config --modversion active_users
  grep -qx "$version" "$work/log"
  say "a program links with libactive-users-dev"
  DEBS=$work/build/src
}
[ -n "${DEBS:-}" ] || build_packages

# ---- what is in it ---------------------------------------------------------------------------------
deb=active-users_$version-1_$(dpkg --print-architecture).deb
listed=$(dpkg-deb -c "$DEBS/$deb" | awk '{sub(/^\.(\/usr)?/, "", $6); print $6}')
for file in /lib/systemd/system/active-users.service /lib/systemd/system/active-users@.service \
  /lib/systemd/system/active-users.socket /bin/active-users /bin/au-load /etc/active-users.conf \
  /share/man/man1/active-users.1.gz /share/man/man1/au-load.1.gz /share/man/man5/active-users.conf.5.gz; do
  grep -qxF "$file" <<<"$listed" || { say "$deb has no $file" >&2; exit 1; }
done
for unit in active-users.service active-users@.service; do
  dpkg-deb --fsys-tarfile "$DEBS/$deb" | tar -xO --wildcards "*/systemd/system/$unit" | grep -qx RestartPreventExitStatus=2
done
say "has its units, the socket, its pages and its configuration"

# ---- install and run, without a compiler: in a tree where systemd is process 1 ---------------------
cp "$DEBS/$deb" "$work/clean/first.deb"
in_clean apt-get update -q
in_clean apt-get install -y -q --no-install-recommends systemd systemd-sysv curl
in_clean apt-get satisfy -y -q --no-install-recommends "$(dpkg-deb -f "$DEBS/$deb" Depends)"
! chroot "$work/clean" sh -c 'command -v cc' || exit 1
chroot "$work/clean" dpkg-deb -R /first.deb /next
sed -i "s/^Version: .*/Version: $version-2/" "$work/clean/next/DEBIAN/control"
in_clean dpkg-deb -b /next /next.deb
rm -rf "$work/clean/next"
cp tests/packaging/deb-inside.sh "$work/clean/inside.sh"
umount_all

tests/packaging/boot.sh "$work/clean" "$work/pid" >"$work/boot.log" 2>&1 &
boot=$!
enter() {
  nsenter -t "$(cat "$work/pid")" --mount --pid --uts --ipc --net --cgroup --root --wd \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
}
inside() { quiet enter "$@"; } # a step of deb-inside.sh, or a command
until [ -s "$work/pid" ]; do kill -0 $boot 2>/dev/null || { cat "$work/boot.log" >&2; exit 1; }; sleep 0.1; done
until enter systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; do kill -0 $boot; sleep 0.1; done
inside dpkg -i /first.deb
inside /inside.sh installed
say "installed: starts by itself, as its own user without a right, and answers with its script"
inside /inside.sh restarted
say "comes back from a crash; a mistake is one line, status 2 and no restart; instances share the ports"
inside /inside.sh socket
say "restarts behind the socket without a lost request, and with its count"
inside /inside.sh upgraded /next.deb
inside dpkg-query -W -f '${Version}\n' active-users
grep -qx "$version-2" "$work/log"
say "upgrades without a lost request, with its count, and the config file is as it was changed"
inside /inside.sh removed
say "removed and purged, and nothing is left"
