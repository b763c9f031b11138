#!/usr/bin/env bash
# Makes a source package: a release with debian/ at its top, where Debian wants it, and the release
# beside it as it was. Arguments: the release, the folder to put both into.
set -eu
release=$(realpath "$1") to=$2
packaging=$(realpath "$(dirname "$0")/debian")
name=$(basename "$release" .tar.gz)
version=${name#active-users-}
cp "$release" "$to/active-users_$version.orig.tar.gz"
tar -C "$to" -xzf "$release"
top=$to/$name
cp -r "$packaging" "$top/debian"
date=$(LC_ALL=C date -R -u -r "$top/Makefile") # that of the commit
sed -e "s|@version@|$version|" -e "s|@date@|$date|" "$top/debian/changelog.in" >"$top/debian/changelog"
rm "$top/debian/changelog.in"
{
  sed -e "s|@copyright@|$(sed -n 's/^Copyright (c) //p' "$top/LICENSE")|" -e '/@license@/d' "$packaging/copyright"
  sed -n '/^Permission/,$p' "$top/LICENSE" | sed -e 's/^$/./' -e 's/^/ /'
} >"$top/debian/copyright"
