#!/usr/bin/env python3
"""Cuts the power of a virtual machine in the middle of ingest, three times, and looks for what was acknowledged.

    packaging/vm-power-cut.py PACKAGE.deb WORK [CUTS]

The machine is Debian 12 with the package installed as it is, run by qemu in software. Four writers outside of it send
batches of events; a batch counts as acknowledged when its answer of success is here. Then qemu is killed, and with it
all that the machine's kernel held in memory; what the machine had flushed is on its disk. After the next start of the
machine every acknowledged event must be found exactly once, and no event twice. The report goes to standard output.

Not a part of each CI run: it takes about ten minutes, most of them for the boots. Needs root, mmdebstrap, e2fsprogs and
qemu-system-x86. WORK keeps the root file system for the next time, and the machine's console.
"""

import json
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

PORT = 17300
URL = f"http://127.0.0.1:{PORT}"
WRITERS = 4
BATCH_EVENTS = 20
BOOT_SECONDS_MAX = 600
# How long writers write before the power goes, in seconds.
INGEST_SECONDS = (8, 20)
PACKAGES = "systemd,systemd-sysv,udev,dbus,linux-image-cloud-amd64,iproute2,init-system-helpers"

# The machine's own files. The service is the package's, unchanged: a proxy of systemd's brings the host's connections
# to the loopback address on which the server listens.
FILES = {
    "etc/systemd/network/eth.network": "[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n",
    "etc/systemd/system/proxy.socket": "[Socket]\nListenStream=0.0.0.0:7301\n[Install]\nWantedBy=sockets.target\n",
    "etc/systemd/system/proxy.service": "[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd 127.0.0.1:7300\n",
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    "etc/hostname": "helios-vm\n",
}


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


def make_image(package, work):
    """A disk with Debian and the package; kernel and initial file system beside it."""
    tar = work / "root.tar"
    if not tar.exists():
        run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(work / "root-new.tar"))
        (work / "root-new.tar").rename(tar)
    root = work / "root"
    run("rm", "-rf", str(root))
    root.mkdir()
    run("tar", "-xf", str(tar), "-C", str(root))
    for path, text in FILES.items():
        (root / path).write_text(text)
    run("cp", str(package), str(root / "helios.deb"))
    run("chroot", str(root), "dpkg", "--install", "/helios.deb", stdout=subprocess.DEVNULL)
    run("chroot", str(root), "systemctl", "--quiet", "enable", "systemd-networkd.service", "proxy.socket")
    for name in ("vmlinuz", "initrd.img"):
        newest = sorted((root / "boot").glob(f"{name}-*"))[-1]
        run("cp", str(newest), str(work / name))
    disk = work / "disk.img"
    disk.unlink(missing_ok=True)
    run("mkfs.ext4", "-q", "-d", str(root), str(disk), "3G")
    run("rm", "-rf", str(root))
    return disk


class Machine:
    def __init__(self, work, disk):
        self.started = time.monotonic()
        self.console = open(work / "console.log", "ab")
        # writethrough: what the machine flushes is in the file; what it holds in memory dies with qemu.
        command = [
            "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024",
            "-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio",
            "-kernel", str(work / "vmlinuz"), "-initrd", str(work / "initrd.img"),
            "-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off net.ifnames=0 systemd.journald.forward_to_console=1",
            "-drive", f"file={disk},format=raw,if=virtio,cache=writethrough",
            "-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{PORT}-:7301", "-device", "virtio-net-pci,netdev=n0,romfile=",
            "-device", "virtio-rng-pci",
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)

    def await_server(self):
        """Seconds from power to a server that answers."""
        while time.monotonic() - self.started < BOOT_SECONDS_MAX:
            if self.process.poll() is not None:
                sys.exit(f"qemu ended with {self.process.returncode}: see console.log")
            try:
                request("/readyz", seconds=5)
                return time.monotonic() - self.started
            except OSError:
                time.sleep(0.2)
        sys.exit(f"no answer within {BOOT_SECONDS_MAX} s: see console.log")

    def cut(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def request(path, body=None, seconds=30):
    with urllib.request.urlopen(urllib.request.Request(URL + path, data=body), timeout=seconds) as answer:
        return answer.read()


class Writers:
    """Write until told to stop, and note what was sent and what was acknowledged. No batch is sent twice."""

    def __init__(self, life):
        self.life, self.sent, self.acknowledged = life, set(), set()
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(n,), daemon=True) for n in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def write(self, writer):
        batch = 0
        while not self.stop.is_set():
            ids = [f"{self.life}-{writer}-{batch}-{n}" for n in range(BATCH_EVENTS)]
            lines = "".join(json.dumps({"message": f"event {i} of a machine", "id": i}) + "\n" for i in ids)
            with self.lock:
                self.sent.update(ids)
            try:
                answer = json.loads(request("/api/ingest?index=vm", lines.encode()))
            except (OSError, ValueError):
                if self.stop.wait(0.05):
                    return
                batch += 1
                continue
            if answer["ingested"] == BATCH_EVENTS:
                with self.lock:
                    self.acknowledged.update(ids)
            batch += 1

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def stored():
    """The id of every event that the server has, as often as it has it."""
    lines = request("/api/export?q=*&index=vm", seconds=300).decode().splitlines()
    return [json.loads(line)["fields"]["id"] for line in lines]


def main():
    package, work = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    cuts = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    work.mkdir(parents=True, exist_ok=True)
    (work / "console.log").unlink(missing_ok=True)
    disk = make_image(package, work)
    sent, acknowledged, bad = set(), set(), False
    print("| power cut | seconds from power to an answering server | events acknowledged so far | stored | lost | twice |")
    print("|---|---|---|---|---|---|", flush=True)
    machine = Machine(work, disk)
    boot = machine.await_server()
    for cut in range(1, cuts + 1):
        writers = Writers(cut)
        time.sleep(random.uniform(*INGEST_SECONDS))
        machine.cut()
        writers.end()
        sent |= writers.sent
        acknowledged |= writers.acknowledged
        machine = Machine(work, disk)
        boot = machine.await_server()
        found = stored()
        lost, twice = len(acknowledged - set(found)), len(found) - len(set(found))
        bad |= lost > 0 or twice > 0 or not set(found) <= sent or not writers.acknowledged
        print(f"| {cut} | {boot:.0f} | {len(acknowledged)} | {len(found)} | {lost} | {twice} |", flush=True)
    machine.cut()
    print("\nsomething acknowledged was lost, or stored twice" if bad else "\nnothing that was acknowledged was lost or stored twice")
    sys.exit(1 if bad else 0)


main()
