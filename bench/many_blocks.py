#!/usr/bin/env python3
"""What very many blocks cost besides their events: a data directory whose manifest names blocks that are made up.

  many_blocks.py [--blocks 100000] [--days 10] [--helios BIN] [--runs 20]

Prints how long a start takes, the resident memory for each block, and how long queries take that only plan: counts whose
windows begin and end between blocks are answered by the manifest, so no block is opened (there is nothing in them).
"""
import argparse
import datetime
import hashlib
import json
import os
import shutil
import statistics
import tempfile
import time

import measure
from servers import Helios, rfc3339

HERE = os.path.dirname(os.path.abspath(__file__))
DAY_MS = 86_400_000
FIRST_DAY = datetime.date(2025, 1, 1)
ROWS = 131_072
PAGE_BLOCKS = 512
ORIGIN = "00000000000000a7"


def entry(number, min_ms, max_ms):
    return {"id": f"{number:032x}", "sha256": "0" * 64, "bytes": 3_000_000, "rows": ROWS, "min_time": min_ms * 1_000_000,
            "max_time": max_ms * 1_000_000, "raw_bytes": 40_000_000, "upto": {ORIGIN: (number + 1) * ROWS}}


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def make(root, blocks, days):
    """Writes the directory; gives the milliseconds at which each day begins, and those between two blocks."""
    each = blocks // days
    step = DAY_MS // each
    for day in range(days):
        date = FIRST_DAY + datetime.timedelta(days=day)
        begin = day_ms(day)
        folder = os.path.join(root, "default", "made", date.isoformat())
        for part in ("manifest", "pages", "blocks"):
            os.makedirs(os.path.join(folder, part))
        entries = [entry(day * each + number, begin + number * step, begin + (number + 1) * step - 1) for number in range(each)]
        for made in entries:
            open(os.path.join(folder, "blocks", f"{made['id']}.hb"), "wb").close()
        pages, paged = [], max(0, (each // PAGE_BLOCKS - 1) * PAGE_BLOCKS)
        for first in range(0, paged, PAGE_BLOCKS):
            body = compact({"format": 1, "blocks": entries[first:first + PAGE_BLOCKS]})
            digest = hashlib.sha256(body).hexdigest()
            with open(os.path.join(folder, "pages", f"{digest}.json"), "wb") as file:
                file.write(body)
            pages.append({"sha256": digest, "blocks": PAGE_BLOCKS})
        generation = {"format": 1, "generation": 1, "previous": "", "commit": "made", "written": 0, "floor": 1, "from": {},
                      "pages": pages, "tail": entries[paged:], "flushed": entries[-1]["upto"], "lost": []}
        with open(os.path.join(folder, "manifest", f"{1:020}.json"), "wb") as file:
            file.write(compact(generation))
    return each, step


def day_ms(day):
    date = FIRST_DAY + datetime.timedelta(days=day)
    return int(datetime.datetime(date.year, date.month, date.day, tzinfo=datetime.timezone.utc).timestamp() * 1000)


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def started(args, root):
    """A server on the directory: itself, seconds to the start, KiB that are resident."""
    server = Helios(args.helios, root, args.port, {})
    seconds = server.start()
    return server, seconds, resident_kib(server.pid)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--helios", default=os.environ.get("HELIOS_BIN", os.path.join(HERE, "../target/release/helios")))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--port", type=int, default=7394)
    args = parser.parse_args()
    folder, server = tempfile.mkdtemp(), None
    try:
        os.makedirs(os.path.join(folder, "empty"))
        server, _, empty_kib = started(args, os.path.join(folder, "empty"))
        server.stop()
        root = os.path.join(folder, "data")
        each, step = make(root, args.blocks, args.days)
        blocks = each * args.days
        server, seconds, kib = started(args, root)
        print(f"{blocks:,} blocks in {args.days} days")
        print(f"start: {seconds:.2f} s, {measure.cpu_seconds(server.pid):.2f} CPU s; "
              f"memory: {(kib - empty_kib) * 1024 / blocks:.0f} bytes a block over an empty server's {empty_kib / 1024:.0f} MiB")
        middle = day_ms(args.days // 2) + each // 2 * step
        quarter = max(1, 900_000 // step) * step
        for name, window, count in (
            ("all time", {}, blocks),
            ("one day", {"start": day_ms(args.days - 1), "end": day_ms(args.days)}, each),
            ("a quarter of an hour", {"start": middle, "end": middle + quarter}, quarter // step),
        ):
            window = {key: rfc3339(ms) for key, ms in window.items()}
            walls, cpu = [], measure.cpu_seconds(server.pid)
            for _ in range(args.runs):
                begin = time.perf_counter()
                total = server.search("*", limit=0, **window)["total"]
                walls.append((time.perf_counter() - begin) * 1000)
            cpu = (measure.cpu_seconds(server.pid) - cpu) * 1000 / args.runs
            exact = "exact" if total == count * ROWS else f"NOT EXACT: {total} instead of {count * ROWS}"
            print(f"count over {name}: {statistics.median(walls):.1f} ms, CPU {cpu:.1f} ms, {count:,} blocks, {exact}")
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
