#!/usr/bin/env python3
"""Asks the kernel whether an answer ever came before its sync.

  ack_after_sync.py HELIOS_BINARY [--requests 40] [--connections 4]

Runs the server under strace, sends small requests over several connections at once, each with a word of
its own in its body, and then reads the trace: between the call that received a request's last byte and
the call that sent its answer there must be a write of that word to a log segment and, begun after that
write, an fdatasync of the same file that succeeded.
"""
import argparse
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

CALLS = "read,readv,recvfrom,recvmsg,write,writev,pwrite64,pwritev,sendto,sendmsg,fdatasync,fsync"
LINE = re.compile(r"^(\d+) +(.*)$")
UNFINISHED = re.compile(r"^(\w+)\((.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
WHOLE = re.compile(r"^(\w+)\((.*)$")
DESCRIPTOR = re.compile(r"^(\d+)<([^>]*)>")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_ready(port, process):
    for _ in range(600):
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            c.request("GET", "/readyz")
            if c.getresponse().status == 200:
                return
        except OSError:
            pass
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        time.sleep(0.05)
    sys.exit("the server does not answer")


def send(port, words, failures):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for word in words:
        c.request("POST", "/api/ingest?index=kernel", body='{"message":"%s"}\n' % word)
        r = c.getresponse()
        body = r.read()
        if r.status != 200 or b'"ingested":1' not in body.replace(b" ", b""):
            failures.append(f"{word}: {r.status} {body[:200]!r}")


def calls(path):
    """(start line, end line, name, arguments and result) of every system call, by its start."""
    open_calls, done = {}, []
    with open(path, errors="replace") as f:
        for number, line in enumerate(f):
            m = LINE.match(line.rstrip("\n"))
            if not m:
                continue
            thread, rest = m.groups()
            if u := UNFINISHED.match(rest):
                open_calls[thread] = (number, u[1], u[2])
            elif r := RESUMED.match(rest):
                if thread in open_calls:
                    start, name, args = open_calls.pop(thread)
                    done.append((start, number, name, args + r[2]))
            elif w := WHOLE.match(rest):
                done.append((number, number, w[1], w[2]))
    return done


def check(word, done, last_answer):
    """What is wrong with the order of this request's calls; None if nothing is."""
    received = [c for c in done if c[2] in ("read", "readv", "recvfrom", "recvmsg") and word in c[3]]
    if not received:
        return "its bytes were never received"
    got = received[0]
    socket_fd = DESCRIPTOR.match(got[3])[1]
    logged = [c for c in done if c[2].startswith(("write", "pwrite")) and word in c[3] and ".log>" in c[3] and c[0] > got[0]]
    if not logged:
        return "it was never written to the log"
    write = logged[0]
    log_file = DESCRIPTOR.match(write[3])[2]
    syncs = [c for c in done if c[2] in ("fdatasync", "fsync") and log_file in c[3] and c[0] > write[1] and c[3].rstrip().endswith("= 0")]
    answers = [
        c for c in done
        if c[2] in ("write", "writev", "sendto", "sendmsg") and c[0] > got[1] and "HTTP/1.1 200" in c[3]
        and (d := DESCRIPTOR.match(c[3])) and d[1] == socket_fd
    ]
    if not answers:
        return "no answer was sent"
    answer = answers[0]
    last_answer.append(answer[0])
    if not any(s[1] < answer[0] for s in syncs):
        return f"answered at line {answer[0]} of the trace, before any sync of {log_file} that began after line {write[1]}"
    return None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("binary")
    ap.add_argument("--requests", type=int, default=40)
    ap.add_argument("--connections", type=int, default=4)
    a = ap.parse_args()
    if not shutil.which("strace"):
        sys.exit("strace is missing")
    folder = tempfile.mkdtemp(prefix="helios-kernel.")
    trace, port = os.path.join(folder, "trace"), free_port()
    command = ["strace", "-f", "-y", "-s", "65536", "-e", f"trace={CALLS}", "-o", trace,
               a.binary, "serve", "--data-dir", os.path.join(folder, "data"), "--port", str(port)]
    log = open(os.path.join(folder, "server.log"), "wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_ready(port, process)
        words = [f"kernelword{n:05d}x" for n in range(a.requests)]
        failures = []
        threads = [threading.Thread(target=send, args=(port, words[n::a.connections], failures)) for n in range(a.connections)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    done = sorted(calls(trace))
    answers = []
    for word in words:
        if wrong := check(word, done, answers):
            failures.append(f"{word}: {wrong}")
    syncs = sum(c[2] == "fdatasync" for c in done)
    for failure in failures:
        print(failure)
    print(f"{len(words)} requests, {len(answers)} answers, {syncs} fdatasync calls, {len(failures)} failures")
    shutil.rmtree(folder)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
