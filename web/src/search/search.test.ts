import { describe, expect, it } from "vitest";
import type { Hit } from "../api/types";
import { matches } from "./Empty";
import { nextSort } from "./EventList";
import { fieldOf, levelOf, readLevel, tellingFields } from "./event";
import { IDLE, reduce } from "./useSearch";

const hit = (id: string, fields: Hit["fields"] = {}, message = "m"): Hit => ({ id, timestamp: "2026-06-14T10:00:00Z", env: "default", index: "x", source: null, message, raw: message, fields });

describe("levels", () => {
  it.each([["ERROR", "error"], ["Warning", "warn"], ["crit", "fatal"], ["notice", "info"], ["7", "none"], ["", "none"]])("%s is %s", (word, level) => expect(readLevel(word)).toBe(level));
  it("are found whatever the field's name and case", () => expect(levelOf(hit("a", { Severity: "Err" }))).toEqual({ level: "error", word: "Err" }));
  it("keep the event's own word", () => expect(levelOf(hit("b", { level: "NOTICE" })).word).toBe("NOTICE"));
});

describe("hits of a search", () => {
  const first = reduce(reduce(IDLE, { kind: "start", run: { number: 1, query: "", env: "", index: "", sort: "", window: null, endsNow: true } }), { kind: "hits", hits: [hit("1"), hit("2")] });
  it("of the run before stay until something of the next one comes", () => {
    const started = reduce(first, { kind: "start", run: { number: 2, query: "", env: "", index: "", sort: "", window: null, endsNow: true } });
    expect([started.hits.length, started.stale, started.shownRun]).toEqual([2, true, 1]);
    const next = reduce(started, { kind: "hits", hits: [hit("9")] });
    expect([next.hits.map((h) => h.id), next.stale, next.shownRun]).toEqual([["9"], false, 2]);
    expect(reduce(started, { kind: "failed", error: { code: "x", message: "y" } }).hits).toEqual([]);
    expect(reduce(started, { kind: "cancelled" }).hits).toEqual([]);
  });
  it("a page is put behind what is on screen", () => {
    const next = reduce(first, { kind: "page", hits: [hit("3")], cursor: null });
    expect(next.hits.map((h) => h.id)).toEqual(["1", "2", "3"]);
    expect(next.hits[0]).toBe(first.hits[0]);
  });
  it("an event that comes twice stands once", () => expect(reduce(first, { kind: "page", hits: [hit("2"), hit("3")], cursor: null }).hits).toHaveLength(3));
  it("a failure keeps the hits that came", () => expect(reduce(first, { kind: "failed", error: { code: "x", message: "y" } }).hits).toHaveLength(2));
  it("a cancel after the end changes nothing", () => {
    const done = reduce(first, { kind: "done", done: { total: 2, took_ms: 1, partial: false, warnings: [], cursor: null, stats: { blocks: 0, blocks_pruned: 0, bytes_read: 0, rows_scanned: 0 } } });
    expect(reduce(done, { kind: "cancelled" }).status).toBe("done");
  });
});

it("columns are own members or body fields, never inherited ones", () => {
  expect(fieldOf(hit("a", { x: 1 }), "message")).toBe("m");
  expect(fieldOf(hit("a", { index: "body" }), "fields.index")).toBe("body");
  expect(fieldOf(hit("a"), "constructor")).toBeUndefined();
  expect(fieldOf(hit("a"), "__proto__")).toBeUndefined();
});

it("pinned fields stand first behind the message, what is on the line already does not", () => {
  expect(tellingFields(hit("a", { level: "info", msg: "m", a: 1, b: 2, c: 3 }), ["c"], 2)).toEqual(["c", "a"]);
});

it("a column's header sorts down, up, and not", () => {
  expect(["", "-x", "x"].map((s) => nextSort(s, "x"))).toEqual(["-x", "x", ""]);
  expect(["", "timestamp"].map((s) => nextSort(s, "timestamp"))).toEqual(["timestamp", ""]);
});

it("index patterns are taken literally but for * and ?", () => {
  expect([matches("app-*", "app-web"), matches("a.p", "axp"), matches("a?p", "axp"), matches("(", "x")]).toEqual([true, false, true, false]);
});
