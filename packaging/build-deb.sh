#!/usr/bin/env bash
# Makes the Debian package of a stage, the same bytes for the same stage, version and SOURCE_DATE_EPOCH:
#
#   packaging/build-deb.sh STAGE OUT
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
(($# == 2)) || { sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
. "$ROOT/packaging/version.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
cp -a "$1" "$tree"
chmod 755 "$tree"

# The newest version of glibc that the server asks for a symbol of.
glibc=$(objdump -T "$tree/usr/bin/helios" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -uV | tail -n 1)

doc=$tree/usr/share/doc/helios
cat >"$work/changelog" <<CHANGELOG
helios ($VERSION) stable; urgency=medium

  * What changed is in CHANGELOG.md of the release.

 -- $PACKAGER  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
CHANGELOG
gzip -9nc "$work/changelog" >"$doc/changelog.gz"
install -D -m 0644 "$ROOT/packaging/deb/lintian-overrides" "$tree/usr/share/lintian/overrides/helios"

mkdir "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: helios
Version: $VERSION
Architecture: amd64
Maintainer: $PACKAGER
Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$tree" | cut -f1)
Depends: libc6 (>= $glibc), libgcc-s1 (>= 4.2), init-system-helpers (>= 1.54~), systemd | systemd-standalone-sysusers
Section: admin
Priority: optional
Description: log search server that loses nothing
 Stores logs that are sent over HTTP and searches them, in a browser or from a
 terminal, with a piped query language. An answer of success means that events
 are on the disk and searchable; an answer to a query is exact or says what it
 left out.
 .
 The server runs as a hardened systemd service and listens on the loopback
 address.
CONTROL
echo /etc/helios/helios.env >"$tree/DEBIAN/conffiles"
for script in preinst postinst prerm postrm; do
    "$ROOT/packaging/scripts/fill.py" "$ROOT/packaging/deb/$script" "$VERSION" >"$tree/DEBIAN/$script"
    chmod 755 "$tree/DEBIAN/$script"
done
(cd "$tree" && find usr -type f | sort | xargs md5sum) >"$tree/DEBIAN/md5sums"
chmod 644 "$tree"/DEBIAN/{control,conffiles,md5sums} "$doc/changelog.gz"

find "$tree" -type d -exec chmod 755 {} +
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$2"
dpkg-deb --root-owner-group -Zxz --build "$tree" "$2/helios_${VERSION}_amd64.deb" >/dev/null
echo "$2/helios_${VERSION}_amd64.deb"
