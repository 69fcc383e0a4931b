"""What is asked of every engine, in no engine's language, with the exact answers.

A plan is JSON:

  bytes, lines      of the set
  time, message     the names that a line's time and message may have, the first that is there counts
  questions         a list; each has a `name`, a `kind`, what the kind needs, and `expect`

  rows      whole rows with a text in the message (`text`) or a value in a field (`field`, `value`); their number
  count     as rows, or with a text inside a field (`field`, `text`), or a message that fits a `regex`; a number
  by        lines by the values of `field`, without those that have none; {value: number}
  p95       the value at rank ceil(0.95 n) of `value` by `by`, where `field` is at least `from`; {value: number}; with
            `near`, {value: [below, above]}, what lies between the neighbouring ranks is right too: definitions differ
  chart     lines in each `span_s` from `start_ms` on; numbers
  top       the `n` most frequent values of `field`; [[value, number]]
  distinct  how many values `field` has; a number
  latest    times in ms of the `n` newest with `field` = `value`, from `start_ms` to before `end_ms`; numbers

`plan.py EXPECT` prints the plan of a set that `helios demo --expect` described.
"""
import json
import sys

AGGREGATES = ("by", "p95", "chart", "top", "distinct")


def of_demo(expect):
    """The plan of a set whose answers `helios demo` wrote."""
    questions = [
        {"name": "needle", "kind": "rows", "text": expect["needle"]["query"], "expect": expect["needle"]["count"]},
        {"name": "phrase", "kind": "count", "text": expect["phrase"]["query"].strip('"'), "whole": True,
         "expect": expect["phrase"]["count"]},
        {"name": "substring in message", "kind": "count", "text": expect["substring"]["query"],
         "expect": expect["substring"]["count"]},
        {"name": "regex in message", "kind": "count", "regex": expect["slow"]["query"].split("/")[1],
         "expect": expect["slow"]["count"]},
        {"name": "level = error", "kind": "count", "field": "level", "value": "error",
         "expect": expect["levels"].get("error", 0)},
        {"name": "count by service", "kind": "by", "field": "service", "expect": expect["services"]},
        {"name": "p95 by service", "kind": "p95", "value": "latency_ms", "by": "service", "field": "http.status",
         "from": 500, "expect": expect["p95_latency_ms_from_500"]},
        {"name": "timechart 10 min", "kind": "chart", "span_s": 600, "start_ms": expect["timeline"]["start_ms"],
         "end_ms": expect["end_ms"], "expect": expect["timeline"]["counts"]},
        {"name": "top 10 paths", "kind": "top", "field": "http.path", "n": 10, "expect": expect["top_paths"]},
        {"name": "distinct users", "kind": "distinct", "field": "user", "expect": expect["distinct_users"]},
        {"name": "unique id", "kind": "rows", "field": "trace_id", "value": expect["traces"][0]["id"],
         "expect": expect["traces"][0]["lines"]},
    ]
    for name, key in (("latest 100 in 15 min", "window"), ("latest 200 info", "latest")):
        window = expect[key]
        field, value = window["query"].split(":")
        questions.append({"name": name, "kind": "latest", "field": field, "value": value,
                          "n": 100 if key == "window" else 200, "start_ms": window["start_ms"],
                          "end_ms": window["end_ms"], "expect": window["times_ms"]})
    return {"bytes": expect["bytes"], "lines": expect["lines"], "time": ["ts", "timestamp"],
            "message": ["msg", "message"], "questions": questions}


def is_exact(question, got):
    """Whether an answer is the expected one. Where ties leave a choice, any choice is right."""
    expect = question["expect"]
    if question["kind"] == "p95":
        near = question.get("near") or {key: [value, value] for key, value in expect.items()}
        return got.keys() == near.keys() and all(near[key][0] - 1e-6 <= got[key] <= near[key][1] + 1e-6 for key in got)
    if question["kind"] == "top":
        last = expect[-1][1] if expect else 0
        sure = lambda rows: ([row[1] for row in rows], sorted(tuple(row) for row in rows if row[1] > last))
        return sure(got) == sure(expect)
    return got == expect


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        json.dump(of_demo(json.load(file)), sys.stdout, indent=1)
