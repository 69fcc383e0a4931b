#!/usr/bin/env python3
"""Compares the module's source, as it comes in the crate aws-lc-fips-sys, with the tag that was validated.

  fips/compare_source.py CRATE_FOLDER [--expect FILE] [--write FILE]

The reference is `fips/reference/AWS-LC-FIPS-3.1.0.tsv`: the Git blob hash and path of files of that tag, as
`git ls-tree -r` prints them. It holds every file below `crypto/fipsmodule`, which is the module, and every
other file of the tag that the crate ships. Each file of the crate is hashed as Git does and looked up there.

--write FILE   writes what was found as JSON
--expect FILE  fails unless what was found is what this file says; without it, only differences inside of the
               module fail, and files of the module that are not there although they are compiled

Nothing but Python is needed. CRATE_FOLDER is where cargo unpacks the crate.
"""

import argparse
import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
REFERENCE = HERE / "reference" / "AWS-LC-FIPS-3.1.0.tsv"
MODULE = "crypto/fipsmodule/"
# Ends of names of files that the crate may leave out of the module: test vectors, tests and texts.
LEFT_OUT = (".txt", ".md", ".pdf", ".png", ".py", "_test.cc", "_test.cpp", ".json")


def blob_hash(content: bytes) -> str:
    # SHA-1, because that is how Git names content; it finds differences and protects nothing.
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def read_reference():
    head, files = {}, {}
    for line in REFERENCE.read_text().splitlines():
        if line.startswith("#"):
            name, _, value = line[1:].partition(":")
            head[name.strip()] = value.strip()
            continue
        digest, path = line.split("\t")
        files[path] = digest
    return head, files


def compare(crate: pathlib.Path):
    head, reference = read_reference()
    source = crate / "aws-lc"
    if not source.is_dir():
        sys.exit(f"{crate} holds no folder aws-lc: it is not the crate aws-lc-fips-sys as cargo unpacks it")
    shipped = {str(p.relative_to(source)): p for p in sorted(source.rglob("*")) if p.is_file()}
    same, differing, unknown = [], [], []
    for path, file in shipped.items():
        if path not in reference:
            unknown.append(path)
        elif blob_hash(file.read_bytes()) == reference[path]:
            same.append(path)
        else:
            differing.append(path)
    missing = sorted(path for path in reference if path.startswith(MODULE) and path not in shipped)
    ends = sorted({pathlib.PurePath(path).suffix or pathlib.PurePath(path).name for path in missing})
    return {
        "crate": crate.name,
        "tag": head["tag"],
        "commit": head["commit"],
        "tree": head["tree"],
        "files": len(shipped),
        "identical": len(same),
        "module_files": sum(path.startswith(MODULE) for path in shipped),
        "module_identical": sum(path.startswith(MODULE) for path in same),
        "differing": differing,
        "not_in_the_tag": unknown,
        "left_out_of_the_module": len(missing),
        "left_out_kinds": ends,
        "left_out_though_compiled": [path for path in missing if not path.endswith(LEFT_OUT)],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crate", type=pathlib.Path)
    parser.add_argument("--expect", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    found = compare(arguments.crate)
    text = json.dumps(found, indent=2) + "\n"
    print(f"{found['crate']}: {found['identical']} of {found['files']} files are those of {found['tag']}; "
          f"of the module {found['module_identical']} of {found['module_files']}")
    for path in found["differing"]:
        print(f"  differs: {path}")
    for path in found["not_in_the_tag"]:
        print(f"  not in the tag: {path}")
    for path in found["left_out_though_compiled"]:
        print(f"  left out: {path}")
    if arguments.write:
        arguments.write.write_text(text)
    if arguments.expect:
        if arguments.expect.read_text() != text:
            sys.exit(f"this is not what {arguments.expect} says")
        return
    inside = [path for path in found["differing"] + found["not_in_the_tag"] if path.startswith(MODULE)]
    if inside or found["left_out_though_compiled"]:
        sys.exit("the module's source is not that of the validated tag")


if __name__ == "__main__":
    main()
