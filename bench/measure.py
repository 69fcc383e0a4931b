"""What a process, a folder and the page cache do: figures of Linux, read from /proc."""
import os
import time


def cpu_seconds(pid):
    """User and system time of a process with all its threads: its own clock, in nanoseconds."""
    return time.clock_gettime(((~pid) << 3) | 2)


def peak_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def forget_peak(pid):
    """Begins the peak of the resident memory anew."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def disk_reads(pid):
    """Bytes that the process had fetched from the disk, mapped files included."""
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("read_bytes"))


def files_below(path):
    if os.path.isfile(path):
        yield path
    for root, _, names in os.walk(path):
        yield from (os.path.join(root, name) for name in names)


def bytes_below(path):
    """Bytes of all files, by their length."""
    total = 0
    for name in files_below(path):
        try:
            total += os.lstat(name).st_size
        except FileNotFoundError:
            pass
    return total


def drop_pages(path, everything):
    """Takes the files below `path` out of the page cache; with `everything`, all there is in it (needs root)."""
    for name in files_below(path):
        try:
            file = os.open(name, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
    if everything:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("1")


def settle(pid, folder, quiet_s, limit_s=600):
    """Waits until a server neither changes its folder nor works. Returns how long that took."""
    begin = since = time.monotonic()
    before = None
    while time.monotonic() - begin < limit_s:
        now = (bytes_below(folder), cpu_seconds(pid))
        if before is None or now[0] != before[0] or now[1] - before[1] > 0.05:
            before, since = now, time.monotonic()
        if time.monotonic() - since >= quiet_s:
            return since - begin
        time.sleep(0.5)
    raise SystemExit(f"error: the server did not settle within {limit_s} s")
