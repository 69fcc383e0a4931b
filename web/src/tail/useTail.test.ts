import { describe, expect, it } from "vitest";
import type { Hit } from "../api/types";
import { DRAWN_MAX, KEPT_MAX, QUIET, rate, reduceTail, type TailState, WAITING_MAX } from "./useTail";

let made = 0;
const hits = (count: number): Hit[] =>
  Array.from({ length: count }, () => ({ id: `a-${++made}`, timestamp: "2026-06-14T10:00:00Z", env: "default", index: "x", source: null, message: "m", raw: "m", fields: { level: "info" } }));
const arrive = (state: TailState, list: Hit[], dropped = 0, nowMs = 0) => reduceTail(state, { kind: "arrived", hits: list, dropped, nowMs });

describe("pause", () => {
  it("holds what arrives and moves nothing on screen", () => {
    const before = arrive(QUIET, hits(3));
    const paused = arrive(reduceTail(before, { kind: "pause" }), hits(5));
    expect(paused.hits).toBe(before.hits);
    expect(paused.waiting).toHaveLength(5);
    expect(paused.matched).toBe(8);
  });

  it("on resume all that waited comes, newest first", () => {
    const late = hits(2);
    const resumed = reduceTail(arrive(reduceTail(QUIET, { kind: "pause" }), late), { kind: "resume" });
    expect(resumed.hits.map((h) => h.id)).toEqual([late[1]?.id, late[0]?.id]);
    expect(resumed.waiting).toEqual([]);
    expect(resumed.paused).toBe(false);
  });

  it("drops the oldest beyond its bound, and counts them", () => {
    const state = arrive(reduceTail(QUIET, { kind: "pause" }), hits(WAITING_MAX + 7));
    expect(state.waiting).toHaveLength(WAITING_MAX);
    expect(state.dropped).toBe(7);
  });
});

describe("a flood", () => {
  it("is thinned evenly, and it is said that one of how many is shown", () => {
    const state = arrive(QUIET, hits(DRAWN_MAX * 40));
    expect(state.hits).toHaveLength(DRAWN_MAX);
    expect(state.oneOf).toBe(40);
    expect(state.matched).toBe(DRAWN_MAX * 40);
  });

  it("counts what the server left out", () => {
    const state = arrive(QUIET, hits(10), 90);
    expect([state.matched, state.dropped, state.oneOf]).toEqual([100, 90, 10]);
  });

  it("keeps only the newest", () => {
    let state = QUIET;
    for (let i = 0; i < 20; i++) state = arrive(state, hits(DRAWN_MAX));
    expect(state.hits).toHaveLength(KEPT_MAX);
  });
});

it("the rate is over whole seconds that have passed", () => {
  let state = QUIET;
  for (let second = 0; second < 5; second++) state = arrive(state, hits(10), 0, second * 1000 + 500);
  expect(rate(state, 5_000)).toBe(10);
});
