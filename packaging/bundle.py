#!/usr/bin/env python3
"""Makes the offline upgrade bundle, which `helios bundle verify` checks.

    packaging/bundle.py VERSION KEY OUT.tar FILE...

KEY is the ECDSA P-384 key that signs: a PEM file, or a URI that openssl opens. The bundle is a plain tar: manifest.json
with the size and SHA-256 of each file, manifest.sig over exactly its bytes (ECDSA with SHA-384, DER), then the files.
"""

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import parts


def member(tar, name, data):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), 0o644, parts.epoch()
    tar.addfile(entry, io.BytesIO(data))


def sign(key, data):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        command = ["openssl", "dgst", "-sha384", "-sign", key, file.name]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def main():
    version, key, out, *files = sys.argv[1:]
    files = [(Path(file).name, Path(file).read_bytes()) for file in sorted(files)]
    listed = [{"path": name, "bytes": len(data), "sha256": parts.sha256_of(data)} for name, data in files]
    manifest = {"format": 1, "product": "helios", "version": version, "files": listed}
    manifest = json.dumps(manifest, indent=1).encode() + b"\n"
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        member(tar, "manifest.json", manifest)
        member(tar, "manifest.sig", sign(key, manifest))
        for name, data in files:
            member(tar, name, data)


main()
