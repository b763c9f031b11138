#!/usr/bin/env bash
# Starts systemd as process 1 of a tree, in namespaces of its own: it sees no process, no mount and no
# network of this machine, but a loopback. Needs root. Ends when systemd does, or when it is killed.
#   tests/packaging/boot.sh TREE PIDFILE     the pid of systemd is written there
set -eu
tree=$(realpath "$1") pidfile=$2
cgroups=$(findmnt -n -o TARGET -t cgroup2 | head -1)
[ -n "$cgroups" ] || { echo "no cgroup2 is mounted: systemd cannot run" >&2; exit 1; }
# A group of its own, so that what systemd makes below it is away from this machine's.
group=$cgroups/active-users-boot-$$
mkdir "$group"
end() {
  [ -z "${inner:-}" ] || kill -KILL "$inner" 2>/dev/null || true
  wait 2>/dev/null || true
  echo $BASHPID >"$cgroups/cgroup.procs" 2>/dev/null || true
  for _ in $(seq 100); do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [ -d "$group" ] || break
    sleep 0.1
  done
}
trap end EXIT
trap 'exit 143' TERM INT

# shellcheck disable=SC2016
inside='
set -eu
cd "$1"
mount --make-rprivate /
mount --bind . "$1" && cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do : >dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
ip link set lo up
mkdir run/machine
pivot_root . run/machine
umount -l /run/machine
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=tree SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 \
  /lib/systemd/systemd --show-status=no'
(
  echo $BASHPID >"$group/cgroup.procs"
  exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --net sh -c "$inside" boot "$tree"
) &
inner=$!
for _ in $(seq 300); do
  pid=$(cat "/proc/$inner/task/$inner/children" 2>/dev/null | tr -d ' ')
  [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != systemd ] || break
  sleep 0.1
done
[ "$(cat "/proc/$pid/comm")" = systemd ]
echo "$pid" >"$pidfile"
wait "$inner"
