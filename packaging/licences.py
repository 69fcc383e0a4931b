#!/usr/bin/env python3
"""Prints the licences of everything that is compiled into the server, each text once.

    packaging/licences.py [CARGO ARGUMENT...]

Fails if a part comes without a licence file: then somebody has to look.
"""

import sys
from pathlib import Path

import parts


def main():
    root = Path(__file__).resolve().parent.parent
    needed = parts.crates(root, sys.argv[1:])[1:] + parts.page_packages(root)
    texts, missing = {}, []
    for part in needed:
        if not part.folder.is_dir():
            sys.exit(f"{part.folder} is missing: run `cargo fetch --locked`, and `npm ci --ignore-scripts` in web/")
        files = part.licence_files()
        if not files:
            missing.append(f"{part.name} {part.version}")
        for file in files:
            text = "\n".join(line.rstrip() for line in file.read_text(errors="replace").strip().splitlines())
            texts.setdefault(text, []).append(f"{part.name} {part.version} ({file.name})")
    if missing:
        sys.exit(f"these have no licence file: {', '.join(missing)}")
    print("Parts of HeliosLogs that others wrote, with the licences that they state.\n")
    for part in needed:
        print(f"{part.name} {part.version}: {part.licence}")
    for text, users in sorted(texts.items(), key=lambda item: item[1]):
        print("\n" + "=" * 100)
        print("\n".join(sorted(users)))
        print("-" * 100 + "\n")
        print(text)


main()
