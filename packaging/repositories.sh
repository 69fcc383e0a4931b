#!/usr/bin/env bash
# Makes the signed APT and YUM repositories of signed packages:
#
#   packaging/repositories.sh KEY OUT PACKAGE...
#
# KEY is an OpenPGP key that gpg can use. OUT/apt and OUT/yum can be served as they are, by any web server or from a disk.
# Packages that are there already stay, so that older versions can still be had.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
(($# >= 3)) || { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
. "$ROOT/packaging/version.sh"
key=$1
mkdir -p "$2/apt/pool/main/h/helios" "$2/apt/dists/stable/main/binary-amd64" "$2/yum"
out=$(realpath "$2")
shift 2
sign() { gpg --batch --yes --quiet --no-auto-check-trustdb --local-user "$key" --digest-algo SHA512 "$@"; }

for package in "$@"; do
    case $package in
    *.deb) cp "$package" "$out/apt/pool/main/h/helios/" ;;
    *.rpm) cp "$package" "$out/yum/" ;;
    esac
done

# No digest that is broken.
digests=(-o APT::FTPArchive::MD5=false -o APT::FTPArchive::SHA1=false)

cd "$out/apt"
packages=dists/stable/main/binary-amd64/Packages
apt-ftparchive "${digests[@]}" packages pool >"$packages"
gzip -9nkf "$packages"
xz -kf "$packages"
rm -f dists/stable/{InRelease,Release,Release.gpg}
apt-ftparchive "${digests[@]}" \
    -o APT::FTPArchive::Release::Origin=HeliosLogs \
    -o APT::FTPArchive::Release::Label=HeliosLogs \
    -o APT::FTPArchive::Release::Suite=stable \
    -o APT::FTPArchive::Release::Codename=stable \
    -o APT::FTPArchive::Release::Architectures=amd64 \
    -o APT::FTPArchive::Release::Components=main \
    release dists/stable |
    sed "s/^Date: .*/Date: $(date -u -R -d "@$SOURCE_DATE_EPOCH" | sed 's/+0000/UTC/')/" >"$out/Release"
mv "$out/Release" dists/stable/Release
sign --clearsign --output dists/stable/InRelease dists/stable/Release
sign --armor --detach-sign --output dists/stable/Release.gpg dists/stable/Release

cd "$out/yum"
createrepo_c --quiet --no-database --revision "$SOURCE_DATE_EPOCH" --set-timestamp-to-revision .
sign --armor --detach-sign --output repodata/repomd.xml.asc repodata/repomd.xml
