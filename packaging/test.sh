#!/usr/bin/env bash
# Tests of the units, the packages, the repositories and the signatures, with throw-away keys:
#
#   packaging/test.sh BINARY [units|make|lint|twice|signatures|apt|dnf|booted]...
#
# BINARY is the stripped server as it is packaged; all tests unless some are named. Needs root, Debian 12 and what
# packaging/test-tools.sh installs.
# HELIOS_RELEASE_FEATURES  the cargo features that BINARY was built with (packaging/release.sh)
# HELIOS_PACKAGES_CACHE    folder in which the machine's root file system is kept between runs
# HELIOS_PACKAGES_WORK     folder that keeps what was made, for looking at it and for naming single tests
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
(($#)) || { sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
binary=$(realpath "$1")
shift
export HELIOS_RELEASE_BINARY=$binary
CACHE=${HELIOS_PACKAGES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/helios-ci/packages}
OLD_VERSION=0.0.9

if [[ -n ${HELIOS_PACKAGES_WORK:-} ]]; then
    work=$HELIOS_PACKAGES_WORK
    mkdir -p "$work"
else
    work=$(mktemp -d)
fi
export HELIOS_THROW_AWAY_KEYS=$work/keys
export GNUPGHOME=$work/keys/gnupg
finish() {
    local home
    for home in "$work"/keys/gnupg "$work"/other-keys/gnupg "$work"/user; do
        [[ ! -d $home ]] || GNUPGHOME=$home gpgconf --kill gpg-agent 2>/dev/null || true
    done
    [[ -n ${HELIOS_PACKAGES_WORK:-} ]] || rm -rf "$work"
}
trap finish EXIT

. "$ROOT/packaging/version.sh"
NEW_VERSION=$VERSION
new=$work/new
old=$work/old
deb=$new/helios_${NEW_VERSION}_amd64.deb
rpm=$new/helios-$NEW_VERSION-1.x86_64.rpm
passed=0

# check WHAT COMMAND...: the command must succeed.
check() {
    local what=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
        echo "ok: $what"
    else
        echo "FAILED: $what: $*"
        tail -n 40 "$work/said"
        exit 1
    fi
}

# refuse WHAT SAID COMMAND...: the command must fail, and say SAID.
refuse() {
    local what=$1 said=$2
    shift 2
    if "$@" >"$work/refused" 2>&1; then
        echo "FAILED: $what: it was not refused: $*"
        tail -n 40 "$work/refused"
        exit 1
    fi
    check "$what" grep -qiE "$said" "$work/refused"
}

# changed FILE COPY: the same with one byte in the middle turned over.
changed() {
    python3 -c '
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2] ^= 1
open(sys.argv[2], "wb").write(data)' "$1" "$2"
}

# --- the tests ------------------------------------------------------------------------------------------

test_units() {
    local root
    for unit in default airgap; do
        root=$work/units/$unit
        rm -rf "$root"
        mkdir -p "$root/usr/lib/systemd/system" "$root/etc/systemd/system/helios.service.d"
        cp "$ROOT"/systemd/helios.{service,socket} "$root/usr/lib/systemd/system/"
    done
    cp "$ROOT/systemd/helios-airgap.conf" "$root/etc/systemd/system/helios.service.d/"
    # The scores that docs/hardening.md states, of 100 in tenths: 9 is "0.9".
    for unit in default:9 airgap:2; do
        root=$work/units/${unit%:*}
        check "the exposure of the ${unit%:*} unit is at most 0.${unit#*:}" \
            systemd-analyze security --offline=true --no-pager --root="$root" --threshold="${unit#*:}" helios.service
        tail -n 1 "$work/said"
    done
    refuse "a unit without its system call filter would be noticed" "overall exposure" \
        bash -c 'sed -i /SystemCallFilter/d "$1/usr/lib/systemd/system/helios.service"
                 exec systemd-analyze security --offline=true --no-pager --root="$1" --threshold=9 helios.service' \
        x "$work/units/default"
    check "every line of the units is explained" explained
    check "helios.env names every setting that the server has" settings_are_named
}

# Each directive of the units stands in docs/hardening.md.
explained() {
    local name missing=0
    for name in $(sed -n 's/^\([A-Z][A-Za-z]*\)=.*/\1/p' "$ROOT"/systemd/helios.{service,socket} "$ROOT/systemd/helios-airgap.conf" | sort -u); do
        grep -q "\`$name=" "$ROOT/docs/hardening.md" || { echo "docs/hardening.md does not explain $name="; missing=1; }
    done
    return $missing
}

# Settings that this version uses, and no others.
settings_are_named() {
    diff <("$binary" settings --markdown | sed '/^## Known, but not used/,$d' | grep '^| `--' | grep -o '`HELIOS_[A-Z_]*`' | tr -d '`' | sort -u) \
        <(grep -oE '^#?HELIOS_[A-Z_]*' "$ROOT/systemd/helios.env" | tr -d '#' | sort -u)
}

# An older and a newer version of the same, and repositories with both.
test_make() {
    rm -rf "$new" "$old" "$work/files"
    HELIOS_PACKAGE_VERSION=$OLD_VERSION "$ROOT/packaging/release.sh" --throw-away "$old" >/dev/null
    "$ROOT/packaging/release.sh" --throw-away "$new" >/dev/null
    mkdir -p "$work/files/tests"
    "$ROOT/packaging/repositories.sh" "$(cat "$work/keys/fingerprint")" "$work/files/repository" \
        "$old"/*.deb "$old"/*.rpm "$deb" "$rpm"
    cp "$new/helios-release.asc" "$work/files/"
    cp "$ROOT"/packaging/tests/*.sh "$work/files/tests/"
    [[ ${HELIOS_RELEASE_FEATURES---features fips} != *fips* ]] || touch "$work/files/fips"
    echo "$OLD_VERSION" >"$work/files/old-version"
    echo "$NEW_VERSION" >"$work/files/new-version"
    check "a release holds all that docs/verify.md names" \
        ls "$deb" "$rpm" "$new"/{SHA256SUMS,SHA256SUMS.asc,helios-release.asc,helios-release.pem,RELEASE-NOTES.md} \
        "$new/helios-$NEW_VERSION"{.cdx.json,.cdx.json.asc,.provenance.json,.provenance.json.asc,-upgrade.tar} \
        "$new/apt/dists/stable/InRelease" "$new/yum/repodata/repomd.xml.asc"
}

test_lint() {
    check "lintian has nothing to say that is not explained" \
        lintian --allow-root --display-info --pedantic --fail-on error,warning,info,pedantic "$deb"
    check "and says nothing" test ! -s "$work/said"
    check "rpmlint has nothing to say that is not explained" rpmlint --strict --config "$ROOT/packaging/rpm/rpmlint.toml" "$rpm"
    tail -n 1 "$work/said"
}

# From another folder, at another time: the same bytes.
test_twice() {
    local again=$work/again/deeper
    rm -rf "$work/again"
    read -ra features <<<"${HELIOS_RELEASE_FEATURES---features fips}"
    "$ROOT/packaging/stage.sh" "$binary" "$again/stage" "${features[@]}"
    "$ROOT/packaging/build-deb.sh" "$again/stage" "$again" >/dev/null
    "$ROOT/packaging/build-rpm.sh" "$again/stage" "$again" >/dev/null
    check "the DEB is the same, built twice" cmp "$again/${deb##*/}" "$deb"
    check "the RPM is the same before it is signed, built twice" \
        bash -c 'cd "$1" && sha256sum --check "$2.unsigned.sha256"' x "$again" "$rpm"
    "$ROOT/packaging/sbom.py" "$binary" "$NEW_VERSION" "${features[@]}" >"$again/sbom"
    check "the SBOM is the same, made twice" cmp "$again/sbom" "$new/helios-$NEW_VERSION.cdx.json"
}

