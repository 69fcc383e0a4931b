#!/usr/bin/env python3
"""Measures how small sets of real logs become: as a HeliosLogs block, in ClickHouse (chdb), in VictoriaLogs where
its binary is given, and by zstd. Prints Markdown.

  real_sets.py FOLDER [--least 1048576] [--block-size target/release/examples/block_size] [--venv DIR] [--victorialogs BIN]

Each file of the folder that is at least so long is a set: lines, JSON where the name has `json` in it; `.zst` is unpacked
first. HeliosLogs: one block with filters and all that belongs to it, made by `cargo build --release --example
block_size`. ClickHouse: a MergeTree table whose one column is the line, as a String and, where the lines are objects that it
takes, as JSON, which does not give the line back as it was sent; in the order of the file; after `optimize table … final`;
bytes are what `system.parts` says. ClickHouse comes from PyPI into --venv. VictoriaLogs: the whole line as the message, and,
where the lines are objects, their fields instead, which does not give the line back either; without stream fields; times are those at which the
lines came; all of its folder after a forced merge and a stop. zstd is the command. Ends with status 1 if a set is
smaller as one of the others.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import measure
from servers import VictoriaLogs

# What ClickHouse keeps a line in, with its codec, and the format that the file is read in.
TABLES = [
    ("ClickHouse String ZSTD(3)", "String codec(ZSTD(3))", "LineAsString"),
    ("ClickHouse String ZSTD(19)", "String codec(ZSTD(19))", "LineAsString"),
    ("ClickHouse JSON ZSTD(3)", "JSON codec(ZSTD(3))", "JSONAsObject"),
    ("ClickHouse JSON ZSTD(19)", "JSON codec(ZSTD(19))", "JSONAsObject"),
]


def clickhouse(path, folder, column, form):
    """Bytes of a table with a set as its only column. Runs where chdb is."""
    from chdb import session

    own = session.Session(folder)
    own.query("create database b")
    own.query(f"create table b.logs (raw {column}) engine=MergeTree order by tuple()")
    own.query(f"insert into b.logs select * from file('{path}', {form})")
    own.query("optimize table b.logs final")
    parts = "from system.parts where database = 'b' and active"
    rows, count, size = str(own.query(f"select sum(rows), count(), sum(bytes_on_disk) {parts}", "CSV")).split(",")
    with open(path, "rb") as file:
        lines = sum(1 for line in file if line.strip())
    if int(rows) != lines or int(count) != 1:
        raise SystemExit(f"{rows} rows in {count} parts, of {lines} lines")
    return int(size)


class Lines(VictoriaLogs):
    """VictoriaLogs, whose lines have no time that it could read. `plan`: what it is told about the fields."""

    def post(self, connection, piece):
        connection.request("POST", "/insert/jsonline", self.plan, piece)


def in_victorialogs(binary, path, as_fields, folder, port):
    """Bytes of its folder with a set; None if it does not take every line."""
    shutil.rmtree(folder, ignore_errors=True)
    sent, lines = f"{folder}.ndjson", 0
    with open(path, "rb") as source, open(sent, "w", encoding="utf-8") as out:
        for line in source:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if text.strip():
                lines += 1
                out.write((text if as_fields else json.dumps({"_msg": text})) + "\n")
    server = Lines(binary, folder, port, {"_msg_field": "message,msg,_msg"} if as_fields else {})
    try:
        server.start()
        server.load(sent, connections=1)
        begin, stored = time.monotonic(), 0
        while stored != lines and time.monotonic() - begin < 30:
            server.connection.request("GET", "/internal/force_flush")
            stored = server.count_all()
        if stored != lines:
            print(f"VictoriaLogs: {stored} of {lines} lines of {os.path.basename(path)}", file=sys.stderr)
            return None
        server.connection.request("GET", "/internal/force_merge")
        measure.settle(server.pid, folder, 2)
    finally:
        server.stop()
        os.remove(sent)
    size = measure.bytes_below(folder)
    shutil.rmtree(folder)
    return size


def python_of(venv):
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "chdb"], check=True)
    return python


def in_clickhouse(python, path, number):
    """In a process of its own, since a process has one such store; None if it does not take the set."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, os.path.abspath(__file__), "--one", str(number), "--folder", folder, path]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(f"{TABLES[number][0]}: {(done.stderr.strip() or '?').splitlines()[-1][:200]}", file=sys.stderr)
        return None
    return int(done.stdout)


def as_block(binary, path):
    kind = "json" if "json" in os.path.basename(path) else "text"
    said = subprocess.run([binary, path, kind, str(1 << 18)], check=True, stdout=subprocess.PIPE, text=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("compacted: "))
    return int(line.split()[1])


def by_zstd(path, level):
    made = subprocess.run(["zstd", "-qf", f"-{level}", "-c", path], check=True, stdout=subprocess.PIPE).stdout
    return len(made)


def unpacked(folder, into):
    """The sets of a folder as plain files, by name."""
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith(".zst"):
            plain = os.path.join(into, name.removesuffix(".zst"))
            subprocess.run(["zstd", "-dqf", path, "-o", plain], check=True)
            yield plain
        elif name.endswith(("json", ".log", ".txt")) and os.path.isfile(path):
            yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="a folder of sets")
    parser.add_argument("--least", type=int, default=1 << 20, help="length from which a set counts, in bytes")
    parser.add_argument("--block-size", default="target/release/examples/block_size", help="the example of that name")
    parser.add_argument("--venv", help="a virtual environment with chdb; made if there is none")
    parser.add_argument("--victorialogs", help="its binary")
    parser.add_argument("--port", type=int, default=7394)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        print(clickhouse(args.path, args.folder, *TABLES[args.one][1:]))
        return
    beaten = False
    with tempfile.TemporaryDirectory() as temp:
        python = python_of(args.venv or os.path.join(temp, "venv"))
        names = ["as sent", "HeliosLogs", "zstd -19"] + [name for name, *_ in TABLES]
        if args.victorialogs:
            names += ["VictoriaLogs lines", "VictoriaLogs fields"]
        names += ["best other ÷ HeliosLogs"]
        print(f"| bytes | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}", flush=True)
        for path in unpacked(args.path, temp):
            size = os.path.getsize(path)
            if size < args.least:
                continue
            ours = as_block(args.block_size, path)
            others = [by_zstd(path, 19)] + [in_clickhouse(python, path, number) for number in range(len(TABLES))]
            for as_fields in [False, True] if args.victorialogs else []:
                takes = not as_fields or "json" in os.path.basename(path)
                folder = os.path.join(temp, "victorialogs")
                others.append(in_victorialogs(args.victorialogs, path, as_fields, folder, args.port) if takes else None)
            best = min(other for other in others if other is not None)
            beaten |= best < ours
            figures = ["–" if figure is None else f"{figure:,}" for figure in [size, ours] + others]
            print(f"| {os.path.basename(path)} | {' | '.join(figures)} | {best / ours:.2f} |", flush=True)
    sys.exit(1 if beaten else 0)


if __name__ == "__main__":
    main()
