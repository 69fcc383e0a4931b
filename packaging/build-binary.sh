#!/usr/bin/env bash
# Builds the server that is packaged, the same bytes in any folder:
#
#   packaging/build-binary.sh OUT            without the FIPS module
#   packaging/build-binary.sh --fips OUT     with the newest validated-line module (fips/build.sh)
#   packaging/build-binary.sh --exact OUT    with the module of the certificate
#
# OUT/helios is what is packaged; OUT/helios.debug holds its symbols.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
usage() { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
profile=plain
case ${1:-} in
--fips | --exact) profile=${1#--}; shift ;;
esac
(($# == 1)) || usage
. "$ROOT/packaging/build-env.sh"
target=${CARGO_TARGET_DIR:-$ROOT/target}

case $profile in
plain)
    (cd "$ROOT" && cargo build --release --locked --bin helios)
    built=$target/release/helios
    ;;
fips)
    "$ROOT/fips/build.sh"
    built=$target/release/helios
    ;;
exact)
    "$ROOT/fips/build.sh" --exact
    built=$target/exact/release/helios
    ;;
esac
"$ROOT/packaging/strip.sh" "$built" "$1"
sha256sum "$1/helios"
