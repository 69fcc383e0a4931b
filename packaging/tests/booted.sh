#!/bin/bash
# The life of the Debian package on a booted machine, from a signed repository: install, work, die, be upgraded, be
# refused a downgrade, run without a network, be removed, be purged. Run by packaging/test.sh through boot.sh; /srv/helios
# holds repository/apt with an older and a newer version, and helios-release.asc.
set -euo pipefail
. /srv/helios/tests/in-machine.sh
export DEBIAN_FRONTEND=noninteractive
OLD=$(cat /srv/helios/old-version) NEW=$(cat /srv/helios/new-version)
apt_get() { apt-get -y -o APT::Get::AllowUnauthenticated=false "$@"; }
owner() { stat -c '%U:%G %a' "$1"; }
main_pid() { property helios MainPID; }
another_pid() { [[ $(main_pid) != "$before" && $(main_pid) != 0 ]]; }

# A line that systemd does not know is a warning with the unit's file and line.
understood() { ! journalctl -b --no-pager -o cat | grep -E 'helios[^ ]*\.(service|socket|conf):[0-9]+: '; }

# So many starts within a minute would be taken for a server that cannot start.
forget_starts() { systemctl reset-failed helios; }

gpg_key=/usr/share/keyrings/helios.asc
cp /srv/helios/helios-release.asc $gpg_key
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo "deb [signed-by=$gpg_key] file:/srv/helios/repository/apt stable main" >/etc/apt/sources.list.d/helios.list
check "the signed repository is taken" apt_get update

# --- install ---
check "the older version is installed" apt_get install "helios=$OLD"
check "the service is active" systemctl is-active helios
check "the service starts at boot" systemctl is-enabled helios
check "the socket unit is not enabled" is "$(systemctl is-enabled helios.socket || true)" disabled
check "the server answers" answers
! is_fips || check "it stands on the validated module" on_the_module
check "it runs as its user" is "$(stat -c %U "/proc/$(main_pid)")" helios
check "the key is root's alone" is "$(owner /etc/helios/credentials/control.key)" "root:root 600"
check "nobody else looks into the data" is "$(owner /var/lib/helios)" "helios:helios 700"
check "the settings are for the server to read" is "$(owner /etc/helios)" "root:helios 750"
check "it listens on loopback only" is "$(ss -Hltn | awk '{ print $4 }' | sort -u)" 127.0.0.1:7300
check "systemd understands every line of the units" understood
check "events are taken" ingest 1000
check "and found" all_found
key=$(sha256sum /etc/helios/credentials/control.key)

# --- die and come back ---
before=$(main_pid)
check "kill -9 of the whole service" systemctl kill --signal=KILL helios
await another_pid
await answers
check "systemd has started it again" is "$(property helios NRestarts)" 1
check "nothing that was acknowledged is lost" all_found
check "events are taken again" ingest 500

# --- stand still ---
mkdir -p /etc/systemd/system/helios.service.d
printf '[Service]\nWatchdogSec=2\n' >/etc/systemd/system/helios.service.d/watchdog.conf
systemctl daemon-reload
forget_starts
systemctl restart helios
before=$(main_pid)
kill -STOP "$before"
await another_pid
await answers
check "a server that stands still is started again" grep -q 'result .watchdog' <(journalctl -u helios --no-pager -o cat)
check "and has what was acknowledged" all_found
rm -r /etc/systemd/system/helios.service.d
systemctl daemon-reload
forget_starts
systemctl restart helios

# --- upgrade ---
echo 'HELIOS_RETENTION_DEFAULT_DAYS=400' >>/etc/helios/helios.env
before=$(main_pid)
check "the newer version is installed over it" apt_get install "helios=$NEW"
check "the service is active after the upgrade" systemctl is-active helios
check "the newer one runs" test "$(main_pid)" != "$before"
await answers
check "the data is there" all_found
check "the settings were kept" grep -q '^HELIOS_RETENTION_DEFAULT_DAYS=400$' /etc/helios/helios.env
check "the key was kept" is "$(sha256sum /etc/helios/credentials/control.key)" "$key"
check "the version that runs is noted" is "$(cat /var/lib/helios/version)" "$NEW"
! is_fips || check "the newer one stands on the validated module" on_the_module
check "more events are taken" ingest 500

# --- no way back ---
before=$(main_pid)
refuse "a downgrade is refused with the reason" "version $NEW has run on the data .* version $OLD is older" \
    apt_get install --allow-downgrades "helios=$OLD"
check "the newer version is still installed" is "$(dpkg-query -W -f '${Status} ${Version}' helios)" "install ok installed $NEW"
check "and was not even restarted" is "$(main_pid)" "$before"
check "and has its data" all_found

