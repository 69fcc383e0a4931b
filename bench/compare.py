#!/usr/bin/env python3
"""Measures HeliosLogs beside DuckDB, ClickHouse (chdb), ripgrep, zstd and, where its binary is given, VictoriaLogs:
the same set, the same questions, one run after the other on the same machine. Checks every answer. Prints Markdown.

  compare.py [--bytes 1073741824] [--seed 42] [--out DIR] [--helios BIN] [--victorialogs BIN] [--only helios,duckdb,…]
  compare.py --file SET.ndjson --plan PLAN.json …        a set of your own; plan.py says what a plan is

For each engine: 99 % of the set is loaded, the aggregates are asked, the last 1 % is loaded, the aggregates are asked
again; then every question is asked for the first time after a start, --runs times warm, and cold: after a start with
none of its files in the page cache. CPU seconds and memory are those of the engine's process; bytes read are what it had
fetched from the disk from its start to the answer of the cold question. Linux. The column stores come from PyPI into --venv. Ends with status 1 if
an answer of HeliosLogs is not exact.
"""
import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import measure
import plan as plans
from servers import Helios, VictoriaLogs

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINES = ["helios", "victorialogs", "duckdb", "chdb", "ripgrep", "zstd"]


class Columns:
    """An embedded store in a process of its own."""

    def __init__(self, kind, python, folder, plan_file, threads):
        self.name = {"duckdb": "DuckDB", "chdb": "ClickHouse"}[kind]
        self.folder = folder
        self.command = [python, os.path.join(HERE, "columns.py"), kind, folder, plan_file, str(threads)]
        self.process = None

    def start(self):
        begin = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = json.loads(self.process.stdout.readline())
        return time.monotonic() - begin

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None

    @property
    def pid(self):
        return self.process.pid

    def version(self):
        return self.said["version"].split(" ", 1)[1]

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"error: {self.name} ended")
        return json.loads(line)


def ask(engine, q):
    """Wall ms, CPU ms, whether the answer is exact, and what was said if not."""
    if isinstance(engine, Columns):
        answer = engine.tell(do="ask", name=q["name"])
        return answer["ms"], answer["cpu_s"] * 1000, answer["exact"], answer["said"]
    cpu, begin = measure.cpu_seconds(engine.pid), time.perf_counter()
    got = engine.ask(q)
    wall = (time.perf_counter() - begin) * 1000
    exact = plans.is_exact(q, got)
    return wall, (measure.cpu_seconds(engine.pid) - cpu) * 1000, exact, "" if exact else str(got)[:200]


def load(engine, path, first, quiet_s):
    """Wall and CPU seconds until it is all acknowledged, and CPU seconds until nothing is left to do."""
    if isinstance(engine, Columns):
        answer = engine.tell(do="load", file=path, first=first)
        return answer["wall_s"], answer["cpu_s"], answer["cpu_s"]
    cpu, begin = measure.cpu_seconds(engine.pid), time.perf_counter()
    engine.load(path)
    wall, taken = time.perf_counter() - begin, measure.cpu_seconds(engine.pid) - cpu
    measure.settle(engine.pid, engine.folder, quiet_s)
    return wall, taken, measure.cpu_seconds(engine.pid) - cpu


