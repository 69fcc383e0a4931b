#!/usr/bin/env python3
"""Prints a maintainer script or the spec with its marks replaced: @REFUSE_DOWNGRADE@, @FIRST_KEY@, @VERSION@.

    packaging/scripts/fill.py TEMPLATE VERSION
"""

import re
import sys
from pathlib import Path


def main():
    template, version = sys.argv[1:]
    here = Path(__file__).resolve().parent

    def part(mark):
        indent, name = mark.group(1), mark.group(2).lower().replace("_", "-")
        lines = (here / f"{name}.sh").read_text().rstrip("\n").split("\n")
        # The end of a here-document must stay where it is.
        inside, out = False, []
        for line in lines:
            out.append(line if inside or not line else indent + line)
            inside = line != "REFUSED" and (inside or line.endswith("<<REFUSED"))
        return "\n".join(out)

    text = re.sub(r"(?m)^( *)@(REFUSE_DOWNGRADE|FIRST_KEY)@$", part, Path(template).read_text())
    sys.stdout.write(text.replace("@VERSION@", version))


main()
