#!/usr/bin/env bash
# Makes of a linked server what is packaged, and keeps its symbols apart:
#
#   packaging/strip.sh LINKED OUT
#
# OUT/helios is the same for the same code. OUT/helios.debug holds the symbols; a debugger finds it by the build id.
set -euo pipefail
(($# == 2)) || { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
mkdir -p "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strip --strip-all --remove-section=.comment -o "$2/helios" "$1"
objcopy --only-keep-debug "$1" "$2/helios.debug" 2>/dev/null

# The linker's build id also covers names of local symbols, which differ from folder to folder. Ours is a digest of what
# is left, taken while the id is zero. A note is 16 bytes of header and name, then 20 of id.
note=.note.gnu.build-id
objcopy --dump-section "$note=$work/note" "$2/helios" "$work/scratch"
[[ $(stat -c %s "$work/note") == 36 ]] || { echo "strip: the build id is not what the linker makes" >&2; exit 1; }
head -c 16 "$work/note" >"$work/head"
{ cat "$work/head"; head -c 20 /dev/zero; } >"$work/zero"
objcopy --update-section "$note=$work/zero" "$2/helios"
{ cat "$work/head"; sha256sum "$2/helios" | head -c 40 | tr a-f A-F | basenc --decode --base16; } >"$work/note"
objcopy --update-section "$note=$work/note" "$2/helios"
objcopy --update-section "$note=$work/note" "$2/helios.debug" 2>/dev/null || true
