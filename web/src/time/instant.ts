/**
 * Instants as the API writes them (RFC 3339 with up to nine fraction digits), shown exactly.
 * Milliseconds are used for arithmetic only; nanoseconds are never rounded away in what is shown.
 */

export type Zone = "utc" | "local";

export interface Instant {
  ms: number;
  /** Fraction digits as sent, without trailing zeros, at least three. */
  fraction: string;
}

export function readInstant(text: string): Instant | null {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return null;
  const digits = /\.(\d+)/.exec(text)?.[1] ?? "";
  return { ms, fraction: digits.replace(/0+$/, "").padEnd(3, "0") };
}

const pad = (n: number, width = 2) => String(n).padStart(width, "0");

interface Parts {
  date: string;
  clock: string;
  offset: string;
}

function parts(ms: number, zone: Zone): Parts {
  const at = new Date(ms);
  if (zone === "utc") {
    const iso = at.toISOString();
    const t = iso.indexOf("T");
    return { date: iso.slice(0, t), clock: iso.slice(t + 1, t + 9), offset: "Z" };
  }
  const minutes = -at.getTimezoneOffset();
  const sign = minutes < 0 ? "-" : "+";
  const hours = Math.floor(Math.abs(minutes) / 60);
  return {
    date: `${pad(at.getFullYear(), 4)}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`,
    clock: `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`,
    offset: `${sign}${pad(hours)}:${pad(Math.abs(minutes) % 60)}`,
  };
}

/** `2026-06-14 10:30:15.123`: one event's time in a list. */
export function showListTime(text: string, zone: Zone, withDate: boolean): string {
  const at = readInstant(text);
  if (!at) return text;
  const { date, clock } = parts(at.ms, zone);
  const time = `${clock}.${at.fraction.slice(0, 3)}`;
  return withDate ? `${date} ${time}` : time;
}

/** The exact time with its offset: every digit that was stored. */
export function showExact(text: string, zone: Zone): string {
  const at = readInstant(text);
  if (!at) return text;
  const { date, clock, offset } = parts(at.ms, zone);
  return `${date}T${clock}.${at.fraction}${offset}`;
}

/** Both zones, for hovering. */
export function showBoth(text: string): string {
  return `${showExact(text, "utc")} (UTC)\n${showExact(text, "local")} (local)`;
}

/** `2026-06-14 10:30:15` or with milliseconds if there are any. */
export function showMs(ms: number, zone: Zone): string {
  const { date, clock } = parts(ms, zone);
  const rest = ((ms % 1000) + 1000) % 1000;
  return rest === 0 ? `${date} ${clock}` : `${date} ${clock}.${pad(Math.floor(rest), 3)}`;
}

/** A label under a chart, as short as the span allows. */
export function showTick(ms: number, zone: Zone, stepMs: number): string {
  const { date, clock } = parts(ms, zone);
  if (stepMs >= 86_400_000) return date.slice(5);
  if (stepMs >= 60_000) return clock.slice(0, 5);
  if (stepMs >= 1_000) return clock;
  return `${clock.slice(3)}.${pad(((ms % 1000) + 1000) % 1000, 3)}`;
}

/** `3 min ago`, `in 2 h`. */
export function showAge(ms: number, now: number): string {
  const ago = now - ms;
  const text = showSpan(Math.abs(ago));
  return ago >= 0 ? `${text} ago` : `in ${text}`;
}

const SPANS: [number, string][] = [
  [365 * 86_400_000, "y"],
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

export function showSpan(ms: number): string {
  for (const [size, unit] of SPANS) {
    if (ms >= size) {
      const n = ms / size;
      return `${n < 10 && !Number.isInteger(n) ? n.toFixed(1).replace(/\.0$/, "") : Math.round(n)} ${unit}`;
    }
  }
  return `${Math.round(ms)} ms`;
}
