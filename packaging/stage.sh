#!/usr/bin/env bash
# Lays out what both packages install:
#
#   packaging/stage.sh BINARY STAGE [CARGO ARGUMENT...]
#
# BINARY is the stripped server; the cargo arguments are those it was built with (their features decide which crates'
# licences are listed).
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
(($# >= 2)) || { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
binary=$(realpath "$1")
stage=$2
shift 2
. "$ROOT/packaging/version.sh"

rm -rf "$stage"
mkdir -p "$stage"
stage=$(cd "$stage" && pwd -P)
put() { install -D -m "$1" "$2" "$stage/$3"; }

put 0755 "$binary" usr/bin/helios
put 0755 "$ROOT/systemd/note-version" usr/libexec/helios/note-version
put 0644 "$ROOT/systemd/helios.service" usr/lib/systemd/system/helios.service
put 0644 "$ROOT/systemd/helios.socket" usr/lib/systemd/system/helios.socket
put 0644 "$ROOT/systemd/helios-airgap.conf" usr/share/helios/helios-airgap.conf
echo "$VERSION" >"$stage/usr/share/helios/version"
put 0644 "$ROOT/systemd/helios.sysusers" usr/lib/sysusers.d/helios.conf
put 0644 "$ROOT/systemd/helios.tmpfiles" usr/lib/tmpfiles.d/helios.conf
put 0644 "$ROOT/systemd/helios.env" etc/helios/helios.env

completions() { mkdir -p "$stage/$2" && "$binary" completions "$1" >"$stage/$2/$3"; }
completions bash usr/share/bash-completion/completions helios
completions zsh usr/share/zsh/vendor-completions _helios
completions fish usr/share/fish/vendor_completions.d helios.fish

"$ROOT/packaging/man.py" "$binary" "$VERSION" "$stage/man"
for page in "$stage"/man/*; do
    gzip -9n "$page"
    put 0644 "$page.gz" "usr/share/man/man${page##*.}/${page##*/}.gz"
done
rm -r "$stage/man"

doc=usr/share/doc/helios
for page in "$ROOT"/docs/*.md "$ROOT/SECURITY.md"; do
    put 0644 "$page" "$doc/${page##*/}"
done
put 0644 "$ROOT/packaging/copyright" "$doc/copyright"
"$ROOT/packaging/licences.py" "$@" >"$stage/$doc/third-party-licences.txt"

find "$stage" -type d -exec chmod 755 {} +
find "$stage" -type f ! -perm 755 -exec chmod 644 {} +
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
