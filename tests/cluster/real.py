#!/usr/bin/env python3
"""Several servers on one shared store, of which one is killed and one is cut off by turns while clients write.

  real.py HELIOS_BINARY --folder [--seconds 20] [--nodes 3] [--rate 100] [--wipe]
  real.py HELIOS_BINARY --s3 http://127.0.0.1:5000 ...
  real.py HELIOS_BINARY --s3-server 'python3 s3_server.py {port}' ...
  real.py HELIOS_BINARY --nfs /srv/export ...   (on a machine that exports this folder: see nfs.py)

Each node reaches the store by a way of its own, which can be cut: a bucket by a proxy that this script runs
(requests hang, connections break, or answers are lost), or with --netns by a network interface that goes down;
a folder by a symbolic link that leads nowhere for a while, and over NFS by a mount whose interface or server goes
down. Clients send unique lines to all nodes. A checker
looks at one node after the other while that goes on: what a node has acknowledged it must have, and nothing twice.

After healing every node must export each acknowledged line exactly once, and each line of which nobody was
told what became of it at most once. Then all data directories are deleted, and a fresh node on a copy of the
folder (or on the same bucket) must answer the same. --wipe deletes the directory of each second node that is
killed: then of its lines only those must stay that were acknowledged as shared.
"""
import argparse
import http.client
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from urllib.parse import quote, urlsplit

from parts import FolderWay, Namespace, NfsWay, Proxy, free_port, make_bucket

# Lines of one request.
BATCH_LINES = 10
# Of so many requests one waits for the shared store.
SHARED_EVERY = 8
REQUEST_SECONDS_MAX = 90
SAY_EVERY_SECONDS = 30
# Requests that do not ask for the store take a fraction of a second, on a slow machine one. To see it, cut for longer than this.
LOCAL_SECONDS_MAX = 20
INDEXES = ("app", "web", "audit")
UID = b'"uid":"'