# What docs/verify.md tells a user to do, on what is genuine and on what is not.
test_signatures() {
    local home=$work/user bad=$work/bad bundle=helios-$NEW_VERSION-upgrade.tar sbom=helios-$NEW_VERSION.cdx.json
    local provenance=helios-$NEW_VERSION.provenance.json
    rm -rf "$home" "$bad"
    mkdir -m 700 "$home"
    GNUPGHOME=$home gpg --batch --quiet --import "$new/helios-release.asc" 2>/dev/null
    cp -r "$new" "$bad"
    verify() { GNUPGHOME=$home gpg --batch --verify "$1.asc" "$1"; }
    cd "$new"
    check "the checksums are signed" verify SHA256SUMS
    check "every file has its checksum" sha256sum --check --strict SHA256SUMS
    check "the SBOM is signed" verify "$sbom"
    check "the provenance is signed" verify "$provenance"
    check "the provenance names the packages" provenance_names "$provenance" "$deb" "$rpm" "$sbom"
    check "the bundle is signed" bundle_is_signed "$bundle" helios-release.pem
    cd "$bad"
    changed "$new/${deb##*/}" "${deb##*/}"
    refuse "a changed package is refused by its checksum" "${deb##*/}: FAILED" sha256sum --check --strict SHA256SUMS
    changed "$new/SHA256SUMS" SHA256SUMS
    refuse "changed checksums are refused" "BAD signature" verify SHA256SUMS
    changed "$new/$sbom" "$sbom"
    refuse "a changed SBOM is refused" "BAD signature" verify "$sbom"
    changed "$new/$provenance" "$provenance"
    refuse "a changed provenance is refused" "BAD signature" verify "$provenance"
    refuse "a package that the provenance does not name is refused" "not named" \
        provenance_names "$new/$provenance" "$bad/${deb##*/}"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 2>/dev/null | openssl pkey -pubout -out other.pem
    refuse "a bundle of another key is refused" "Verification failure" bundle_is_signed "$new/$bundle" other.pem
    if "$binary" bundle --help >/dev/null 2>&1; then
        check "helios bundle verify takes the bundle" "$binary" bundle verify "$new/$bundle" --key "$new/helios-release.pem"
        changed "$new/$bundle" "$bundle"
        refuse "helios bundle verify refuses a changed one" "." "$binary" bundle verify "$bundle" --key "$new/helios-release.pem"
        refuse "helios bundle verify refuses one of another key" "." "$binary" bundle verify "$new/$bundle" --key other.pem
    else
        echo "skipped: this server has no command 'bundle'"
    fi
    refuse "an RPM of an unknown key is refused" "NOKEY|NOT OK" rpm --dbpath "$work/rpmdb-empty" -Kv "$rpm"
    rpm --dbpath "$work/rpmdb" --import "$new/helios-release.asc"
    check "the RPM is signed" rpm --dbpath "$work/rpmdb" -K "$rpm"
    changed "$rpm" "${rpm##*/}"
    refuse "a changed RPM is refused" "NOT OK" rpm --dbpath "$work/rpmdb" -K "${rpm##*/}"
    cd "$ROOT"
}

