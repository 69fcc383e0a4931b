# Sourced: the version of what is packaged, and the time that it tells. Set ROOT before.
# shellcheck shell=bash

# HELIOS_PACKAGE_VERSION is for the tests of upgrades, which package one binary under two numbers.
VERSION=${HELIOS_PACKAGE_VERSION:-$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml")}

# The time of the last commit, unless a distributor sets another.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
export LC_ALL=C TZ=UTC
umask 022

PACKAGER=${HELIOS_PACKAGER:-"HeliosLogs packagers <packages@helioslogs.invalid>"}
