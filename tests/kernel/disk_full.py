#!/usr/bin/env python3
"""Fills a small real filesystem in mid-ingest and gives it room again.

  disk_full.py HELIOS_BINARY [--size-mib 192]      (needs root, to mount)

Half of the filesystem is a ballast file. Lines are sent until the server refuses them: that must be a
503 that says why, search must go on answering, and once the ballast is gone the same lines must be
taken. At the end, also after a restart, every line that was acknowledged is found exactly once.
"""
import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

BATCH_LINES = 4000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def request(port, method, path, body=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    c.request(method, path, body=body)
    r = c.getresponse()
    return r.status, r.read()


def start(binary, data, port, log):
    p = subprocess.Popen([binary, "serve", "--data-dir", data, "--port", str(port)], stdout=log, stderr=log, start_new_session=True)
    for _ in range(600):
        try:
            if request(port, "GET", "/healthz")[0] == 200:
                return p
        except OSError:
            pass
        if p.poll() is not None:
            sys.exit(f"the server ended with {p.returncode}")
        time.sleep(0.05)
    sys.exit("the server does not answer")


def batch(number):
    """Lines that compress badly, so that blocks need room too."""
    noise = os.urandom(BATCH_LINES * 64).hex()
    at = lambda n: noise[n * 128:(n + 1) * 128]
    return "".join(f'{{"message":"{at(n)}","batch":"b{number}x"}}\n' for n in range(BATCH_LINES)).encode()


def total(port, query):
    status, body = request(port, "GET", "/api/search?" + urllib.parse.urlencode({"q": query, "limit": 0, "index": "full"}))
    assert status == 200, (status, body[:300])
    return json.loads(body)["total"]


def check_counts(port, acknowledged, unknown):
    wrong = []
    for number, lines in acknowledged.items():
        found = total(port, f"batch:b{number}x")
        if found != lines:
            wrong.append(f"batch {number}: {lines} acknowledged, {found} found")
    for number in unknown:
        if total(port, f"batch:b{number}x") not in (0, BATCH_LINES):
            wrong.append(f"batch {number}: of unknown outcome, partly there")
    return wrong


def mount(size_mib, folder):
    """An ext4 image where loop devices can be had, else a tmpfs."""
    image, target = os.path.join(folder, "image"), os.path.join(folder, "fs")
    os.mkdir(target)
    with open(image, "wb") as f:
        f.truncate(size_mib << 20)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    ext4 = shutil.which("mkfs.ext4")
    if ext4 and subprocess.run([ext4, "-q", "-m", "0", image], **quiet).returncode == 0:
        if subprocess.run(["mount", "-o", "loop", image, target], **quiet).returncode == 0:
            return target, "ext4"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "none", target], check=True)
    return target, "tmpfs"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("binary")
    ap.add_argument("--size-mib", type=int, default=192)
    a = ap.parse_args()
    folder = tempfile.mkdtemp(prefix="helios-full.")
    target, kind = mount(a.size_mib, folder)
    log = open(os.path.join(folder, "server.log"), "wb")
    port, server = free_port(), None
    problems, acknowledged, unknown = [], {}, []
    try:
        ballast, data = os.path.join(target, "ballast"), os.path.join(target, "data")
        with open(ballast, "wb") as f:
            for _ in range(a.size_mib // 3):
                f.write(os.urandom(1 << 20))
            os.fsync(f.fileno())
        server = start(a.binary, data, port, log)
        refusal, waiting = None, None
        for number in range(400):
            status, body = request(port, "POST", "/api/ingest?index=full", batch(number))
            if status == 200:
                acknowledged[number] = json.loads(body)["ingested"]
            elif status == 429:
                time.sleep(0.2)
            else:
                refusal, waiting = (status, body), number
                break
        if refusal is None or refusal[0] != 503:
            problems.append(f"expected a 503 when the disk is full, got {refusal}")
        else:
            print("refused:", refusal[1][:300].decode(errors="replace"))
            if b"unknown" in refusal[1].lower():
                unknown.append(waiting)
        # Search stays alive while the disk is full, and nothing that was acknowledged is missing.
        problems += check_counts(port, acknowledged, unknown)
        os.remove(ballast)
        taken = False
        for attempt in range(200):
            status, body = request(port, "POST", "/api/ingest?index=full", batch(1000 + attempt))
            if status == 200:
                acknowledged[1000 + attempt] = json.loads(body)["ingested"]
                taken = True
                break
            time.sleep(0.1)
        if not taken:
            problems.append(f"ingest did not go on after room was made: {status} {body[:300]!r}")
        problems += check_counts(port, acknowledged, unknown)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        server = start(a.binary, data, port, log)
        problems += check_counts(port, acknowledged, unknown)
    finally:
        if server and server.poll() is None:
            server.terminate()
            server.wait()
        subprocess.run(["umount", target], check=False)
    for problem in problems:
        print(problem)
    print(f"{kind}, {a.size_mib} MiB: {sum(acknowledged.values())} lines acknowledged in {len(acknowledged)} batches, {len(problems)} problems")
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
