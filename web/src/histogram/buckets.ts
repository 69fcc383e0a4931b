/** The histogram's arithmetic: bucket width, levels put together, bars in pixels. Pure. */
import type { Bucket } from "../api/types";
import { type Level, LEVELS, readLevel } from "../search/event";
import type { Window } from "../time/range";

const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500,
  1_000, 2_000, 5_000, 10_000, 15_000, 30_000,
  60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
  3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000,
  86_400_000, 604_800_000,
];

/** Bars that are drawn at most: more would be thinner than a pointer can hit. */
const BUCKETS_MAX = 150;

/** The narrowest usual step that keeps the number of bars within bounds. */
export function chooseInterval(window: Window): number {
  const width = Math.max(1, window.endMs - window.startMs);
  const step = STEPS_MS.find((s) => width / s <= BUCKETS_MAX);
  if (step !== undefined) return step;
  const week = 604_800_000;
  return Math.ceil(width / week / BUCKETS_MAX) * week;
}

/** An interval as the API reads it. */
export function writeInterval(ms: number): string {
  for (const [size, unit] of [[86_400_000, "d"], [3_600_000, "h"], [60_000, "m"], [1_000, "s"]] as const) {
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

export interface Bar {
  startMs: number;
  count: number;
  levels: Partial<Record<Level, number>>;
}

/** Bars with their counts by level. What the server could not put under a level is `none`. */
export function toBars(buckets: Bucket[]): Bar[] {
  return buckets.map((bucket) => {
    const levels: Partial<Record<Level, number>> = {};
    const count = Number(bucket.count);
    let known = 0;
    for (const [word, n] of Object.entries(bucket.by ?? {})) {
      const level = readLevel(word);
      levels[level] = (levels[level] ?? 0) + Number(n);
      known += Number(n);
    }
    // An event with two levels counts under both; then there is no rest to show.
    if (known < count) levels.none = (levels.none ?? 0) + count - known;
    return { startMs: Date.parse(bucket.t), count, levels };
  });
}

/** From the bottom up: what matters most stands on the ground line, where heights compare best. */
export const STACK: Level[] = LEVELS;

/** A round number at or above `n`, for the scale's label. */
export function niceTop(n: number): number {
  if (n <= 5) return Math.max(1, n);
  const size = 10 ** Math.floor(Math.log10(n));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((f) => f * size).find((v) => v >= n) ?? n;
}
