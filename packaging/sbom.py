#!/usr/bin/env python3
"""Writes the software bill of materials of a built server as CycloneDX 1.6 JSON.

    packaging/sbom.py BINARY VERSION [CARGO ARGUMENT...] > helios.cdx.json

The same commit and the same binary give the same bytes: the time is SOURCE_DATE_EPOCH, the serial number comes from
the content.
"""

import datetime
import json
import sys
import uuid
from pathlib import Path

import parts


def component(part):
    described = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
    }
    if part.licence:
        described["licenses"] = [{"expression": part.licence}]
    if part.digest:
        described["hashes"] = [{"alg": part.digest[0], "content": part.digest[1]}]
    return described


def main():
    binary, version, cargo_arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    root = Path(__file__).resolve().parent.parent
    server, *crates = parts.crates(root, cargo_arguments)
    page = parts.page_packages(root)
    in_page = {need for part in page for need in part.needs}
    product = f"pkg:generic/helios@{version}"
    graph = {product: sorted(server.needs + [part.purl for part in page if part.purl not in in_page])}
    graph.update((part.purl, part.needs) for part in crates + page)
    time = datetime.datetime.fromtimestamp(parts.epoch(), datetime.timezone.utc)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": product,
                "name": "helios",
                "version": version,
                "licenses": [{"expression": "Apache-2.0"}],
                "hashes": [{"alg": "SHA-256", "content": parts.sha256(binary)}],
                "purl": product,
            },
        },
        "components": [component(part) for part in crates + page],
        "dependencies": [{"ref": ref, "dependsOn": needs} for ref, needs in graph.items()],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    document = {"bomFormat": document.pop("bomFormat"), "specVersion": document.pop("specVersion"),
                "serialNumber": f"urn:uuid:{serial}", **document}
    print(json.dumps(document, indent=1, ensure_ascii=False))


main()
