#!/usr/bin/env bash
# Builds HeliosLogs on the validated module.
#
#   fips/build.sh                     the profile `default`: the newest module that Cargo.lock pins
#   fips/build.sh --exact             the profile `certificate-exact`: what fips/Cargo.exact.lock pins
#   fips/build.sh [--exact] -- ARGS   `cargo ARGS` with the same lock file and feature, instead of the release build
#
# Needs beside Rust: cmake 3.12, Go, Perl, a C compiler, make. On Debian:
#   apt-get install cmake golang-go perl gcc make
# Nothing is downloaded but crates; after `cargo fetch` none of it needs a network. The tree is not changed.
# CARGO_TARGET_DIR   where to build, `target` unless set; the profile certificate-exact builds in `exact` below it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

missing=()
for command in cargo cmake go perl cc make; do
    command -v "$command" >/dev/null || missing+=("$command")
done
if ((${#missing[@]})); then
    echo "error: missing: ${missing[*]}. On Debian: apt-get install cmake golang-go perl gcc make" >&2
    exit 1
fi

exact=false
if [[ ${1:-} == --exact ]]; then
    exact=true
    shift
fi
if (($#)); then
    [[ $1 == -- ]] || { sed -n '2,12p' "${BASH_SOURCE[0]}" >&2; exit 2; }
    shift
else
    set -- build --release --bin helios
fi

target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
tree=$root
if $exact; then
    # The same files under another lock file. The folder keeps its place, so that cargo builds again only what changed.
    target=$target/exact
    tree=$target/tree
    mkdir -p "$tree"
    find "$tree" -mindepth 1 -maxdepth 1 -type l -delete
    for entry in "$root"/* "$root"/.ci; do
        case ${entry##*/} in
            Cargo.lock | target) ;;
            *) ln -s "$entry" "$tree/" ;;
        esac
    done
    cmp -s "$root/fips/Cargo.exact.lock" "$tree/Cargo.lock" || cp "$root/fips/Cargo.exact.lock" "$tree/Cargo.lock"
fi

command=$1
shift
cd "$tree"
# What follows `--` goes to the program, as everywhere with cargo.
CARGO_TARGET_DIR=$target exec cargo "$command" --locked --features fips "$@"
