#!/usr/bin/env bash
# Boots a folder as a machine of its own with systemd, runs a script in it as root, and ends as the script ended:
#
#   packaging/tests/boot.sh ROOTFS SCRIPT FILES
#
# FILES is a folder that the script finds at /srv/helios, read-only. The machine has the loopback network alone. Needs
# root and systemd-nspawn, but no systemd on this machine.
set -euo pipefail
(($# == 3)) || { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
rootfs=$(realpath "$1")
files=$(realpath "$3")
install -D -m 0755 "$2" "$rootfs/opt/run/script"
cat >"$rootfs/etc/systemd/system/script.service" <<'UNIT'
[Unit]
Description=The script that this machine was booted for
Wants=multi-user.target
After=multi-user.target
[Service]
Type=oneshot
TimeoutStartSec=300
ExecStart=/bin/bash -c '/opt/run/script >/opt/run/log 2>&1; echo $? >/opt/run/status'
ExecStopPost=systemctl poweroff --no-block
UNIT
rm -f "$rootfs/opt/run/status" "$rootfs/opt/run/log"
unshare --mount --propagation private bash -euo pipefail -c '
    mount -t tmpfs tmpfs /run
    umount -l /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
    exec systemd-nspawn --quiet --register=no --keep-unit --console=pipe --private-network \
        --bind-ro="$2:/srv/helios" --directory="$1" --boot systemd.unit=script.service
' boot "$rootfs" "$files" </dev/null >"$rootfs/opt/run/console" 2>&1 || true
cat "$rootfs/opt/run/log" 2>/dev/null || tail -n 50 "$rootfs/opt/run/console"
[[ -s $rootfs/opt/run/status ]] || { echo "the machine ended before the script did"; exit 1; }
exit "$(cat "$rootfs/opt/run/status")"
