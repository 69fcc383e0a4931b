#!/usr/bin/env python3
"""How HeliosLogs grows: the same measurements on sets of several sizes, one after the other. Prints Markdown.

  growth.py [--gib 1,4,16] [--seed 42] [--out DIR] [--helios BIN] [--runs 9]

A set of 4 GiB is four sets of `helios demo` with seeds one after the other and days that follow each other, so that time
goes on as it does in production. Needs room for the largest set and a fifth of it; sets go when they are loaded. Ends
with status 1 if an answer is not exact.
"""
import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import measure
import plan as plans
from servers import Helios

HERE = os.path.dirname(os.path.abspath(__file__))
DAYS_OF_A_SET = 3
FIRST_END = datetime.date(2025, 1, 31)


def load_sets(server, args, gib, folder):
    """Loads the sets one by one; gives the plan of the last and how many lines all have."""
    lines, wall = 0, 0.0
    for number in range(gib):
        end = FIRST_END + datetime.timedelta(days=DAYS_OF_A_SET * number)
        path, expect = os.path.join(folder, "set.ndjson"), os.path.join(folder, "set.json")
        subprocess.run([args.helios, "demo", "--bytes", str(1 << 30), "--seed", str(args.seed + number), "--end", str(end),
                        "--out", path, "--expect", expect], check=True, stdout=subprocess.DEVNULL)
        begin = time.perf_counter()
        server.load(path)
        wall += time.perf_counter() - begin
        with open(expect, encoding="utf-8") as file:
            last = json.load(file)
        lines += last["lines"]
        os.remove(path)
    return plans.of_demo(last), lines, wall


def asked(server, q, runs):
    """Median wall and mean CPU milliseconds of a question, and its last answer."""
    walls, cpu = [], measure.cpu_seconds(server.pid)
    for _ in range(runs):
        begin = time.perf_counter()
        got = server.ask(q)
        walls.append((time.perf_counter() - begin) * 1000)
    return statistics.median(walls), (measure.cpu_seconds(server.pid) - cpu) * 1000 / runs, got


def measured(args, gib, folder):
    data = os.path.join(folder, "data")
    shutil.rmtree(data, ignore_errors=True)
    server = Helios(args.helios, data, args.port, {})
    wrong = []
    try:
        server.start()
        plan, lines, wall = load_sets(server, args, gib, folder)
        measure.settle(server.pid, data, args.quiet)
        row = {"ingest wall s/GiB": wall / gib, "ingest CPU s/GiB": measure.cpu_seconds(server.pid) / gib,
               "peak memory in ingest MiB": measure.peak_mib(server.pid)}
        server.stop()
        row["blocks MiB/GiB"] = measure.bytes_below(data) / gib / (1 << 20)
        begin = time.monotonic()
        server.start()
        total = server.count_all()
        row["start to full count s"] = time.monotonic() - begin
        row["memory after start MiB"] = measure.peak_mib(server.pid)
        if total != lines:
            wrong.append(f"{total} of {lines} lines")
        # The needle stands in each set; the latest rows are those of the last.
        named = {q["name"]: q for q in plan["questions"]}
        needle, latest = dict(named["needle"]), named["latest 200 info"]
        needle["expect"] = min(50, needle["expect"] * gib)
        for name, q in (("needle", needle), ("latest 200", latest), ("unique id", named["unique id"])):
            first, _, _ = asked(server, q, 1)
            warm, cpu, got = asked(server, q, args.runs)
            row |= {f"{name} first ms": first, f"{name} warm ms": warm, f"{name} CPU ms": cpu}
            if not plans.is_exact(q, got):
                wrong.append(f"{name}: {str(got)[:100]}")
        row["memory after queries MiB"] = measure.peak_mib(server.pid)
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)
    return row, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", default="1,4,16")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out")
    parser.add_argument("--helios", default=os.environ.get("HELIOS_BIN", os.path.join(HERE, "../target/release/helios")))
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--quiet", type=float, default=10)
    parser.add_argument("--port", type=int, default=7393)
    args = parser.parse_args()
    sizes, folder, rows, wrong = [int(size) for size in args.gib.split(",")], args.out or tempfile.mkdtemp(), [], []
    os.makedirs(folder, exist_ok=True)
    try:
        for gib in sizes:
            row, bad = measured(args, gib, folder)
            rows.append(row)
            wrong += [f"{gib} GiB: {what}" for what in bad]
            print(f"{gib} GiB: {json.dumps(row)}", file=sys.stderr, flush=True)
    finally:
        if not args.out:
            shutil.rmtree(folder)
    print(f"| | {' | '.join(f'{gib} GiB' for gib in sizes)} | largest ÷ smallest |")
    print("|---" * (len(sizes) + 2) + "|")
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} | {values[-1] / values[0]:.2f} |")
    for what in wrong:
        print(f"\nNot exact: {what}")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
