#!/usr/bin/env bash
# Makes the RPM of a stage, unsigned, the same bytes for the same stage, version and SOURCE_DATE_EPOCH:
#
#   packaging/build-rpm.sh STAGE OUT
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
(($# == 2)) || { sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
. "$ROOT/packaging/version.sh"
stage=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$ROOT/packaging/scripts/fill.py" "$ROOT/packaging/rpm/helios.spec" "$VERSION" >"$work/helios.spec"
rpmbuild -bb --quiet --nodeps --target x86_64-linux \
    --define "_topdir $work/top" \
    --define "_rpmdir $out" \
    --define "_build_name_fmt %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm" \
    --define "stage $stage" \
    --define "licence $ROOT/LICENSE" \
    --define "packager $PACKAGER" \
    --define "changelog_date $(date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')" \
    "$work/helios.spec" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
echo "$out/helios-$VERSION-1.x86_64.rpm"
