#!/usr/bin/env bash
# Prints the environment in which podman works on this machine, and makes the images that cannot be
# pulled: engine.sh FOLDER
#
# Where there is no registry, images made of Debian's packages stand in for the official ones, under
# their names, with their users and commands. They carry this machine's package mirror and are never
# to be published. FOLDER keeps podman's storage, so that a machine's own images stay as they are.
set -euo pipefail
folder=$1
mkdir -p "$folder"
log=$folder/engine.log
exec 3>&1 >>"$log" 2>&1

missing=
for package in podman buildah runc podman-compose netavark aardvark-dns conmon iptables debootstrap; do
  dpkg-query -W -f='${Status}' $package 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
fi

# The engine without systemd; a place where the storage is not on an overlay of its own.
cat > "$folder/containers.conf" <<C
[containers]
default_ulimits = ["nofile=1024:$(ulimit -Hn)", "nproc=4000:4000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
C
cat > "$folder/storage.conf" <<C
[storage]
driver = "overlay"
runroot = "$folder/run"
graphroot = "$folder/graph"
C
export CONTAINERS_CONF=$folder/containers.conf CONTAINERS_STORAGE_CONF=$folder/storage.conf

base=docker.io/library/debian:13-slim suite=trixie

has() { podman image exists "$1" || timeout 60 podman pull --quiet "$1"; }

# The smallest Debian, with the package sources and certificates this machine has.
make_base() {
  local root mirror sources=/etc/apt/sources.list.d/debian.sources
  mirror=$(awk '/^URIs:/{print $2; exit}' $sources)
  root=$(mktemp -d -p "$folder")
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror"
  rm -f "$root/etc/apt/sources.list" "$root"/var/cache/apt/archives/*.deb
  sed "s/$(. /etc/os-release && echo "$VERSION_CODENAME")/$suite/g" $sources > "$root$sources"
  cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
  [ ! -d /etc/apt/keyrings ] || cp -r /etc/apt/keyrings "$root/etc/apt/"
  cp -rL --remove-destination /etc/ssl/certs/. "$root/etc/ssl/certs/"
  [ ! -f /root/.npmrc ] || cp /root/.npmrc "$root/root/"
  tar -C "$root" -c . | podman import --quiet \
    -c 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' -c 'CMD ["bash"]' - "$base"
  rm -rf "$root"
}

# stand_in IMAGE PACKAGE LINE…: a Dockerfile of these lines.
stand_in() {
  local image=$1 package=$2
  shift 2
  has "$image" || printf '%s\n' "FROM $base" \
    "RUN apt-get update && apt-get install -y --no-install-recommends $package" "$@" |
    podman build --quiet --format docker --isolation chroot --network host -t "$image" -f - "$folder"
}

has "$base" || make_base
stand_in docker.io/library/redis:7 redis-server \
  'RUN usermod -o -u 999 redis && groupmod -o -g 999 redis && install -d -o 999 -g 999 /data' \
  'WORKDIR /data' 'VOLUME /data' \
  'ENTRYPOINT ["/bin/sh", "-c", "exec \"$@\" --protected-mode no --bind 0.0.0.0", "sh"]' 'CMD ["redis-server"]'
stand_in docker.io/library/haproxy:3.0 haproxy 'RUN usermod -o -u 99 haproxy && groupmod -o -g 99 haproxy' \
  'STOPSIGNAL SIGUSR1' 'USER 99'
stand_in docker.io/prom/prometheus:v3.5.0 prometheus \
  'RUN install -d -o 65534 -g 65534 /prometheus' 'USER 65534' 'VOLUME /prometheus' \
  'ENTRYPOINT ["/usr/bin/prometheus"]'

echo "export CONTAINERS_CONF=$CONTAINERS_CONF CONTAINERS_STORAGE_CONF=$CONTAINERS_STORAGE_CONF" >&3