# --- air-gapped ---
forget_starts
mkdir -p /etc/systemd/system/helios.service.d
cp /usr/share/helios/helios-airgap.conf /etc/systemd/system/helios.service.d/
systemctl daemon-reload
systemctl stop helios
check "the socket is opened by systemd" systemctl enable --now helios.socket
check "a request is answered by a server that it starts" answers
check "the air-gapped service is active" systemctl is-active helios
check "it has no network of its own" test "$(readlink "/proc/$(main_pid)/ns/net")" != "$(readlink /proc/1/ns/net)"
check "systemd understands every line of the drop-in" understood
check "it has the data" all_found
check "it takes events" ingest 500
before=$(main_pid)
check "kill -9 of the air-gapped service" systemctl kill --signal=KILL helios
await another_pid
check "the next request is answered" answers
check "the air-gapped service has lost nothing" all_found
check "the way back to the ordinary service" systemctl disable --now helios.socket
rm -r /etc/systemd/system/helios.service.d
systemctl daemon-reload
check "the ordinary service" systemctl restart helios
await answers
check "it has what the air-gapped one took" all_found

# --- a store that several nodes share ---
forget_starts
install -d -o helios -g helios -m 700 /srv/store
mkdir -p /etc/systemd/system/helios.service.d
printf '[Service]\nReadWritePaths=/srv/store\n' >/etc/systemd/system/helios.service.d/store.conf
systemctl daemon-reload
echo 'HELIOS_SHARED_STORE=/srv/store' >>/etc/helios/helios.env
check "the service starts with a shared store" systemctl restart helios
await answers
shared() {
    seq "$sent" $((sent + 99)) | sed 's/.*/{"message":"event &","n":&}/' >/tmp/events.ndjson
    curl -fsS --data-binary @/tmp/events.ndjson "$URL/api/ingest?index=packaged&ack=shared" | tee /dev/stderr | grep -q '"durability":"shared"' &&
        sent=$((sent + 100))
}
check "events come into the shared store" shared
check "and are found" all_found
id=$(sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p' /etc/helios/credentials/control.key)
sealed() { grep -rqa "\"key\":\"$id\"" /srv/store/_control && ! grep -rqaE '"(life|node|version)"' /srv/store/_control; }
check "what nodes say of themselves is sealed by the key that systemd handed over" sealed
sed -i '/^HELIOS_SHARED_STORE=/d' /etc/helios/helios.env
rm -r /etc/systemd/system/helios.service.d
systemctl daemon-reload
check "the service without the store" systemctl restart helios
await answers
check "it has what was shared, too" all_found

# --- remove ---
forget_starts
check "the package is removed" apt_get remove helios
check "nothing runs" is "$(systemctl is-active helios || true)" inactive
check "the program is gone" test ! -e /usr/bin/helios
check "the data stays" test -d /var/lib/helios/data/_node
check "the settings stay" test -e /etc/helios/helios.env
refuse "an older one is refused after a removal, too" "is older" apt_get install "helios=$OLD"
check "it is installed again" apt_get install helios
await answers
check "the data of before the removal is there" all_found
check "the key of before the removal is there" is "$(sha256sum /etc/helios/credentials/control.key)" "$key"

# --- purge ---
check "the package is purged" apt_get purge helios
cp /tmp/check /tmp/said
check "purge says what it deleted" grep -q 'helios: deleted the settings /etc/helios/helios.env' /tmp/said
check "and what it kept" grep -q 'helios: kept the stored events in /var/lib/helios' /tmp/said
apt_get install helios >/dev/null 2>&1
await answers
check "a purge has kept the data" all_found
check "and the key" is "$(sha256sum /etc/helios/credentials/control.key)" "$key"
export HELIOS_PURGE_DATA=yes
check "the package is purged with its data" apt_get purge helios
cp /tmp/check /tmp/said
check "purge says that it deletes the data" grep -q 'helios: deleting all stored events in /var/lib/helios' /tmp/said
check "the data is gone" test ! -e /var/lib/helios
check "the keys are gone" test ! -e /etc/helios

# --- a repository that somebody changed ---
cp -r /srv/helios/repository/apt /tmp/apt
sed -i 's|file:/srv/helios/repository/apt|file:/tmp/apt|' /etc/apt/sources.list.d/helios.list
sed -i 's/^Label: .*/Label: Changed/' /tmp/apt/dists/stable/InRelease
refuse "a changed InRelease is refused" "BADSIG|invalid signature|not signed" apt_get update -o APT::Update::Error-Mode=any
cp /srv/helios/repository/apt/dists/stable/InRelease /tmp/apt/dists/stable/InRelease
apt_get update >/dev/null
printf X | dd of="/tmp/apt/pool/main/h/helios/helios_${NEW}_amd64.deb" bs=1 seek=100000 conv=notrunc status=none
refuse "a changed package is refused" "Hash Sum mismatch|unexpected size|hash" apt_get install helios
check "and nothing of it is installed" test ! -e /usr/bin/helios

echo "  $checks passed"