class Node:
    """A server with its data directory and its way to the store."""

    def __init__(self, run, number, way, namespace=None):
        self.run, self.number, self.way, self.namespace = run, number, way, namespace
        self.host = namespace.address if namespace else "127.0.0.1"
        self.port = free_port()
        self.folder = os.path.join(run.folder, f"node{number}")
        self.data, self.key = os.path.join(self.folder, "data"), os.path.join(self.folder, "key.json")
        self.log = os.path.join(self.folder, "server.log")
        os.makedirs(self.folder)
        self.process, self.starts, self.failed_starts = None, 0, 0
        # Of requests that do not ask for the store: however it is, they must not wait for it.
        self.longest = 0.0
        self.lock = threading.Lock()
        self.local, self.shared, self.unknown, self.refused = set(), set(), set(), set()
        # What was acknowledged since its disk was last empty: that it must show at once.
        self.since_empty = set()

    def command(self):
        a = self.run.arguments
        command = [
            a.binary, "serve", "--data-dir", self.data, "--port", str(self.port), "--shared-store", self.way.store,
            "--control-key-path", self.key, "--block-sync-secs", str(a.sync_secs), "--block-flush-secs", "1",
            "--block-compact-secs", "2", "--control-cache-ttl-secs", "1", "--log", "info,helios::cluster=debug",
        ]
        if self.namespace:
            command += ["--host", self.host, "--insecure-no-auth"]
            command = self.namespace.wrap(command)
        return command

    def start(self):
        """Starts it until it stays: one that cannot reach its store at the start ends, and is started again."""
        limit = time.monotonic() + self.run.arguments.start_within
        while time.monotonic() < limit:
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    self.command(), stdout=log, stderr=log, start_new_session=True, env={**os.environ, **self.way.env})
            self.starts += 1
            while self.process.poll() is None and time.monotonic() < limit:
                if self.is_ready():
                    return
                time.sleep(0.05)
            self.failed_starts += self.process.poll() is not None
            time.sleep(0.2)
        sys.exit(f"node {self.number} does not answer:\n{self.log_end()}")

    def is_ready(self):
        try:
            return self.ask("/readyz", timeout=2)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def send(self, how):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, how)

    def kill(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.send(how)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                self.run.wrong.append(f"node {self.number} did not stop within 30 s of SIGTERM")

    def wipe(self):
        """Its disk is gone: of what it alone had nobody knows what became of it."""
        shutil.rmtree(self.data)
        with self.lock:
            self.unknown |= self.local
            self.local, self.since_empty = set(), set()

    def ask(self, path, body=None, timeout=REQUEST_SECONDS_MAX):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request("POST" if body is not None else "GET", path, body=body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def count(self):
        status, body = self.ask(f"/api/search?q={quote('* | stats count')}")
        if status != 200:
            raise OSError(f"{status} {body[:200]!r}")
        answer = json.loads(body)
        if answer.get("warnings") or answer.get("partial"):
            raise OSError(f"not the whole answer: {answer.get('warnings')}")
        rows = answer["table"]["rows"]
        return int(rows[0][0]) if rows else 0

    def export(self):
        """How often each line is there."""
        status, body = self.ask(f"/api/export?q={quote('*')}")
        if status != 200:
            raise OSError(f"{status} {body[:200]!r}")
        found = Counter()
        for line in body.splitlines():
            at = line.index(UID) + len(UID)
            found[line[at:line.index(b'"', at)].decode()] += 1
        return found

    def cluster(self):
        try:
            status, body = self.ask("/api/cluster", timeout=5)
            return json.loads(body) if status == 200 else {}
        except (OSError, ValueError, http.client.HTTPException):
            return {}

    def log_end(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-15:])

    # --- what clients do ---

    def write(self, client):
        """Sends lines until the run says stop."""
        connection, number, rng = None, 0, random.Random(f"{self.run.arguments.seed}/{client}")
        pause = BATCH_LINES / self.run.arguments.rate
        while not self.run.stop.wait(pause * rng.uniform(0.5, 1.5)):
            uids = [f"{client}-{number + n:07d}" for n in range(BATCH_LINES)]
            number += BATCH_LINES
            ack = "&ack=shared" if number // BATCH_LINES % SHARED_EVERY == 0 else ""
            path = f"/api/ingest?index={rng.choice(INDEXES)}{ack}"
            body = "".join(line(uid, rng) for uid in uids)
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(self.host, self.port, timeout=REQUEST_SECONDS_MAX)
                    connection.connect()
            except OSError:
                connection = None
                continue
            try:
                sent = time.monotonic()
                connection.request("POST", path, body=body)
                answer = connection.getresponse()
                self.note(uids, answer.status, answer.read())
                if not ack:
                    self.longest = max(self.longest, time.monotonic() - sent)
            except (OSError, http.client.HTTPException):
                connection = None
                with self.lock:
                    self.unknown.update(uids)

    def note(self, uids, status, body):
        with self.lock:
            if status == 429:
                self.refused.update(uids)
            elif status != 200:
                self.unknown.update(uids)
            else:
                answer = json.loads(body)
                if answer["ingested"] != len(uids):
                    self.run.wrong.append(f"node {self.number} took {answer['ingested']} of {len(uids)} lines")
                (self.shared if answer["durability"] == "shared" else self.local).update(uids)
                self.since_empty.update(uids)

    def acknowledged(self):
        with self.lock:
            return self.local | self.shared


def line(uid, rng):
    """An event; one in four is of yesterday, so that several days are written to."""
    when = time.time() - (86_400 if rng.random() < 0.25 else 0)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + f".{rng.randrange(1000):03d}Z"
    event = {"timestamp": stamp, "uid": uid, "level": rng.choice(["info", "warn", "error"]), "took_ms": rng.randrange(900)}
    return json.dumps(event, separators=(",", ":")) + "\n"


class Run:
    def __init__(self, arguments):
        self.arguments = arguments
        self.folder = tempfile.mkdtemp(prefix="helios-cluster.")
        self.stop = threading.Event()
        self.wrong, self.checks, self.kills, self.wipes = [], 0, 0, 0
        self.cuts = Counter()
        self.rng = random.Random(arguments.seed)
        self.helpers, self.nodes, self.namespaces = [], [], []
        self.bucket = f"helios-{os.getpid()}"
        self.said = time.monotonic()

    # --- setting up and tearing down ---

    def prepare(self):
        a = self.arguments
        url = a.s3
        if a.s3_server:
            port = free_port()
            command = shlex.split(a.s3_server.format(port=port))
            log = open(os.path.join(self.folder, "s3.log"), "wb")
            self.helpers.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
            url = f"http://127.0.0.1:{port}"
        if url:
            make_bucket(url, self.bucket)
        else:
            self.store = os.path.join(a.nfs or self.folder, "store")
            os.makedirs(self.store)
        for number in range(1, a.nodes + 1):
            self.nodes.append(self.make_node(number, url))
        if a.nfs:
            self.test_store()
        self.nodes[0].start()
        for node in self.nodes[1:]:
            shutil.copy(self.nodes[0].key, node.key)
        for node in self.nodes[1:]:
            node.start()

    def test_store(self):
        """What one node does to the store, another must see."""
        first, second = (node.way.store for node in self.nodes[:2])
        told = subprocess.run([self.arguments.binary, "store", "test", "--shared-store", first, "--and", second], check=False)
        if told.returncode:
            sys.exit("the store does not do what nodes need of it")

    def make_node(self, number, url):
        if self.arguments.nfs:
            namespace = Namespace(number)
            self.namespaces.append(namespace)
            mounted = os.path.join(self.folder, f"mount{number}")
            way = NfsWay(mounted, self.arguments.nfs, namespace, self.arguments.nfs_options)
            return Node(self, number, way, namespace)
        if not url:
            return Node(self, number, FolderWay(os.path.join(self.folder, f"way{number}"), self.store))
        namespace = Namespace(number) if self.arguments.netns else None
        if namespace:
            self.namespaces.append(namespace)
        at = urlsplit(url)
        return Node(self, number, Proxy((at.hostname, at.port), self.bucket, namespace), namespace)

    def clean_up(self, keep):
        for node in self.nodes:
            node.way.heal()
            node.kill()
        for helper in self.helpers:
            os.killpg(helper.pid, signal.SIGKILL)
            helper.wait()
        for node in self.nodes:
            if isinstance(node.way, NfsWay):
                node.way.remove()
        for namespace in self.namespaces:
            namespace.remove()
        if keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder)

    # --- trouble ---

    def trouble(self):
        """Kills and cuts by turns, each time another node; now and then the one that is cut off is killed too."""
        a, end, turn = self.arguments, time.monotonic() + self.arguments.seconds, 0
        while time.monotonic() < end:
            self.say(f"{end - time.monotonic():.0f} s of trouble are left, {len(self.sets()[0])} lines are acknowledged")
            killed, cut = self.nodes[turn % len(self.nodes)], self.nodes[(turn + 1) % len(self.nodes)]
            self.kill(killed, wipe=a.wipe and turn % 2 == 1)
            time.sleep(self.rng.uniform(0.3, 1.5))
            self.cut(cut, dies=turn % 3 == 2)
            time.sleep(self.rng.uniform(0.3, 1.5))
            turn += 1

    def kill(self, node, wipe=False):
        node.kill()
        self.kills += 1
        if wipe:
            node.wipe()
            self.wipes += 1
        time.sleep(self.rng.uniform(0.1, 2.5))
        node.start()

    def cut(self, node, dies):
        how = node.way.ways[sum(self.cuts.values()) % len(node.way.ways)]
        node.way.cut(how)
        self.cuts[how] += 1
        longest = self.arguments.longest_cut
        shortest, longest = (longest / 2, longest) if longest else (2, min(8, 2 + self.arguments.seconds / 20))
        seconds = self.rng.uniform(shortest, longest)
        time.sleep(seconds / 2)
        if dies:
            node.send(signal.SIGKILL)
            self.kills += 1
        time.sleep(seconds / 2)
        node.way.heal()
        if dies:
            # Only now: what waits for a file server that is away may end only once that answers.
            node.kill()
            node.start()

    def say(self, what):
        """Now and then, on standard error: how far it is."""
        if time.monotonic() - self.said >= SAY_EVERY_SECONDS:
            self.said = time.monotonic()
            print(what, file=sys.stderr, flush=True)

    # --- looking ---

    def check_while_writing(self):
        """What a node has acknowledged it has at once, and it has nothing twice."""
        turn = 0
        while not self.stop.wait(1.5):
            node = self.nodes[turn % len(self.nodes)]
            turn += 1
            with node.lock:
                due = set(node.since_empty)
            try:
                found = node.export()
            except (OSError, http.client.HTTPException):
                continue
            with node.lock:
                due &= node.since_empty
            self.checks += 1
            missing = due - found.keys()
            if missing:
                self.wrong.append(f"node {node.number} did not show {len(missing)} lines that it had acknowledged, as {min(missing)}")
            self.hold_once(node, found)

    def hold_once(self, node, found):
        doubled = [uid for uid, times in found.items() if times > 1]
        if doubled:
            self.wrong.append(f"node {node.number} showed {len(doubled)} lines more than once, as {min(doubled)}")
        return len(doubled)

    def longest(self):
        return max(node.longest for node in self.nodes)

    def sets(self):
        acknowledged, unknown, refused = set(), set(), set()
        for node in self.nodes:
            acknowledged |= node.acknowledged()
            unknown |= node.unknown
            refused |= node.refused
        return acknowledged, unknown, refused

    def agree(self, nodes, since, expected=0):
        """Waits until all give the same answer of at least `expected` lines. Seconds it took, lost and doubled then."""
        acknowledged, unknown, refused = self.sets()
        expected = max(expected, len(acknowledged))
        limit, exports = time.monotonic() + self.arguments.agree_within, []
        while time.monotonic() < limit:
            try:
                counts = [node.count() for node in nodes]
                self.say(f"of {expected} lines the nodes have {counts}")
                counts = set(counts)
                if len(counts) == 1 and counts.pop() >= expected:
                    seconds = time.monotonic() - since
                    exports = [node.export() for node in nodes]
                    if all(found == exports[0] for found in exports):
                        return seconds, *self.judge(exports, acknowledged, unknown, refused)
            except (OSError, http.client.HTTPException) as error:
                self.say(f"the nodes do not answer yet: {error}")
            time.sleep(0.2)
        self.wrong.append(f"the nodes did not agree within {self.arguments.agree_within} s")
        exports = [node.export() for node in nodes]
        for node, found in zip(nodes, exports):
            missing = acknowledged - found.keys()
            print(f"node {node.number}: {found.total()} lines, {len(missing)} missing {sorted(missing)[:3]}, "
                  f"problems {node.cluster().get('problems')}\n{node.log_end()}")
        return float("nan"), *self.judge(exports, acknowledged, unknown, refused)

    def judge(self, exports, acknowledged, unknown, refused):
        lost = max(len(acknowledged - found.keys()) for found in exports)
        doubled = max(self.hold_once(node, found) for node, found in zip(self.nodes, exports))
        strange = set().union(*exports) - acknowledged - unknown
        if lost:
            self.wrong.append(f"{lost} acknowledged lines are lost")
        if strange:
            self.wrong.append(f"{len(strange & refused)} lines that were refused and {len(strange - refused)} that were never sent are there")
        return lost, doubled, exports[0]

    # --- the two halves ---

    def write_under_trouble(self):
        threads = [threading.Thread(target=node.write, args=(f"n{node.number}c{c}",)) for node in self.nodes for c in range(2)]
        threads.append(threading.Thread(target=self.check_while_writing))
        for thread in threads:
            thread.start()
        try:
            self.trouble()
        finally:
            self.stop.set()
            healed = time.monotonic()
            for thread in threads:
                thread.join()
        return self.agree(self.nodes, healed)

    def verify(self, way, lines):
        """The store by itself must be sound, and have every line."""
        command = [self.arguments.binary, "verify", "--shared-store", way.store]
        told = subprocess.run(command, env={**os.environ, **way.env}, capture_output=True, text=True, check=False)
        if told.returncode or f" {lines} events" not in told.stdout:
            self.wrong.append(f"verify ended with {told.returncode}, {lines} lines expected:\n{told.stdout}{told.stderr}")

    def recover(self, before):
        """All disks are gone. A fresh node has nothing but a copy of the store, and the key."""
        first = self.nodes[0]
        for node in self.nodes:
            node.kill(signal.SIGTERM)
            shutil.rmtree(node.data)
        self.verify(first.way, before.total())
        if isinstance(first.way, (FolderWay, NfsWay)):
            copy = os.path.join(os.path.dirname(self.store), "copy")
            shutil.copytree(self.store, copy)
            first.way.lead_to(copy)
        started = time.monotonic()
        first.start()
        ready = time.monotonic() - started
        seconds, _, _, found = self.agree([first], started, before.total())
        if found != before:
            self.wrong.append(f"the fresh node has {found.total()} lines, the cluster had {before.total()}")
        return ready, seconds


