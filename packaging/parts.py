"""What the server is made of: its crates and the packages of its page, as cargo and npm state them. Offline."""

import base64
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

TARGET = "x86_64-unknown-linux-gnu"
LICENCE_NAMES = re.compile(r"(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)


class Part:
    """One crate or npm package."""

    def __init__(self, kind, name, version, licence, folder, digest, needs):
        self.kind, self.name, self.version = kind, name, version
        self.licence, self.folder, self.digest, self.needs = licence, folder, digest, needs

    @property
    def purl(self):
        name = self.name.replace("@", "%40")
        return f"pkg:{self.kind}/{name}@{self.version}"

    def licence_files(self):
        """Files of the package's top folder that state its terms, by name."""
        names = sorted(entry.name for entry in self.folder.iterdir() if LICENCE_NAMES.match(entry.name))
        return [self.folder / name for name in names if (self.folder / name).is_file()]


def crates(root, cargo_arguments):
    """The server's crate first, then every crate that is compiled into it, by name and version."""
    command = ["cargo", "metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", TARGET]
    out = subprocess.run(command + cargo_arguments, cwd=root, check=True, stdout=subprocess.PIPE).stdout
    graph = json.loads(out)
    packages = {package["id"]: package for package in graph["packages"]}
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    digests = lock_digests(root)

    def normal(node):
        return [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]

    server = next(package["id"] for package in graph["packages"] if package["name"] == "helios")
    found, waiting = {}, [server]
    while waiting:
        identity = waiting.pop()
        if identity in found:
            continue
        package, needs = packages[identity], normal(nodes[identity])
        key = (package["name"], package["version"])
        found[identity] = Part(
            "cargo", *key, (package["license"] or "").replace("/", " OR "),
            Path(package["manifest_path"]).parent, digests.get(key), needs,
        )
        waiting.extend(needs)
    for part in found.values():
        part.needs = sorted(found[need].purl for need in part.needs)
    first = found.pop(server)
    return [first] + sorted(found.values(), key=lambda part: (part.name, part.version))


def lock_digests(root):
    """SHA-256 of each crate's archive, from Cargo.lock."""
    text = (root / "Cargo.lock").read_text()
    entry = re.compile(r'name = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"')
    return {(name, version): ("SHA-256", digest) for name, version, digest in entry.findall(text)}


def page_packages(root):
    """The npm packages that the page is built from, by name and version."""
    lock = json.loads((root / "web/package-lock.json").read_text())["packages"]
    parts = []
    for path, entry in lock.items():
        if not path or entry.get("dev") or entry.get("optional") and entry.get("peer"):
            continue
        name = path.rsplit("node_modules/", 1)[1]
        digest = ("SHA-512", bytes_of(entry["integrity"]).hex()) if entry["integrity"].startswith("sha512-") else None
        needs = [npm_purl(lock, need) for need in entry.get("dependencies", {})]
        parts.append(Part("npm", name, entry["version"], entry.get("license", ""), root / "web" / path, digest, sorted(needs)))
    return sorted(parts, key=lambda part: (part.name, part.version))


def npm_purl(lock, name):
    return Part("npm", name, lock[f"node_modules/{name}"]["version"], "", None, None, []).purl


def bytes_of(integrity):
    return base64.b64decode(integrity.split("-", 1)[1])


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def sha256_of(data):
    return hashlib.sha256(data).hexdigest()


def epoch():
    """SOURCE_DATE_EPOCH, without which nothing here is made."""
    return int(os.environ["SOURCE_DATE_EPOCH"])
