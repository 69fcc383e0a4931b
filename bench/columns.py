"""The same data and questions in an embedded column store, DuckDB or ClickHouse (chdb), as bare columns.

A process of its own, so that its CPU time and memory are its own: reads commands as lines of JSON and answers each
with one. compare.py starts it; both stores come from PyPI.

  columns.py duckdb|chdb DB PLAN THREADS
"""
import json
import os
import re
import sys
import time

import measure
import plan as plans

# Lines from which the columns are told.
SAMPLE_LINES = 50_000
# A text column with fewer different values in the sample gets a dictionary in ClickHouse.
DICTIONARY_VALUES = 1_000
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


class Shape:
    """What a field holds, told from a sample: members of an object, or one kind of value."""

    def __init__(self):
        self.members, self.kinds, self.values = {}, set(), set()

    def see(self, value):
        if isinstance(value, dict):
            for key, member in value.items():
                self.members.setdefault(key, Shape()).see(member)
        elif isinstance(value, bool) or not isinstance(value, (int, float, str)):
            self.kinds.add("text")
        else:
            self.kinds.add({int: "integer", float: "float", str: "text"}[type(value)])
            if len(self.values) < DICTIONARY_VALUES:
                self.values.add(value)

    def kind(self):
        if "text" in self.kinds:
            return "text"
        return "float" if "float" in self.kinds else "integer"


def shape_of(path):
    shape = Shape()
    with open(path, encoding="utf-8", errors="replace") as file:
        for _, line in zip(range(SAMPLE_LINES), file):
            shape.see(json.loads(line))
    return shape


class Duck:
    def __init__(self, folder, threads):
        import duckdb

        self.version = f"DuckDB {duckdb.__version__}"
        self.connection = duckdb.connect(folder)
        self.connection.execute(f"set threads={threads}; set timezone='UTC'")

    def run(self, text):
        return self.connection.execute(text).fetchall()

    def type(self, shape):
        if shape.members:
            return "STRUCT(" + ", ".join(f'"{name}" {self.type(member)}' for name, member in shape.members.items()) + ")"
        return {"text": "VARCHAR", "integer": "BIGINT", "float": "DOUBLE"}[shape.kind()]

    def load(self, path, plan, first):
        shape = shape_of(path) if first else self.shape
        self.shape = shape
        spec = ", ".join(f"'{name}': '{self.type(member)}'" for name, member in shape.members.items())
        source = f"read_json('{path}', format='newline_delimited', columns={{{spec}}})"
        rest = [name for name in shape.members if name not in plan["time"] + plan["message"]]
        pick = lambda names: "coalesce(" + ", ".join(f'"{n}"' for n in names if n in shape.members) + ")"
        columns = ", ".join([f"{pick(plan['time'])}::TIMESTAMP as event_time", f"{pick(plan['message'])} as message"]
                            + [f'"{name}"' for name in rest])
        into = "create table logs as" if first else "insert into logs"
        self.run(f"{into} select {columns} from {source}")
        self.run("checkpoint")

    def has(self, field):
        return f"{field} is not null"

    def millis(self):
        return "epoch_ms(event_time)"

    def time(self, ms):
        return f"make_timestamp({ms * 1000})"

    def p95(self, field):
        return f"quantile_disc({field}, 0.95)"

    def matches(self, regex):
        return f"regexp_matches(message, '{regex}')"


