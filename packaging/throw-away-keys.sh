#!/usr/bin/env bash
# Makes keys to try a release with, unless FOLDER has them already: an OpenPGP key (gnupg/, fingerprint) and the key of
# bundles (bundle.pem).
#
#   packaging/throw-away-keys.sh FOLDER
set -euo pipefail
(($# == 1)) || { sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
[[ ! -s $1/fingerprint ]] || exit 0
umask 077
mkdir -p "$1/gnupg"
export GNUPGHOME=$1/gnupg
echo 'trust-model always' >"$GNUPGHOME/gpg.conf"
gpg --batch --quiet --no-auto-check-trustdb --passphrase '' \
    --quick-generate-key 'Throw-away key, trust it for nothing' rsa3072 sign 1d 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$1/bundle.pem" 2>/dev/null
gpg --batch --no-auto-check-trustdb --with-colons --list-secret-keys | awk -F: '/^fpr/ { print $10; exit }' >"$1/fingerprint"
