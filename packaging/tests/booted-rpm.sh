#!/bin/bash
# The service of an RPM that dnf has installed, on a booted machine: started, used, killed. Run by packaging/test.sh.
set -euo pipefail
. /srv/helios/tests/in-machine.sh
check "the service is started" systemctl enable --now helios
check "the server answers" answers
! is_fips || check "it stands on the validated module" on_the_module
check "the key is root's alone" is "$(stat -c '%U:%G %a' /etc/helios/credentials/control.key)" "root:root 600"
check "events are taken" ingest 500
check "and found" all_found
before=$(property helios MainPID)
another_pid() { [[ $(property helios MainPID) != "$before" && $(property helios MainPID) != 0 ]]; }
check "kill -9 of the whole service" systemctl kill --signal=KILL helios
await another_pid
await answers
check "nothing that was acknowledged is lost" all_found
check "the version that ran is noted" is "$(cat /var/lib/helios/version)" "$(cat /srv/helios/new-version)"
echo "  $checks passed"