provenance_names() {
    python3 - "$@" <<'PYTHON'
import hashlib, json, sys
named = {subject["digest"]["sha256"] for subject in json.load(open(sys.argv[1]))["subject"]}
for file in sys.argv[2:]:
    if hashlib.sha256(open(file, "rb").read()).hexdigest() not in named:
        sys.exit(f"{file} is not named by the provenance")
PYTHON
}

bundle_is_signed() {
    local open=$work/bundle
    rm -rf "$open"
    mkdir "$open"
    tar -xf "$1" -C "$open" manifest.json manifest.sig
    openssl dgst -sha384 -verify "$2" -signature "$open/manifest.sig" "$open/manifest.json"
}

# apt with folders of its own, so that this machine's are not touched.
private_apt() {
    apt-get -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/apt/lists" \
        -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any "$@"
}

test_apt() {
    local copy=$work/apt/repository
    rm -rf "$work/apt"
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    cp -r "$work/files/repository/apt" "$copy"
    echo "deb [signed-by=$new/helios-release.asc] copy:$copy stable main" >"$work/apt/sources.list"
    cd "$work/apt"
    check "apt takes the signed repository" private_apt update
    check "and a package from it" private_apt download helios
    rm -f ./*.deb
    changed "$deb" "$copy/pool/main/h/helios/${deb##*/}"
    refuse "apt refuses a changed package" "hash sum mismatch" private_apt download helios
    sed -i 's/^Label: .*/Label: Changed/' "$copy/dists/stable/InRelease"
    refuse "apt refuses a changed list" "BADSIG" private_apt update
    rm "$copy"/dists/stable/{InRelease,Release.gpg}
    refuse "apt refuses an unsigned repository" "not signed|no longer signed" private_apt update
    cd "$ROOT"
}

# A root file system with systemd, made once.
rootfs() {
    local packages=systemd,systemd-sysv,dbus,iproute2,curl,init-system-helpers,gpgv
    local tar=$CACHE/bookworm-$(printf '%s' "$packages" | sha256sum | cut -c1-12).tar
    if [[ ! -s $tar ]]; then
        mkdir -p "$CACHE"
        mmdebstrap --quiet --variant=minbase --include="$packages" bookworm "${tar%.tar}-new.tar" >&2
        mv "${tar%.tar}-new.tar" "$tar"
    fi
    rm -rf "$1"
    mkdir -p "$1"
    tar -xf "$tar" -C "$1"
}

