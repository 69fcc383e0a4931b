# Sourced by every script that compiles what is released: after it the same commit gives the same bytes in any
# folder. Set ROOT (the tree) before; CARGO_TARGET_DIR and CARGO_HOME are taken as they are.
# shellcheck shell=bash

# Paths of this machine that compilers write down (panics, debug information, asserts of C code), and what is
# written instead. The longest first: of several that fit, rustc takes the last, gcc the last given too.
_cargo_home=${CARGO_HOME:-$HOME/.cargo}
_target=${CARGO_TARGET_DIR:-$ROOT/target}
_sysroot=$(cd "$ROOT" && rustc --print sysroot)
_rust=/rustc/$(cd "$ROOT" && rustc -vV | sed -n 's/^commit-hash: //p')
_maps=(
    "$ROOT=/build/helios"
    "$_target=/build/target"
    "$_cargo_home=/build/cargo"
    "$_sysroot/lib/rustlib/src/rust=$_rust"
)

# cargo leaves --remap-path-prefix out of the names it makes for symbols, so other folders give the same names.
_flags=() _cflags=()
for _map in "${_maps[@]}"; do
    _flags+=("--remap-path-prefix=$_map")
    _cflags+=("-ffile-prefix-map=$_map")
done
CARGO_ENCODED_RUSTFLAGS=$(
    IFS=$'\x1f'
    echo "${_flags[*]}"
)
export CARGO_ENCODED_RUSTFLAGS
export CFLAGS="${_cflags[*]}"
export CXXFLAGS=$CFLAGS
unset RUSTFLAGS _cargo_home _target _sysroot _rust _maps _map _flags _cflags

# Nothing in the binary tells a time. The value is fixed because build scripts of C libraries run again whenever it
# changes: packages, which do tell a time, take the last commit's.
export SOURCE_DATE_EPOCH=315532800
export CARGO_INCREMENTAL=0 LC_ALL=C TZ=UTC
umask 022