def run(engine, plan, parts, args):
    """All that is measured of one engine."""
    questions = plan["questions"]
    aggregates = [q for q in questions if q["kind"] in plans.AGGREGATES]
    result = {"queries": {q["name"]: {} for q in questions}, "wrong": []}
    engine.start()
    result["version"] = engine.version()
    most = load(engine, parts[0], True, args.quiet)
    result["peak_mib"] = measure.peak_mib(engine.pid)
    for q in aggregates:
        wall, cpu, *_ = ask(engine, q)
        result["queries"][q["name"]] |= {"before_ms": wall, "before_cpu_ms": cpu}
    rest = load(engine, parts[1], False, args.quiet)
    for q in aggregates:
        wall, cpu, exact, said = ask(engine, q)
        result["queries"][q["name"]] |= {"again_ms": wall, "again_cpu_ms": cpu}
        if not exact:
            result["wrong"].append(f"{q['name']}, after more data: {said}")
    result["wall_s"], result["cpu_s"], result["settled_cpu_s"] = (a + b for a, b in zip(most, rest))
    engine.stop()
    result["bytes"] = measure.bytes_below(engine.folder)
    result["start_s"] = start_to_count(engine, plan, result)
    for q in questions:
        note(engine, q, result, args)
    result["peak_asked_mib"] = measure.peak_mib(engine.pid)
    engine.stop()
    for q in questions:
        measure.drop_pages(engine.folder, args.drop_caches)
        engine.start()
        wall, *_ = ask(engine, q)
        result["queries"][q["name"]] |= {"cold_ms": wall, "cold_bytes": measure.disk_reads(engine.pid)}
        engine.stop()
    return result


def start_to_count(engine, plan, result):
    """Seconds from starting the process to a count of all events."""
    begin = time.monotonic()
    engine.start()
    total = engine.tell(do="count")["got"] if isinstance(engine, Columns) else engine.count_all()
    seconds = time.monotonic() - begin
    if total != plan["lines"]:
        result["wrong"].append(f"count of all: {total} of {plan['lines']}")
    return seconds


def note(engine, q, result, args):
    row = result["queries"][q["name"]]
    first, _, exact, said = ask(engine, q)
    runs = [ask(engine, q) for _ in range(args.runs)]
    row |= {"first_ms": first, "warm_ms": statistics.median(wall for wall, *_ in runs),
            "warm_cpu_ms": statistics.fmean(cpu for _, cpu, *_ in runs)}
    if not exact or not all(exact for _, _, exact, _ in runs):
        result["wrong"].append(f"{q['name']}: {said}")
        row["wrong"] = True


def ripgrep(plan, path, args):
    """Lines that hold a text or fit a regular expression, counted in the set itself."""
    result = {"queries": {}, "wrong": [], "version": version_of("rg", 1)}
    for q in plan["questions"]:
        if "regex" in q:
            options = ["-e", q["regex"]]
        elif "text" in q:
            options = ["-F", "-e", q["text"]]
        elif q["kind"] in ("rows", "count"):
            options = ["-F", "-e", f'"{q["field"].split(".")[-1]}":"{q["value"]}"']
        else:
            continue
        times = []
        for _ in range(args.runs):
            before, begin = children_cpu_seconds(), time.perf_counter()
            out = subprocess.run(["rg", "-c", "-j", str(args.threads), *options, path], capture_output=True, text=True).stdout
            wall = (time.perf_counter() - begin) * 1000
            times.append((wall, (children_cpu_seconds() - before) * 1000))
        if int(out or 0) != q["expect"]:
            result["wrong"].append(f"{q['name']}: {out.strip()}")
        result["queries"][q["name"]] = {"warm_ms": statistics.median(wall for wall, _ in times),
                                        "warm_cpu_ms": statistics.fmean(cpu for _, cpu in times)}
    return result


def zstd(path, level):
    before, begin = children_cpu_seconds(), time.perf_counter()
    packer = subprocess.Popen(["zstd", f"-{level}", "-q", "-c", path], stdout=subprocess.PIPE)
    size = 0
    while piece := packer.stdout.read(1 << 20):
        size += len(piece)
    packer.wait()
    return {"bytes": size, "wall_s": time.perf_counter() - begin, "queries": {}, "wrong": [],
            "cpu_s": children_cpu_seconds() - before}


def children_cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def version_of(command, word):
    return subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.split()[word]


