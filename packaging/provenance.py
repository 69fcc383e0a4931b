#!/usr/bin/env python3
"""Writes where files come from: an in-toto statement with the SLSA provenance v1 predicate.

    packaging/provenance.py VERSION FILE... > provenance.json

Nothing in it tells when or on which machine it was made; the same commit and files give the same bytes.
HELIOS_BUILDER_ID names the builder.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import parts


def run(root, *command):
    return subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def compiler(root):
    said = run(root, "rustc", "-vV").splitlines()
    commit = next(line.split(": ")[1] for line in said if line.startswith("commit-hash: "))
    return {"name": said[0].split(" (")[0], "uri": "pkg:generic/rust", "digest": {"gitCommit": commit}}


def file_of(root, path):
    return {"name": path, "uri": f"urn:helioslogs:source:{path}", "digest": {"sha256": parts.sha256(root / path)}}


def main():
    version, files = sys.argv[1], sys.argv[2:]
    root = Path(__file__).resolve().parent.parent
    commit = run(root, "git", "rev-parse", "HEAD")
    clean = not run(root, "git", "status", "--porcelain")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": Path(file).name, "digest": {"sha256": parts.sha256(file)}} for file in sorted(files)],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:helioslogs:packaging/release.sh:1",
                "externalParameters": {"version": version, "commit": commit},
                "internalParameters": {"sourceDateEpoch": parts.epoch(), "treeIsClean": clean},
                "resolvedDependencies": [
                    {"name": "source", "uri": "urn:helioslogs:source", "digest": {"gitCommit": commit}},
                    file_of(root, "Cargo.lock"),
                    file_of(root, "web/package-lock.json"),
                    compiler(root),
                ],
            },
            "runDetails": {"builder": {"id": os.environ.get("HELIOS_BUILDER_ID", "urn:helioslogs:builder:unnamed")}},
        },
    }
    print(json.dumps(statement, indent=1))


main()
