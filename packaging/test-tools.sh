#!/usr/bin/env bash
# Installs what packaging/test.sh and packaging/release.sh need on Debian 12, as root, unless it is there.
set -euo pipefail
missing=()
while read -r command package; do
    command -v "$command" >/dev/null || missing+=("$package")
done <<'TOOLS'
rpmbuild rpm
rpmlint rpmlint
createrepo_c createrepo-c
dnf dnf
lintian lintian
apt-ftparchive apt-utils
gpg gpg
gpg-agent gpg-agent
gpgconf gpgconf
systemd-analyze systemd
xz xz-utils
mmdebstrap mmdebstrap
systemd-nspawn systemd-container
openssl openssl
python3 python3
objdump binutils
TOOLS
((${#missing[@]})) || exit 0
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
