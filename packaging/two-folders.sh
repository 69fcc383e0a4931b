#!/usr/bin/env bash
# Builds the last commit in two folders and compares what is packaged, byte for byte:
#
#   packaging/two-folders.sh WORK [--fips|--exact]
#
# WORK takes about 6 GB. Two release builds from nothing: not a part of each CI run.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
(($# >= 1)) || { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
mkdir -p "$1"
work=$(realpath "$1")
shift
build() {
    local tree=$work/$1 target=$work/$2 out=$work/$3
    shift 3
    mkdir -p "$tree"
    git -C "$ROOT" archive HEAD | tar -x -C "$tree"
    CARGO_TARGET_DIR=$target "$tree/packaging/build-binary.sh" "$@" "$out"
}
build one one/target out/one "$@"
build another/with/a/longer/name other-target out/other "$@"
cmp "$work/out/one/helios" "$work/out/other/helios"
echo "the same bytes from two folders: $(sha256sum <"$work/out/one/helios")"
