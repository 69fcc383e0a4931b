#!/usr/bin/env python3
"""Loads a set made by `helios demo --out --expect` into a running server, asks what its expected answers
know, and says for each query whether the answer is exact and how long it took. Standard library only.

  ask.py --url http://127.0.0.1:7300 --file set.ndjson --expect set.json [--pid PID] [--data DIR] [--runs 5] [--no-load]

Ends with status 1 if an answer is not exact.
"""
import argparse
import http.client
import json
import queue
import statistics
import sys
import threading
import time
import urllib.parse

from measure import bytes_below, cpu_seconds, peak_mib
from servers import rfc3339, to_ms


class Server:
    """One connection that is kept open."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=600)

    def get(self, path, **params):
        self.connection.request("GET", f"{path}?{urllib.parse.urlencode(params)}")
        reply = self.connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise SystemExit(f"error: {path} {params} answered {reply.status}: {body[:300].decode(errors='replace')}")
        answer = json.loads(body)
        if answer.get("partial"):
            raise SystemExit(f"error: a partial answer: {answer.get('warnings')}")
        return answer

    def post(self, path, body):
        """Sends until the server takes it. A full queue (429) and a full disk (503) ask for a pause."""
        while True:
            self.connection.request("POST", path, body=body)
            reply = self.connection.getresponse()
            answer = reply.read()
            if reply.status == 200:
                return json.loads(answer)
            if reply.status not in (429, 503):
                raise SystemExit(f"error: {path} answered {reply.status}: {answer[:300].decode(errors='replace')}")
            time.sleep(float(reply.headers.get("Retry-After", 1)))


def batches(path, size):
    """Pieces of whole lines of about `size` bytes."""
    with open(path, "rb") as file:
        while piece := file.read(size):
            yield piece + (file.readline() if not piece.endswith(b"\n") else b"")


def load(url, path, connections, size):
    """Sends the file over several connections; gives the number of lines that were acknowledged."""
    waiting = queue.Queue(connections)
    acknowledged = []
    failures = []

    def send():
        server = Server(url)
        while (piece := waiting.get()) is not None:
            if failures:
                continue
            try:
                answer = server.post("/api/ingest", piece)
                acknowledged.append(answer["ingested"])
                if answer["errors"]:
                    failures.append(f"{answer['errors']} lines refused: {answer['error_details'][:3]}")
            except (SystemExit, OSError, http.client.HTTPException) as error:
                failures.append(str(error))

    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for piece in batches(path, size):
        waiting.put(piece)
    for _ in threads:
        waiting.put(None)
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"error: {failures[0]}")
    return sum(acknowledged)


class Questions:
    """Each method gives what the server answers and what is expected."""

    def __init__(self, server, expect):
        self.server = server
        self.expect = expect

    def total(self, query):
        return self.server.get("/api/search", q=query, limit=0)["total"]

    def rows(self, query, **params):
        return self.server.get("/api/search", q=query, limit=0, **params)["table"]["rows"]

    def times(self, window):
        answer = self.server.get("/api/search", q=window["query"], limit=len(window["times_ms"]),
                                 start=rfc3339(window["start_ms"]), end=rfc3339(window["end_ms"]), count="none")
        return [to_ms(hit["timestamp"]) for hit in answer["hits"]], window["times_ms"]

    def needle(self):
        return self.total(self.expect["needle"]["query"]), self.expect["needle"]["count"]

    def phrase(self):
        return self.total(self.expect["phrase"]["query"]), self.expect["phrase"]["count"]

    def substring(self):
        return self.total(self.expect["substring"]["query"]), self.expect["substring"]["count"]

    def regex(self):
        return self.total(self.expect["slow"]["query"]), self.expect["slow"]["count"]

    def level_error(self):
        return self.total("level:error"), self.expect["levels"].get("error", 0)

    def by_level(self):
        return {level: count for level, count in self.rows("level:* | stats count by level")}, self.expect["levels"]

    def by_service(self):
        expected = dict(self.expect["services"])
        expected[None] = self.expect["lines_without_service"]
        return {service: count for service, count in self.rows("* | stats count by service")}, expected

    def p95_by_service(self):
        rows = self.rows("http.status:>=500 | stats p95(latency_ms) by service")
        return dict(rows), self.expect["p95_latency_ms_from_500"]

    def timeline(self):
        timeline = self.expect["timeline"]
        rows = self.rows(f"* | timechart span={timeline['span']} count",
                         start=rfc3339(timeline["start_ms"]), end=rfc3339(self.expect["end_ms"]))
        return [count for _, count in rows], timeline["counts"]

    def top_paths(self):
        expected = [tuple(row) for row in self.expect["top_paths"]]
        got = [(row[0], row[1]) for row in self.rows("http.path:* | top 10 http.path")]
        # Among paths of equal count any order is right, and at the end any of them.
        last = expected[-1][1]
        sure = lambda rows: ([count for _, count in rows], sorted(row for row in rows if row[1] > last))
        return sure(got), sure(expected)

    def distinct_users(self):
        return self.rows("* | stats dc(user)")[0][0], self.expect["distinct_users"]

    def traces(self):
        traces = self.expect["traces"]
        return [self.total(f"trace_id:{trace['id']}") for trace in traces], [trace["lines"] for trace in traces]

    def window(self):
        return self.times(self.expect["window"])

    def latest(self):
        return self.times(self.expect["latest"])


NAMES = ["needle", "phrase", "substring", "regex", "level_error", "by_level", "by_service", "p95_by_service", "timeline",
         "top_paths", "distinct_users", "traces", "window", "latest"]


def ask(server, expect, runs, pid):
    """Asks every question `runs` times; gives the names of those whose answer is not exact."""
    questions = Questions(server, expect)
    wrong = []
    print(f"{'query':16}{'first ms':>10}{'median ms':>11}{'cpu ms':>9}  answer")
    for name in NAMES:
        times = []
        before = 0
        for run in range(runs + 1):
            if run == 1:
                before = cpu_seconds(pid) if pid else 0
            begin = time.perf_counter()
            got, expected = getattr(questions, name)()
            times.append((time.perf_counter() - begin) * 1000)
        cpu = (cpu_seconds(pid) - before) * 1000 / runs if pid and runs else float("nan")
        exact = got == expected
        if not exact:
            wrong.append(name)
        said = "exact" if exact else f"NOT EXACT: {str(got)[:120]}, expected {str(expected)[:120]}"
        print(f"{name:16}{times[0]:10.1f}{statistics.median(times[1:] or times):11.1f}{cpu:9.1f}  {said}", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:7300")
    parser.add_argument("--file", required=True)
    parser.add_argument("--expect", required=True)
    parser.add_argument("--pid", type=int, help="the server's process, to measure its CPU time and memory")
    parser.add_argument("--data", help="the server's data directory, to measure its size")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--batch-bytes", type=int, default=4 << 20)
    parser.add_argument("--no-load", action="store_true", help="the set is in the server already")
    args = parser.parse_args()
    with open(args.expect, encoding="utf-8") as file:
        expect = json.load(file)
    server = Server(args.url)
    if not args.no_load:
        before = cpu_seconds(args.pid) if args.pid else 0
        begin = time.perf_counter()
        lines = load(args.url, args.file, args.connections, args.batch_bytes)
        wall = time.perf_counter() - begin
        cpu = f", {cpu_seconds(args.pid) - before:.1f} CPU s" if args.pid else ""
        print(f"ingest: {lines} lines, {expect['bytes'] / 1048576:.0f} MiB in {wall:.1f} s{cpu}")
        if lines != expect["lines"]:
            raise SystemExit(f"error: {lines} lines acknowledged, {expect['lines']} sent")
    total = server.get("/api/search", q="*", limit=0)["total"]
    print(f"count: {total} {'exact' if total == expect['lines'] else 'NOT EXACT, expected ' + str(expect['lines'])}")
    wrong = ask(server, expect, args.runs, args.pid) + (["count"] if total != expect["lines"] else [])
    if args.data:
        used = bytes_below(args.data)
        print(f"on disk: {used / 1048576:.1f} MiB with the log, ratio {expect['bytes'] / used:.2f}")
    if args.pid:
        print(f"peak memory: {peak_mib(args.pid):.0f} MiB")
    if wrong:
        print(f"not exact: {', '.join(wrong)}", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
