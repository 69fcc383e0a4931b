import { describe, expect, it } from "vitest";
import { chooseInterval, niceTop, toBars, writeInterval } from "./buckets";
import { snapped } from "./Histogram";

describe("bucket width", () => {
  it.each([
    [15 * 60_000, "10s"],
    [3_600_000, "30s"],
    [86_400_000, "10m"],
    [7 * 86_400_000, "2h"],
    [10 * 365 * 86_400_000, "28d"],
    [100, "1ms"],
  ])("%d ms are cut into %s", (width, expected) => {
    const interval = chooseInterval({ startMs: 0, endMs: width });
    expect(writeInterval(interval)).toBe(expected);
    expect(width / interval).toBeLessThanOrEqual(150);
  });
});

it("levels written in many ways become one", () => {
  const [bar] = toBars([{ t: "2026-06-14T10:00:00Z", count: 10, by: { ERROR: 1, err: 2, Warning: 3, "3": 1 } }]);
  expect(bar?.levels).toEqual({ error: 3, warn: 3, none: 4 });
});

it("the top of the scale is round and not below the highest bar", () => {
  for (const n of [0, 1, 4, 7, 11, 99, 101, 12_345]) expect(niceTop(n)).toBeGreaterThanOrEqual(n);
  expect([7, 12, 180].map(niceTop)).toEqual([8, 15, 200]);
});

it("a drag takes whole bars and never leaves the window", () => {
  const bars = toBars([0, 10, 20, 30].map((ms) => ({ t: new Date(ms).toISOString(), count: 1 })));
  expect(snapped({ startMs: 12, endMs: 28 }, { startMs: 5, endMs: 35 }, bars, 10)).toEqual({ startMs: 10, endMs: 30 });
  expect(snapped({ startMs: 6, endMs: 34 }, { startMs: 5, endMs: 35 }, bars, 10)).toEqual({ startMs: 5, endMs: 35 });
});
