#!/usr/bin/env bash
# Measures a server of its own from an empty data directory: makes a set, loads it, asks it, checks every answer,
# restarts, and says what it took. Compares with ripgrep and zstd where they are installed.
#
#   bench/run.sh [--bytes 1073741824] [--seed 42] [--runs 5] [--port 7390] [--out DIR]
#
# HELIOS_BIN names the binary; without it `cargo build --release` makes it. Linux; needs python3 and curl.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

bytes=1073741824
seed=42
runs=5
port=7390
out=
while (($#)); do
    case $1 in
    --bytes) bytes=$2 ;;
    --seed) seed=$2 ;;
    --runs) runs=$2 ;;
    --port) port=$2 ;;
    --out) out=$2 ;;
    *) echo "unknown option $1; see the head of bench/run.sh" >&2 && exit 2 ;;
    esac
    shift 2
done
made=
if [[ -z $out ]]; then
    out=$(mktemp -d)
    made=$out
fi
mkdir -p "$out"

if [[ -z ${HELIOS_BIN:-} ]]; then
    (cd "$here/.." && cargo build --release --locked)
    HELIOS_BIN=${CARGO_TARGET_DIR:-$here/../target}/release/helios
fi

pid=
finish() {
    [[ -z $pid ]] || kill "$pid" 2>/dev/null || true
    [[ -z $made ]] || rm -rf "$made"
}
trap finish EXIT

seconds_since() {
    python3 -c 'import sys, time; print(f"{time.time() - float(sys.argv[1]):.2f}")' "$1"
}

start() {
    "$HELIOS_BIN" serve --data-dir "$out/data" --port "$port" >>"$out/server.log" 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        if curl -fsS -o /dev/null "http://127.0.0.1:$port/readyz" 2>/dev/null; then
            return
        fi
        if ! kill -0 "$pid" 2>/dev/null; then
            cat "$out/server.log" >&2
            echo "error: the server ended" >&2
            exit 1
        fi
        sleep 0.05
    done
    echo "error: the server does not answer on port $port" >&2
    exit 1
}

stop() {
    kill "$pid"
    wait "$pid" || true
    pid=
}

set=$out/set-$bytes-$seed.ndjson
expect=$out/set-$bytes-$seed.json
if [[ ! -s $expect ]]; then
    begin=$(date +%s.%N)
    "$HELIOS_BIN" demo --bytes "$bytes" --seed "$seed" --end 2026-01-31 --out "$set" --expect "$expect"
    echo "made: $((bytes / 1048576)) MiB in $(seconds_since "$begin") s"
fi

rm -rf "$out/data"
start
python3 "$here/ask.py" --url "http://127.0.0.1:$port" --file "$set" --expect "$expect" --pid "$pid" \
    --data "$out/data" --runs "$runs"
stop

begin=$(date +%s.%N)
start
total=$(curl -fsS "http://127.0.0.1:$port/api/search?q=*&limit=0" | python3 -c 'import json, sys; print(json.load(sys.stdin)["total"])')
echo "start to full count: $(seconds_since "$begin") s, $total lines"
stop
"$HELIOS_BIN" verify --data-dir "$out/data"

stored=$(find "$out/data" -name '*.hb' -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }')
awk -v raw="$(stat -c %s "$set")" -v stored="$stored" 'BEGIN {
    if (stored > 0) printf "blocks: %.1f MiB, ratio %.2f\n", stored / 1048576, raw / stored }'
if command -v zstd >/dev/null; then
    begin=$(date +%s.%N)
    packed=$(zstd -3 -q -c "$set" | wc -c)
    awk -v raw="$(stat -c %s "$set")" -v packed="$packed" -v s="$(seconds_since "$begin")" \
        'BEGIN { printf "for comparison, zstd -3: ratio %.2f in %s s\n", raw / packed, s }'
fi
if command -v rg >/dev/null; then
    begin=$(date +%s.%N)
    found=$(rg -c kestrel9041x "$set" || true)
    echo "for comparison, ripgrep for the needle: ${found:-0} lines in $(seconds_since "$begin") s"
fi
