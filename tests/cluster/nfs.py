#!/usr/bin/env python3
"""Several servers on one folder over NFS, in a virtual machine: `real.py --nfs` on a kernel that has NFS.

  nfs.py HELIOS_BINARY WORK [options of real.py]
  nfs.py target/release/helios /tmp/nfs --seconds 600 --rate 10

The machine is Debian 12, run by qemu in software. Its kernel exports a folder; each node is a network namespace with a
host name of its own, that is, another NFS client to the server, and mounts it (NFSv4.2). First `helios store test`
looks at the store through the mounts of two nodes. Then one node after the other is killed, has its interface taken
down, or loses the NFS server, while clients write; see real.py for what must hold.

The machine is some twenty times slower than the one that it runs on, so that timeouts are generous and rates low. Needs root, mmdebstrap, e2fsprogs and qemu-system-x86. WORK keeps
Debian for the next time, and the machine's console.
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = "nfs-kernel-server,nfs-common,rpcbind,iproute2,python3,kmod,netbase,linux-image-cloud-amd64,initramfs-tools"
# Beside the trouble: boot, preparation, agreement, recovery.
MINUTES_MAX_BESIDE = 25
HERE = Path(__file__).resolve().parent

INIT = """#!/bin/bash
# The machine's first process.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/scratch
mount -t proc proc /proc; mount -t sysfs sysfs /sys 2>/dev/null; mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm /run /scratch
mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /run
ip link set lo up; hostname nfs-server
dmesg --console-off
modprobe nfsd; modprobe nfsv4; modprobe veth
mount -t nfsd nfsd /proc/fs/nfsd
mkdir -p /run/rpc_pipefs /var/lib/nfs/v4recovery /srv/export
echo '/srv/export *(rw,sync,no_root_squash,no_subtree_check,fsid=0,insecure)' > /etc/exports
rpcbind -w; exportfs -ra; rpc.mountd --no-nfs-version 3; rpc.nfsd --no-nfs-version 3 --lease-time 10 --grace-time 10 8
cd /test
python3 real.py ./helios --nfs /srv/export $(cat arguments)
echo "ended: $?"
for log in /scratch/helios-cluster.*/node*/server.log; do [ -e "$log" ] && { echo "--- $log"; tail -n 60 "$log"; }; done
sync; echo o > /proc/sysrq-trigger; sleep 60
"""


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


def make_image(binary, work, arguments):
    """A disk with Debian, the server and the test; kernel and initial file system beside it."""
    tar = work / "nfs-root.tar"
    if not tar.exists():
        new = work / "nfs-root.new.tar"
        run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(new))
        new.rename(tar)
    root = work / "nfs-root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    run("tar", "-xf", str(tar), "-C", str(root))
    test = root / "test"
    test.mkdir()
    run("strip", "-o", str(test / "helios"), str(binary))
    for name in ("real.py", "parts.py"):
        shutil.copy(HERE / name, test / name)
    (test / "arguments").write_text(" ".join(arguments))
    (test / "init").write_text(INIT)
    (test / "init").chmod(0o755)
    for name in ("vmlinuz", "initrd.img"):
        shutil.copy(sorted((root / "boot").glob(f"{name}-*"))[-1], work / name)
    disk = work / "nfs.img"
    disk.unlink(missing_ok=True)
    run("mkfs.ext4", "-q", "-d", str(root), str(disk), "6G")
    shutil.rmtree(root)
    return disk


def boot(work, disk, minutes):
    """Runs the machine until it switches itself off, and shows its console. The code with which the test ended."""
    command = [
        "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "4096",
        "-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio", "-net", "none",
        "-kernel", str(work / "vmlinuz"), "-initrd", str(work / "initrd.img"),
        "-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off init=/test/init panic=-1 no_timer_check",
        "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe", "-device", "virtio-rng-pci",
    ]
    code = None
    with open(work / "nfs-console.log", "wb") as log:
        machine = subprocess.Popen(["timeout", f"{minutes}m", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        for line in machine.stdout:
            log.write(line)
            log.flush()
            sys.stdout.write(line.decode(errors="replace").replace("\r", ""))
            sys.stdout.flush()
            if ended := re.match(rb"ended: (\d+)", line):
                code = int(ended[1])
        machine.wait()
    return code


def main():
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    binary, work, arguments = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), sys.argv[3:]
    work.mkdir(parents=True, exist_ok=True)
    seconds = float(arguments[arguments.index("--seconds") + 1]) if "--seconds" in arguments else 20
    code = boot(work, make_image(binary, work, arguments), round(seconds / 60) + MINUTES_MAX_BESIDE)
    if code is None:
        sys.exit(f"the machine did not come to the end of the test: see {work}/nfs-console.log")
    sys.exit(code)


if __name__ == "__main__":
    main()
