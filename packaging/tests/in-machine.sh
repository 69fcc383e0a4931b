# Sourced by the scripts that run in a booted machine: what they have in common.
# shellcheck shell=bash
URL=http://127.0.0.1:7300
checks=0

# check WHAT COMMAND...: the command must succeed.
check() {
    local what=$1
    shift
    if "$@" >/tmp/check 2>&1; then
        checks=$((checks + 1))
        echo "ok: $what"
    else
        echo "FAILED: $what: $*"
        cat /tmp/check
        journalctl -u helios -n 40 --no-pager -o cat
        systemctl status helios --no-pager
        exit 1
    fi
}

# refuse WHAT SAID COMMAND...: the command must fail, and say SAID.
refuse() {
    local what=$1 said=$2
    shift 2
    if "$@" >/tmp/refused 2>&1; then
        echo "FAILED: $what: it was not refused: $*"
        cat /tmp/refused
        exit 1
    fi
    check "$what" grep -qE "$said" /tmp/refused
}

# Until the command succeeds: for what systemd does in its own time, half a minute at most.
await() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    check "waited for" "$@"
}

answers() { curl -fsS -o /dev/null "$URL/readyz"; }

property() { systemctl show --value -p "$2" "$1"; }

is() { [[ $1 == "$2" ]] || { echo "is '$1', not '$2'"; return 1; }; }

# ingest N: sends N events, each of which the server acknowledges.
sent=0
ingest() {
    seq "$sent" $((sent + $1 - 1)) | sed 's/.*/{"message":"event &","n":&}/' >/tmp/events.ndjson
    helios ingest --index packaged /tmp/events.ndjson && sent=$((sent + $1))
}

# All that was acknowledged is found, once each.
all_found() {
    local found
    found=$(helios search --format csv '* | stats count, dc(n)' --since 1d | tail -n 1 | tr -d '\r')
    is "$found" "$sent,$sent"
}

# What is installed says that it stands on the validated module, and so does the server that runs. Not of a default build.
is_fips() { [[ -e /srv/helios/fips ]]; }
on_the_module() {
    helios fips status || return 1
    local said
    said=$(curl -fsS "$URL/api/admin/crypto")
    [[ $said == *'"build":"fips"'*'"every_part_on_module":true'* ]] || { echo "the server says: $said"; return 1; }
}
