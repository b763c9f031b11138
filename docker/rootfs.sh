#!/usr/bin/env bash
# Lays out the root file system of the image: rootfs.sh PROGRAM FOLDER EPOCH
#   FOLDER/libraries   the shared libraries PROGRAM runs with, their licences, and their packages'
#                      records, where scanners look for them (/var/lib/dpkg/status.d)
#   FOLDER/system      the user, the names of hosts, those who sign certificates
#   FOLDER/daemon      PROGRAM
# Every file gets the time EPOCH (seconds since 1970).
set -euo pipefail
program=$1 root=$2 epoch=$3

# The libraries by the names they are loaded by; the loader itself is the line without an arrow.
libraries=$(ldd "$program" | awk '/=> \//{print $3} /^\t\//{print $1}')

# The package a library is from: dpkg knows one of its names, before or behind the merge of /usr.
package_of() {
  local name
  for name in "$1" "$(realpath "$1")" "/usr$1"; do
    dpkg-query -S "$name" 2>/dev/null | awk -F '[:,]' '!/^diversion/{print $1; exit}' | grep . && return
  done
  echo "$1 is of no package" >&2
  return 1
}

for library in $libraries; do
  install -Dm755 "$(realpath "$library")" "$root/libraries$library"
  package=$(package_of "$library")
  mkdir -p "$root/libraries/var/lib/dpkg/status.d"
  dpkg-query -s "$package" > "$root/libraries/var/lib/dpkg/status.d/$package"
  [ ! -e "/usr/share/doc/$package/copyright" ] ||
    install -Dm644 "/usr/share/doc/$package/copyright" "$root/libraries/usr/share/doc/$package/copyright"
done

mkdir -p "$root/system/etc/ssl/certs"
echo 'active-users:x:10001:10001::/:/usr/sbin/nologin' > "$root/system/etc/passwd"
echo 'active-users:x:10001:' > "$root/system/etc/group"
echo 'hosts: files dns' > "$root/system/etc/nsswitch.conf"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/system/etc/ssl/certs/"
install -dm1777 "$root/system/tmp"

install -Dsm755 "$program" "$root/daemon/usr/bin/active-users"
install -Dm644 LICENSE "$root/daemon/usr/share/doc/active-users/copyright"

find "$root" -exec touch --no-dereference --date="@$epoch" {} +