def split(path, folder):
    """The first 99 % of the lines and the rest, as two files."""
    size, parts = os.path.getsize(path), [os.path.join(folder, name) for name in ("most.ndjson", "rest.ndjson")]
    with open(path, "rb") as source:
        for part, upto in zip(parts, (size * 99 // 100, size)):
            with open(part, "wb") as out:
                while source.tell() < upto:
                    out.write(source.read(min(1 << 24, upto - source.tell())))
                    if source.tell() >= upto:
                        out.write(source.readline())
    return parts


def python_of(venv):
    """The interpreter of a virtual environment with the column stores in it, which is made if there is none."""
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "duckdb", "chdb"], check=True)
    return python


def figure(value, digits=1):
    if value is None:
        return "–"
    return f"{value:,.{digits}f}" if value < 100 else f"{value:,.0f}"


def best_other(results, get):
    values = [get(result) for name, result in results.items() if name != "HeliosLogs"]
    return min((value for value in values if value is not None), default=None)


def table(results, rows):
    """Markdown: a row for each (name, how to get the figure), the ratio of the best other to HeliosLogs last."""
    names = list(results)
    lines = [f"| | {' | '.join(names)} | best other ÷ HeliosLogs |", "|---" * (len(names) + 2) + "|"]
    for label, get, digits in rows:
        values = [get(results[name]) for name in names]
        own, other = get(results["HeliosLogs"]) if "HeliosLogs" in results else None, best_other(results, get)
        ratio = f"{other / own:.2f}" if own and other else "–"
        lines.append(f"| {label} | {' | '.join(figure(value, digits) for value in values)} | {ratio} |")
    return "\n".join(lines)


def report(plan, results, args):
    def of(key, scale=1):
        return lambda result: result[key] * scale if result.get(key) is not None else None

    def query(name, key):
        def get(result):
            row = result["queries"].get(name, {})
            return None if row.get("wrong") else row.get(key)
        return get

    whole = [
        ("ingest until acknowledged, wall s", of("wall_s"), 1), ("the same, CPU s", of("cpu_s"), 1),
        ("until nothing is left to do, CPU s", of("settled_cpu_s"), 1),
        ("bytes on disk, MiB", of("bytes", 1 / (1 << 20)), 1), ("peak memory in ingest, MiB", of("peak_mib"), 0),
        ("peak memory in queries, MiB", of("peak_asked_mib"), 0), ("start to full count, s", of("start_s"), 2),
    ]
    names = [q["name"] for q in plan["questions"]]
    asked = {name: result for name, result in results.items() if result["queries"]}
    stores = {name: result for name, result in asked.items() if name != "ripgrep"}
    aggregates = [q["name"] for q in plan["questions"] if q["kind"] in plans.AGGREGATES]
    versions = ", ".join(f"{name} {result['version']}" for name, result in results.items() if result.get("version"))
    print(f"{plan['lines']:,} lines, {plan['bytes'] / (1 << 20):,.0f} MiB; {versions}; {args.threads} of {os.cpu_count()} cores of "
          f"{platform.machine()}; load average at the begin {args.load:.1f}\n")
    print(table(results, whole))
    if "HeliosLogs" in results:
        ratios = ", ".join(f"{name} {plan['bytes'] / result['bytes']:.2f}" for name, result in results.items() if result.get("bytes"))
        print(f"\nThe set by the bytes on disk: {ratios}.")
    for title, key, within in (("Warm, wall ms (median)", "warm_ms", asked), ("Warm, CPU ms", "warm_cpu_ms", asked),
                               ("First time after a start, wall ms", "first_ms", stores),
                               ("Cold, wall ms", "cold_ms", stores), ("Cold, KiB read from the disk", "cold_bytes", stores)):
        scale = (lambda get: lambda r: None if get(r) is None else get(r) / 1024) if key == "cold_bytes" else (lambda get: get)
        print(f"\n{title}:\n\n{table(within, [(name, scale(query(name, key)), 1) for name in names])}")
    for title, key in (("wall", "ms"), ("CPU", "cpu_ms")):
        rows = [(f"{name}, {when}", query(name, f"{part}_{key}"), 1) for name in aggregates
                for when, part in (("first", "before"), ("again after 1 % more", "again"))]
        print(f"\nAggregates, {title} ms, when 99 % of the set are in, and again when the rest is:\n\n{table(stores, rows)}")
    for name, result in results.items():
        for wrong in result["wrong"]:
            print(f"\nNot exact, {name}: {wrong}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--file", help="a set of your own")
    parser.add_argument("--plan", help="its questions")
    parser.add_argument("--out", help="where everything is put; else a temporary folder that goes afterwards")
    parser.add_argument("--helios", default=os.environ.get("HELIOS_BIN", os.path.join(HERE, "../target/release/helios")))
    parser.add_argument("--victorialogs", default=shutil.which("victoria-logs-prod") or shutil.which("victoria-logs"))
    parser.add_argument("--venv", help="a virtual environment with duckdb and chdb; made if there is none")
    parser.add_argument("--only", default=",".join(ENGINES))
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quiet", type=float, default=10, help="seconds without work after which a server is settled")
    parser.add_argument("--drop-caches", action="store_true", help="drop the whole page cache for cold figures, not only the engine's files")
    parser.add_argument("--port", type=int, default=7392)
    parser.add_argument("--json", help="where the figures are written as JSON")
    args = parser.parse_args()
    args.load = os.getloadavg()[0]
    if bool(args.file) != bool(args.plan):
        parser.error("--file and --plan belong together")
    folder = args.out or tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    try:
        results, plan = compare(args, folder)
    finally:
        if not args.out:
            shutil.rmtree(folder)
    report(plan, results, args)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"plan": plan, "results": results}, file, indent=1)
    if results.get("HeliosLogs", {}).get("wrong"):
        raise SystemExit(1)


