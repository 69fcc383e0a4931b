#!/usr/bin/env bash
# Instructions for each byte of the steps of ingest, counted by callgrind: the same on every run, however busy the
# machine is. Needs valgrind.
#
#   bench/instructions.sh [--bytes 8388608] [--seed 1] [--file FILE] [step ...]      steps: parse build encode decode raw
#
# --file FILE counts on a file of JSON lines instead of the set that `helios demo` makes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bytes=8388608
seed=1
file=/dev/null
while (($#)); do
    case $1 in
    --bytes) bytes=$2 ;;
    --seed) seed=$2 ;;
    --file) bytes=- file=$2 ;;
    *) break ;;
    esac
    shift 2
done
steps=("$@")
((${#steps[@]})) || steps=(parse build encode decode raw)
command -v valgrind >/dev/null || { echo "error: valgrind is not installed" >&2; exit 1; }

cargo build --release --locked --no-default-features --quiet --example steps
binary=${CARGO_TARGET_DIR:-target}/release/examples/steps
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT

# What is counted is the difference between a run that prepares and works and one that only prepares.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --quiet "$binary" "$bytes" "$seed" "$1" "$2" <"$file" >"$counts" 2>&1
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$counts"
}

size=$("$binary" "$bytes" "$seed" size 0 <"$file")
printf '%-8s %12s %18s\n' step 'per byte' instructions
for step in "${steps[@]}"; do
    once=$(count "$step" 1)
    twice=$(count "$step" 2)
    awk -v step="$step" -v n="$((twice - once))" -v size="$size" 'BEGIN { printf "%-8s %12.2f %18d\n", step, n / size, n }'
done
