#!/usr/bin/env bash
# Builds the server without the FIPS module, the same bytes in any folder:
#
#   packaging/build-binary.sh OUT [CARGO ARGUMENT...]
#
# OUT/helios is what is packaged; OUT/helios.debug holds its symbols. fips/build.sh does the same with the module.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
(($#)) || { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd -P)
shift
. "$ROOT/packaging/build-env.sh"

cd "$ROOT"
cargo build --release --locked --bin helios "$@"
"$ROOT/packaging/strip.sh" "${CARGO_TARGET_DIR:-$ROOT/target}/release/helios" "$out"
sha256sum "$out/helios"
