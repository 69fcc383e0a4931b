#!/usr/bin/env bash
# Makes everything that is published of a version, without a network, from a clean tree:
#
#   packaging/release.sh OUT                     sign with the keys that the variables name
#   packaging/release.sh --throw-away OUT        make keys for this once; nobody will trust what they sign
#                                                (HELIOS_THROW_AWAY_KEYS: a folder that keeps them for the next time)
#
#   HELIOS_RELEASE_GPG_KEY     OpenPGP key, by fingerprint: in gpg's key ring, its agent or a card
#   HELIOS_RELEASE_BUNDLE_KEY  ECDSA P-384 key: a PEM file, or a URI that openssl opens
#   HELIOS_RELEASE_BINARY      a stripped server that is built already; else build-binary.sh --fips makes it
#   HELIOS_RELEASE_FEATURES    the cargo features it was built with: `--features fips` unless set
#   HELIOS_BUILDER_ID          URI of the builder in the provenance
#
# Before, once, with a network: cargo fetch --locked, and npm ci --ignore-scripts in web/.
# docs/verify.md says how a user checks each file.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
usage() { sed -n '2,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
die() { echo "release: $*" >&2; exit 1; }

throw_away=
[[ ${1:-} != --throw-away ]] || { throw_away=yes; shift; }
(($# == 1)) || usage
. "$ROOT/packaging/version.sh"
mkdir -p "$1"
out=$(realpath "$1")
[[ -z $(ls -A "$out") ]] || die "$out is not empty"
work=$(mktemp -d)
trap 'gpgconf --kill gpg-agent 2>/dev/null || true; rm -rf "$work"' EXIT

if [[ -n $throw_away ]]; then
    keys=${HELIOS_THROW_AWAY_KEYS:-$work/keys}
    "$ROOT/packaging/throw-away-keys.sh" "$keys"
    export GNUPGHOME=$keys/gnupg
    HELIOS_RELEASE_GPG_KEY=$(cat "$keys/fingerprint")
    HELIOS_RELEASE_BUNDLE_KEY=$keys/bundle.pem
else
    # Only an agent that this script started is ended with it.
    trap 'rm -rf "$work"' EXIT
    [[ -n ${HELIOS_RELEASE_GPG_KEY:-} && -n ${HELIOS_RELEASE_BUNDLE_KEY:-} ]] || usage
    [[ -z $(git -C "$ROOT" status --porcelain) ]] || die "the tree has changes: commit them, or nobody can build this again"
fi
key=$HELIOS_RELEASE_GPG_KEY
sign() { gpg --batch --yes --quiet --no-auto-check-trustdb --local-user "$key" --digest-algo SHA512 --armor --detach-sign "$@"; }

# --- the server and its packages ---

read -ra features <<<"${HELIOS_RELEASE_FEATURES---features fips}"
binary=${HELIOS_RELEASE_BINARY:-}
if [[ -z $binary ]]; then
    CARGO_NET_OFFLINE=true "$ROOT/packaging/build-binary.sh" --fips "$work/build"
    binary=$work/build/helios
fi
"$ROOT/packaging/stage.sh" "$binary" "$work/stage" "${features[@]}"
"$ROOT/packaging/build-deb.sh" "$work/stage" "$out"
"$ROOT/packaging/build-rpm.sh" "$work/stage" "$out"
deb=helios_${VERSION}_amd64.deb
rpm=helios-$VERSION-1.x86_64.rpm
cd "$out"
# What somebody who builds it again gets: a signature is inside of the RPM, and cannot be taken out to the byte.
sha256sum "$rpm" >"$rpm.unsigned.sha256"
tty -s || export GPG_TTY=/dev/null
rpmsign --addsign --define "__gpg $(command -v gpg)" --define "_gpg_name $key" --define '_gpg_digest_algo sha256' "$rpm" >/dev/null

# --- what says what they are ---

sbom=helios-$VERSION.cdx.json
provenance=helios-$VERSION.provenance.json
"$ROOT/packaging/sbom.py" "$binary" "$VERSION" "${features[@]}" >"$sbom"
awk '/^## / { if (found) exit; found = 1 } found' "$ROOT/CHANGELOG.md" >RELEASE-NOTES.md
"$ROOT/packaging/provenance.py" "$VERSION" "$deb" "$rpm" "$sbom" "$binary" >"$provenance"
sign --output "$sbom.asc" "$sbom"
sign --output "$provenance.asc" "$provenance"

# --- the bundle, the keys to check with, the sums ---

"$ROOT/packaging/bundle.py" "$VERSION" "$HELIOS_RELEASE_BUNDLE_KEY" "helios-$VERSION-upgrade.tar" \
    "$deb" "$rpm" "$rpm.unsigned.sha256" "$sbom" "$sbom.asc" "$provenance" "$provenance.asc" RELEASE-NOTES.md
openssl pkey -in "$HELIOS_RELEASE_BUNDLE_KEY" -pubout -out helios-release.pem
gpg --batch --armor --export "$key" >helios-release.asc
sha256sum "$deb" "$rpm" "$rpm.unsigned.sha256" "$sbom" "$provenance" RELEASE-NOTES.md "helios-$VERSION-upgrade.tar" >SHA256SUMS
sign --output SHA256SUMS.asc SHA256SUMS
"$ROOT/packaging/repositories.sh" "$key" "$out" "$deb" "$rpm"
ls "$out"
