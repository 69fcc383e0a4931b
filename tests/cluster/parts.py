"""What stands between a node and its store, and can be cut."""
import http.client
import os
import re
import socket
import subprocess
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

REQUEST = re.compile(rb"(?:^|\n)(GET|PUT|HEAD|DELETE|POST) (/\S*) HTTP/1\.1\r\n")
PIECE_BYTES = 65_536
NFS_THREADS = 8


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_bucket(url, name):
    """Asks until the server is there."""
    at = urlsplit(url)
    for _ in range(600):
        try:
            c = http.client.HTTPConnection(at.hostname, at.port, timeout=10)
            c.request("PUT", f"/{name}", headers={"Content-Length": "0"})
            answer = c.getresponse()
            body = answer.read()
            if answer.status == 200:
                return
            raise SystemExit(f"the bucket could not be made: {answer.status} {body[:300]!r}")
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"no S3 server answers at {url}")


class FolderWay:
    """A symbolic link to the folder. Cut, it leads to itself: whatever is asked fails, and nothing is written."""

    ways = ("broken link",)

    def __init__(self, path, folder):
        self.store, self.folder, self.env, self.requests = path, folder, {}, Counter()
        self.heal()

    def cut(self, _how):
        self._set(os.path.basename(self.store))

    def heal(self):
        self._set(self.folder)

    def lead_to(self, folder):
        self.folder = folder
        self.heal()

    def _set(self, target):
        new = self.store + ".new"
        os.symlink(target, new)
        os.replace(new, self.store)


class NfsWay:
    """A mount of its own in the node's namespace. Cut, its interface is down, or the server is: then for all nodes."""

    ways = ("down", "no server")

    def __init__(self, path, export, namespace, options):
        self.namespace, self.mounted, self.env, self.requests = namespace, path, {}, Counter()
        self.export, self.how = export, None
        os.makedirs(path)
        self.lead_to(os.path.join(export, "store"))
        # A host name of its own makes it another client: else the server would take all nodes for one.
        mount = f"hostname {namespace.name}; exec mount -t nfs4 -o {options} {namespace.store_address}:/ {path}"
        subprocess.run(
            ["nsenter", f"--net=/run/netns/{namespace.name}", "unshare", "--uts", "sh", "-c", mount], check=True)

    def cut(self, how):
        self.how = how
        if how == "down":
            self.namespace.down()
        else:
            subprocess.run(["rpc.nfsd", "0"], check=True)

    def heal(self):
        how, self.how = self.how, None
        if how == "down":
            self.namespace.up()
        elif how:
            subprocess.run(["rpc.nfsd", str(NFS_THREADS)], check=True)

    def lead_to(self, folder):
        self.store = os.path.join(self.mounted, os.path.relpath(folder, self.export))

    def remove(self):
        subprocess.run(["umount", "--force", "--lazy", self.mounted], check=False)


class Proxy:
    """Carries bytes between a node and an S3 server, and counts requests.

    Cut in one of three ways: `hang` carries nothing in either direction, `reset` breaks every connection,
    `deaf` carries requests and loses the answers. With a namespace its interface goes `down` instead.
    """

    def __init__(self, server, bucket, namespace=None):
        self.server, self.namespace = server, namespace
        self.ways = ("down",) if namespace else ("hang", "reset", "deaf")
        self.requests, self.how, self.lock = Counter(), None, threading.Lock()
        self.pairs, self.open = set(), threading.Event()
        self.open.set()
        address = namespace.store_address if namespace else "127.0.0.1"
        self.listener = socket.create_server((address, 0), backlog=64)
        self.store = f"s3://{bucket}/cluster"
        self.env = {
            "AWS_ENDPOINT_URL": f"http://{address}:{self.listener.getsockname()[1]}", "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret-key", "AWS_REGION": "us-east-1",
        }
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, how):
        if how == "down":
            return self.namespace.down()
        self.how = how
        if how == "hang":
            self.open.clear()
        elif how == "reset":
            self._break_all()

    def heal(self):
        if self.namespace:
            return self.namespace.up()
        how, self.how = self.how, None
        if how == "deaf":
            self._break_all()  # Else a late answer would be taken for that of a later request.
        self.open.set()

    def _break_all(self):
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while True:
            near, _ = self.listener.accept()
            if self.how == "reset":
                near.close()
                continue
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near):
        try:
            far = socket.create_connection(self.server, timeout=10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        pair = (near, far)
        with self.lock:
            self.pairs.add(pair)
        back = threading.Thread(target=self._pump, args=(far, near, False), daemon=True)
        back.start()
        self._pump(near, far, True)
        back.join()
        with self.lock:
            self.pairs.discard(pair)
        near.close()
        far.close()

    def _pump(self, source, target, out):
        try:
            while piece := source.recv(PIECE_BYTES):
                self.open.wait()
                if out:
                    self._count(piece)
                elif self.how == "deaf":
                    continue
                target.sendall(piece)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _count(self, piece):
        for method, path in REQUEST.findall(piece):
            with self.lock:
                self.requests["LIST" if b"list-type=2" in path else method.decode()] += 1


class Namespace:
    """A network namespace with two interfaces: one for clients, one for the store, which can go down."""

    def __init__(self, number):
        self.name = f"helios{os.getpid()}n{number}"
        self.clients, self.cut = f"hc{os.getpid() % 10_000}n{number}", f"hs{os.getpid() % 10_000}n{number}"
        self.address, self.store_address = f"10.211.{number}.2", f"10.212.{number}.1"
        self._ip("netns", "add", self.name)
        for link, net in ((self.clients, f"10.211.{number}"), (self.cut, f"10.212.{number}")):
            self._ip("link", "add", link, "type", "veth", "peer", "name", f"{link}p", "netns", self.name)
            self._ip("addr", "add", f"{net}.1/24", "dev", link)
            self._ip("link", "set", link, "up")
            self._ip("-n", self.name, "addr", "add", f"{net}.2/24", "dev", f"{link}p")
            self._ip("-n", self.name, "link", "set", f"{link}p", "up")
        self._ip("-n", self.name, "link", "set", "lo", "up")

    @staticmethod
    def _ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    def wrap(self, command):
        return ["ip", "netns", "exec", self.name, *command]

    def down(self):
        self._ip("link", "set", self.cut, "down")

    def up(self):
        self._ip("link", "set", self.cut, "up")

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        for link in (self.clients, self.cut):
            subprocess.run(["ip", "link", "del", link], check=False, stderr=subprocess.DEVNULL)