def table(run, seconds, lost, doubled, recovered):
    acknowledged, unknown, refused = run.sets()
    ways = [node.way for node in run.nodes]
    requests = sum((way.requests for way in ways), Counter())
    told = [node.cluster().get("store", {}).get("requests") for node in run.nodes]
    rows = [
        ("nodes", len(run.nodes)),
        ("acknowledged", f"{len(acknowledged)} ({sum(len(n.shared) for n in run.nodes)} as shared)"),
        ("outcome unknown", len(unknown)), ("refused", len(refused)),
        ("lost", lost), ("doubled", doubled),
        ("longest local answer", f"{run.longest():.1f} s"),
        ("seconds until agreement", f"{seconds:.1f}"),
        ("kills", f"{run.kills} ({run.wipes} with the disk)"),
        ("cuts", f"{run.cuts.total()} ({', '.join(f'{n} {how}' for how, n in run.cuts.items())})"),
        ("looks while writing", run.checks),
        ("starts without a store", sum(node.failed_starts for node in run.nodes)),
        ("object-store requests", requests.total() or told),
    ]
    rows += [(f"  {kind}", number) for kind, number in sorted(requests.items())]
    rows += [("fresh node ready", f"{recovered[0]:.1f} s"), ("fresh node complete", f"{recovered[1]:.1f} s")]
    for name, value in rows:
        print(f"{name:<24} {value}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("binary")
    store = ap.add_mutually_exclusive_group(required=True)
    store.add_argument("--folder", action="store_true", help="share a folder")
    store.add_argument("--s3", metavar="URL", help="share a bucket of this server")
    store.add_argument("--s3-server", metavar="COMMAND", help="start this server, {port} in it is replaced, and share a bucket of it")
    store.add_argument("--nfs", metavar="EXPORT", help="share this folder, which this machine exports; needs root")
    ap.add_argument("--nfs-options", default="vers=4.2,soft,timeo=50,retrans=2", help="of the mounts")
    ap.add_argument("--start-within", type=float, default=240, help="seconds until a node that does not answer is taken for broken")
    ap.add_argument("--netns", action="store_true", help="each node in a network namespace; needs root")
    ap.add_argument("--nodes", type=int, default=3)
    ap.add_argument("--seconds", type=float, default=20, help="how long there is trouble")
    ap.add_argument("--rate", type=float, default=100, help="lines a second of each of two clients a node")
    ap.add_argument("--sync-secs", type=int, default=3)
    ap.add_argument("--agree-within", type=float, default=60, help="seconds")
    ap.add_argument("--longest-cut", type=float, help="seconds; the shortest are half of it")
    ap.add_argument("--wipe", action="store_true", help="delete the data of each second node that is killed")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--keep", action="store_true", help="leave the folder with the logs")
    a = ap.parse_args()
    if a.netns and (a.folder or a.nfs):
        ap.error("--netns cuts the network to a bucket; a node on a --folder is cut off by its link, one on --nfs by itself")
    run, fine = Run(a), False
    try:
        run.prepare()
        seconds, lost, doubled, found = run.write_under_trouble()
        if run.longest() > LOCAL_SECONDS_MAX:
            run.wrong.append(f"a request that did not ask for the store took {run.longest():.1f} s: it must not wait for it")
        told = run.recover(found)
        table(run, seconds, lost, doubled, told)
        for what, times in Counter(run.wrong).items():
            print(f"WRONG: {what}" + (f" ({times} times)" if times > 1 else ""))
        fine = not run.wrong
    finally:
        run.clean_up(keep=a.keep or not fine)
    print(f"{int(fine)} passed, {int(not fine)} failed")
    sys.exit(not fine)


if __name__ == "__main__":
    main()
