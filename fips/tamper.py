#!/usr/bin/env python3
"""Flips one bit in the middle of the module's text, in a copy of an unstripped binary, and shows that the copy does
not start: the module's integrity test ends it before `main`.

    fips/tamper.py BINARY COPY
"""

import os
import shutil
import subprocess
import sys


def symbols(binary):
    """The first and the last address of the module's text."""
    found = {}
    for line in subprocess.check_output(["nm", binary], text=True).splitlines():
        parts = line.split()
        if len(parts) == 3 and "bcm_text" in parts[2]:
            found[parts[2]] = int(parts[0], 16)
    start = [value for name, value in found.items() if name.endswith("bcm_text_start")]
    end = [value for name, value in found.items() if name.endswith("bcm_text_end")]
    if len(start) != 1 or len(end) != 1:
        sys.exit(f"error: {binary} has no module in it, or is stripped: {found}")
    return start[0], end[0]


def offset_of(binary, address):
    """Where the byte at an address lies in the file."""
    for line in subprocess.check_output(["readelf", "-lW", binary], text=True).splitlines():
        parts = line.split()
        if parts and parts[0] == "LOAD":
            offset, virtual, size = int(parts[1], 16), int(parts[2], 16), int(parts[4], 16)
            if virtual <= address < virtual + size:
                return address - virtual + offset
    sys.exit(f"error: no segment of {binary} holds {address:#x}")


def run(binary):
    done = subprocess.run([binary, "fips", "status", "--json"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr.strip()


def main():
    binary, copy = sys.argv[1:3]
    start, end = symbols(binary)
    code, out, err = run(binary)
    if code != 0 or '"approved_mode": true' not in out:
        sys.exit(f"error: {binary} does not run as it is ({code}): {out}{err}")
    shutil.copy(binary, copy)
    place = offset_of(binary, start + (end - start) // 2)
    with open(copy, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    code, out, err = run(copy)
    os.remove(copy)
    print(f"module text: {end - start} bytes; bit 0 of the byte at {place:#x} of the file was flipped")
    print(f"the copy ended with {code}: {err.splitlines()[0] if err else ''}")
    if code == 0 or out or "FIPS integrity test failed" not in err:
        sys.exit("error: the changed copy started, or did not say why it did not")


main()