# RPMs by dnf into a Debian root file system: a stub package states what Debian's libraries and systemd provide.
test_dnf() {
    local machine=$work/dnf-machine copy=$work/dnf
    rm -rf "$copy" "$work/stub"
    rootfs "$machine"
    cp -r "$work/files/repository/yum" "$copy"
    stub_rpm "$work/stub"
    write_repo "$copy"
    check "dnf takes the older RPM from the signed repository" dnf_in "$machine" install "helios-$OLD_VERSION"
    check "the RPM's files are as they were packaged" rpm --root "$machine" -V helios
    check "the RPM made the key" test -s "$machine/etc/helios/credentials/control.key"
    check "dnf upgrades" dnf_in "$machine" upgrade helios
    check "the newer RPM is installed" rpm --root "$machine" -q "helios-$NEW_VERSION"
    check "the RPM's service works on a booted machine" "$ROOT/packaging/tests/boot.sh" "$machine" "$ROOT/packaging/tests/booted-rpm.sh" "$work/files"
    grep -E '^(ok:|  )' "$work/said" || true
    refuse "a downgrade of the RPM is refused with the reason" "version $OLD_VERSION is older" dnf_in "$machine" downgrade helios
    check "the newer RPM is still installed" rpm --root "$machine" -q "helios-$NEW_VERSION"
    check "dnf removes" dnf_in "$machine" remove helios
    check "the data stays" test -d "$machine/var/lib/helios/data/_node"
    changed "$rpm" "$copy/${rpm##*/}"
    refuse "dnf refuses a changed RPM" "checksum|digest" dnf_in "$machine" install helios
    cp "$rpm" "$copy/"
    changed "$copy/repodata/repomd.xml" "$copy/repodata/repomd.xml.changed"
    mv "$copy/repodata/repomd.xml.changed" "$copy/repodata/repomd.xml"
    refuse "dnf refuses changed metadata" "GPG|signature|gpg" dnf_in "$machine" install helios
    # The same packages, unsigned, in a repository of somebody else's key.
    rm -rf "$copy"
    mkdir -p "$work/unsigned"
    cp "$rpm" "$work/unsigned/"
    rpmsign --delsign "$work/unsigned/${rpm##*/}"
    "$ROOT/packaging/throw-away-keys.sh" "$work/other-keys"
    GNUPGHOME=$work/other-keys/gnupg "$ROOT/packaging/repositories.sh" "$(cat "$work/other-keys/fingerprint")" \
        "$work/other" "$work/unsigned"/*.rpm 2>/dev/null
    mv "$work/other/yum" "$copy"
    refuse "dnf refuses a repository of another key" "GPG|signature|gpg" dnf_in "$machine" install helios
    sed -i 's/repo_gpgcheck=1/repo_gpgcheck=0/' "$work/repos/helios.repo"
    refuse "dnf refuses an unsigned RPM" "not signed|GPG check FAILED" dnf_in "$machine" install helios
    check "and nothing is installed" test ! -e "$machine/usr/bin/helios"
}

dnf_in() {
    local machine=$1
    shift
    # What was read once would be trusted for a while.
    rm -rf "$work/dnf-cache"
    dnf --assumeyes --installroot="$machine" --releasever=12 --setopt=reposdir="$work/repos" --setopt=cachedir="$work/dnf-cache" "$@"
}

write_repo() {
    mkdir -p "$work/repos"
    printf '[helios]\nname=HeliosLogs\nbaseurl=file://%s\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://%s\n' \
        "$1" "$new/helios-release.asc" >"$work/repos/helios.repo"
    printf '[stub]\nname=What Debian has\nbaseurl=file://%s\nenabled=1\ngpgcheck=0\n' "$work/stub" >"$work/repos/stub.repo"
}

# A package that provides by name what the server's RPM asks for and Debian's own files provide in fact.
stub_rpm() {
    mkdir -p "$1"
    {
        printf 'Name: debian-provides\nVersion: 12\nRelease: 1\nSummary: Names of what Debian has\nLicense: Apache-2.0\nBuildArch: noarch\n'
        rpm -qpR "$rpm" 2>/dev/null | grep -vE '^rpmlib|^config\(' | cut -d' ' -f1 | sort -u | sed 's/^/Provides: /'
        printf '%%description\nStands for packages of Debian.\n%%files\n'
    } >"$1/stub.spec"
    rpmbuild -bb --quiet --define "_topdir $1/top" --define "_rpmdir $1" "$1/stub.spec"
    createrepo_c --quiet --no-database "$1"
}

test_booted() {
    rootfs "$work/machine"
    check "the life of the package on a booted machine" \
        "$ROOT/packaging/tests/boot.sh" "$work/machine" "$ROOT/packaging/tests/booted.sh" "$work/files"
    cat "$work/said"
}

TESTS=(units make lint twice signatures apt dnf booted)
wanted=("$@")
((${#wanted[@]})) || wanted=("${TESTS[@]}")
for name in "${wanted[@]}"; do
    declare -F "test_$name" >/dev/null || { echo "no test $name; there are: ${TESTS[*]}" >&2; exit 2; }
    echo "--- $name"
    "test_$name"
done
echo "  $passed passed"