class Click:
    def __init__(self, folder, threads):
        import chdb
        from chdb import session

        self.session = session.Session(folder)
        self.session.query(f"set max_threads={threads}")
        self.version = "ClickHouse " + str(self.session.query("select version()")).strip().strip('"')
        self.version += f" (chdb {chdb.__version__})"

    def run(self, text):
        return [json.loads(line) for line in str(self.session.query(text, "JSONCompactEachRow")).splitlines()]

    def type(self, shape):
        if shape.members:
            return "Tuple(" + ", ".join(f"`{name}` {self.type(member)}" for name, member in shape.members.items()) + ")"
        if shape.kind() == "text":
            return "LowCardinality(String)" if len(shape.values) < DICTIONARY_VALUES else "String"
        return {"integer": "Int64", "float": "Float64"}[shape.kind()]

    def load(self, path, plan, first):
        if first:
            self.shape = shape_of(path)
            self.session.query("create database if not exists b")
        members = self.shape.members
        rest = [name for name in members if name not in plan["time"] + plan["message"]]
        if first:
            columns = ", ".join(f"`{name}` {self.type(members[name])}" for name in rest)
            self.session.query(
                f"create table b.logs (event_time DateTime64(3, 'UTC'), message String, {columns}) engine=MergeTree"
                " partition by toDate(event_time) order by event_time settings allow_suspicious_low_cardinality_types=1")
        structure = ", ".join(f"`{name}` {self.type(member) if member.members else {'text': 'String', 'integer': 'Int64', 'float': 'Float64'}[member.kind()]}"
                              for name, member in members.items()).replace("'", "\\'")
        pick = lambda names: next(iter(n for n in names if n in members)) if sum(n in members for n in names) == 1 \
            else "if(" + ", ".join([f"`{names[0]}` != ''", f"`{names[0]}`", f"`{names[1]}`"]) + ")"
        fields = ", ".join(f"`{name}`" for name in rest)
        self.session.query(
            f"insert into b.logs select parseDateTime64BestEffort({pick(plan['time'])}, 3, 'UTC'), {pick(plan['message'])}, {fields}"
            f" from file('{path}', JSONEachRow, '{structure}') settings input_format_skip_unknown_fields=1")
        self.session.query("optimize table b.logs final")

    def has(self, field):
        return f"{field} != ''"

    def millis(self):
        return "toUnixTimestamp64Milli(event_time)"

    def time(self, ms):
        return f"fromUnixTimestamp64Milli({ms}, 'UTC')"

    def p95(self, field):
        return f"quantileExactLow(0.95)({field})"

    def matches(self, regex):
        return f"match(message, '{regex}')"


def where(engine, q):
    if "regex" in q:
        return engine.matches(q["regex"])
    if "value" in q:
        return f"{q['field']} = '{q['value']}'"
    return f"{q.get('field', 'message')} like '%{q['text']}%'"


def ask(engine, table, q):
    kind, run = q["kind"], engine.run
    if kind == "rows":
        return len(run(f"select * from {table} where {where(engine, q)}"))
    if kind == "count":
        return run(f"select count(*) from {table} where {where(engine, q)}")[0][0]
    if kind == "by":
        field = q["field"]
        return {value: int(n) for value, n in run(f"select {field}, count(*) from {table} where {engine.has(field)} group by {field}")}
    if kind == "p95":
        rows = run(f"select {q['by']}, {engine.p95(q['value'])} from {table} where {q['field']} >= {q['from']} group by {q['by']}")
        return {value: float(p95) for value, p95 in rows}
    if kind == "chart":
        bucket = f"{engine.millis()} // {q['span_s'] * 1000}" if isinstance(engine, Duck) else f"intDiv({engine.millis()}, {q['span_s'] * 1000})"
        counts = {int(number): int(n) for number, n in run(f"select {bucket} as b, count(*) from {table} group by b")}
        first = q["start_ms"] // (q["span_s"] * 1000)
        return [counts.get(first + number, 0) for number in range(len(q["expect"]))]
    if kind == "top":
        field = q["field"]
        rows = run(f"select {field} as f, count(*) as c from {table} where {engine.has(field)} group by f order by c desc limit {q['n']}")
        return [[value, int(n)] for value, n in rows]
    if kind == "distinct":
        return int(run(f"select count(distinct {q['field']}) from {table} where {engine.has(q['field'])}")[0][0])
    window = f"event_time >= {engine.time(q['start_ms'])} and event_time < {engine.time(q['end_ms'])}"
    rows = run(f"select {engine.millis()}, * from {table} where {where(engine, q)} and {window} order by event_time desc limit {q['n']}")
    return [int(row[0]) for row in rows]


def main():
    kind, folder, plan_file, threads = sys.argv[1:]
    with open(plan_file, encoding="utf-8") as file:
        plan = json.load(file)
    engine = (Duck if kind == "duckdb" else Click)(folder, threads)
    table = "logs" if kind == "duckdb" else "b.logs"
    questions = {q["name"]: q for q in plan["questions"]}
    own = os.getpid()
    print(json.dumps({"version": engine.version}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        begin, cpu = time.perf_counter(), measure.cpu_seconds(own)
        answer = {}
        if command["do"] == "load":
            engine.load(command["file"], plan, command["first"])
        elif command["do"] == "count":
            answer["got"] = int(engine.run(f"select count(*) from {table}")[0][0])
        else:
            q = questions[command["name"]]
            got = ask(engine, table, q)
            answer["ms"] = (time.perf_counter() - begin) * 1000
            answer["exact"] = plans.is_exact(q, got)
            answer["said"] = "" if answer["exact"] else str(got)[:200]
        answer |= {"wall_s": time.perf_counter() - begin, "cpu_s": measure.cpu_seconds(own) - cpu}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