def compare(args, folder):
    path, plan = prepare(args, folder)
    plan_file = os.path.join(folder, "plan.json")
    with open(plan_file, "w", encoding="utf-8") as file:
        json.dump(plan, file)
    parts = split(path, folder)
    wanted, results = args.only.split(","), {}
    for kind in ENGINES:
        if kind not in wanted:
            continue
        data = os.path.join(folder, kind)
        shutil.rmtree(data, ignore_errors=True)
        if os.path.exists(data):
            os.remove(data)
        print(f"{kind}…", file=sys.stderr, flush=True)
        if kind in ("duckdb", "chdb"):
            python = python_of(args.venv or os.path.join(folder, "venv"))
            engine = Columns(kind, python, data, plan_file, args.threads)
        elif kind == "helios":
            engine = Helios(args.helios, data, args.port, plan)
        elif kind == "victorialogs" and args.victorialogs:
            engine = VictoriaLogs(args.victorialogs, data, args.port, plan)
        else:
            if kind == "ripgrep" and shutil.which("rg"):
                results["ripgrep"] = ripgrep(plan, path, args)
            elif kind == "zstd" and shutil.which("zstd"):
                results["zstd -3"] = zstd(path, 3)
            continue
        try:
            results[engine.name] = run(engine, plan, parts, args)
        finally:
            engine.stop()
    return results, plan


def prepare(args, folder):
    """The set and its plan."""
    if args.file:
        with open(args.plan, encoding="utf-8") as file:
            return args.file, json.load(file)
    path, expect = (os.path.join(folder, f"set-{args.bytes}-{args.seed}.{ending}") for ending in ("ndjson", "json"))
    if not os.path.exists(expect):
        subprocess.run([args.helios, "demo", "--bytes", str(args.bytes), "--seed", str(args.seed), "--end", "2026-01-31",
                        "--out", path, "--expect", expect], check=True, stdout=sys.stderr)
    with open(expect, encoding="utf-8") as file:
        return path, plans.of_demo(json.load(file))


if __name__ == "__main__":
    main()
