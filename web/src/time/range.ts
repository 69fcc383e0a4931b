/**
 * Time ranges as people write them: `-15m`, `-1d@d`, `now`, RFC 3339, epoch numbers, and any timestamp
 * pasted out of a log. What is relative stays relative in the address bar and becomes absolute when a search runs.
 */
import { type Zone, showMs, showSpan } from "./instant";

/** Text of both ends. `start: "all"` stands for everything there is. */
export interface Range {
  start: string;
  end: string;
}
export interface Window {
  startMs: number;
  endMs: number;
}

export const ALL_TIME: Range = { start: "all", end: "now" };

export const PRESETS: { range: Range; label: string }[] = [
  { range: { start: "-5m", end: "now" }, label: "Last 5 minutes" },
  { range: { start: "-15m", end: "now" }, label: "Last 15 minutes" },
  { range: { start: "-1h", end: "now" }, label: "Last hour" },
  { range: { start: "-4h", end: "now" }, label: "Last 4 hours" },
  { range: { start: "-24h", end: "now" }, label: "Last 24 hours" },
  { range: { start: "@d", end: "now" }, label: "Today" },
  { range: { start: "-1d@d", end: "@d" }, label: "Yesterday" },
  { range: { start: "-7d", end: "now" }, label: "Last 7 days" },
  { range: { start: "-30d", end: "now" }, label: "Last 30 days" },
  { range: ALL_TIME, label: "All time" },
];

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const RELATIVE = /^(?:now)?\s*(?:([+-])\s*(\d{1,9})\s*(ms|s|m|h|d|w))?\s*(?:@\s*(s|m|h|d|w))?$/;

export function isRelative(text: string): boolean {
  const t = text.trim();
  return t !== "" && RELATIVE.test(t);
}

/** Whether both ends are fixed instants. */
export function isAbsolute(range: Range): boolean {
  return range.start !== "all" && !isRelative(range.start) && !isRelative(range.end);
}

/** The instant a text means, in epoch milliseconds, or null if it cannot be read. `@d` is a UTC day, as in the API. */
export function readTime(text: string, now: number, zone: Zone): number | null {
  const t = text.trim();
  if (t === "") return null;
  const relative = RELATIVE.exec(t);
  if (relative) return readRelative(relative, now);
  return readTimestamp(t, now, zone);
}

function readRelative([, sign, amount, unit, snap]: RegExpExecArray, now: number): number {
  let ms = now;
  if (sign && amount && unit) ms += (sign === "-" ? -1 : 1) * Number(amount) * (UNIT_MS[unit] ?? 0);
  if (!snap) return ms;
  // 1970-01-01 was a Thursday; a week begins on Monday.
  const shift = snap === "w" ? 3 * 86_400_000 : 0;
  const size = UNIT_MS[snap] ?? 1;
  return Math.floor((ms + shift) / size) * size - shift;
}

/** Reads a timestamp as it stands in some log. Without an offset it is in `zone`. */
export function readTimestamp(text: string, now: number, zone: Zone): number | null {
  const t = text.trim().replace(/^[["'(<]+|[\]"')>,;]+$/g, "");
  return readEpoch(t) ?? readIso(t, zone) ?? readClf(t, zone) ?? readSyslog(t, now, zone) ?? readClockToday(t, now, zone);
}

/** Seconds, milliseconds, microseconds or nanoseconds, told apart by magnitude as the server does. */
function readEpoch(t: string): number | null {
  if (!/^-?\d{5,19}(\.\d{1,9})?$/.test(t)) return null;
  const n = Number(t);
  const size = Math.abs(n);
  const ms = size < 1e11 ? n * 1e3 : size < 1e14 ? n : size < 1e17 ? n / 1e3 : n / 1e6;
  return Math.floor(ms);
}

const ISO = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T\s_]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?$/i;
const CLF = /^(\d{1,2})\/([A-Za-z]{3})\/(\d{4})[:\s](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?\s*([+-]\d{4}|Z)?$/;
const SYSLOG = /^([A-Za-z]{3})\s+(\d{1,2})\s+(?:(\d{4})\s+)?(\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?$/;
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?$/;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

function readIso(t: string, zone: Zone): number | null {
  const m = ISO.exec(t);
  return m && build(Number(m[1]), Number(m[2]), Number(m[3]), m[4], m[5], m[6], m[7], m[8], zone);
}

function readClf(t: string, zone: Zone): number | null {
  const m = CLF.exec(t);
  return m && build(Number(m[3]), monthOf(m[2]), Number(m[1]), m[4], m[5], m[6], m[7], m[8], zone);
}

/** A syslog time without a year takes the year that puts it nearest to now, as the server does. */
function readSyslog(t: string, now: number, zone: Zone): number | null {
  const m = SYSLOG.exec(t);
  if (!m) return null;
  const inYear = (year: number) => build(year, monthOf(m[1]), Number(m[2]), m[4], m[5], m[6], m[7], undefined, zone);
  if (m[3]) return inYear(Number(m[3]));
  const year = new Date(now).getUTCFullYear();
  let best: number | null = null;
  for (const candidate of [inYear(year - 1), inYear(year), inYear(year + 1)]) {
    if (candidate !== null && (best === null || Math.abs(candidate - now) < Math.abs(best - now))) best = candidate;
  }
  return best;
}

function readClockToday(t: string, now: number, zone: Zone): number | null {
  const m = CLOCK.exec(t);
  if (!m) return null;
  const d = new Date(now);
  return zone === "utc"
    ? build(d.getUTCFullYear(), d.getUTCMonth() + 1, d.getUTCDate(), m[1], m[2], m[3], m[4], undefined, zone)
    : build(d.getFullYear(), d.getMonth() + 1, d.getDate(), m[1], m[2], m[3], m[4], undefined, zone);
}

function monthOf(name: string | undefined): number {
  return MONTHS.indexOf((name ?? "").toLowerCase()) + 1;
}

function build(
  year: number, month: number, day: number,
  hour: string | undefined, minute: string | undefined, second: string | undefined, fraction: string | undefined,
  offset: string | undefined, zone: Zone,
): number | null {
  const h = Number(hour ?? 0);
  const m = Number(minute ?? 0);
  const s = Number(second ?? 0);
  const ms = Number((fraction ?? "").padEnd(3, "0").slice(0, 3));
  if (month < 1 || month > 12 || day < 1 || day > 31 || h > 23 || m > 59 || s > 60) return null;
  if (offset === undefined && zone === "local") return new Date(year, month - 1, day, h, m, s, ms).getTime();
  const utc = Date.UTC(year, month - 1, day, h, m, s, ms);
  if (new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return null;
  const shift = /^([+-])(\d{2}):?(\d{2})$/.exec(offset ?? "");
  if (!shift) return utc;
  return utc - (shift[1] === "-" ? -1 : 1) * (Number(shift[2]) * 60 + Number(shift[3])) * 60_000;
}

/** The absolute window of a range, or null if an end cannot be read. `all` has none: the caller asks what there is. */
export function resolve(range: Range, now: number, zone: Zone): Window | null {
  const startMs = readTime(range.start, now, zone);
  const endMs = readTime(range.end, now, zone);
  return startMs === null || endMs === null ? null : { startMs, endMs };
}

export function absolute(window: Window): Range {
  return { start: new Date(window.startMs).toISOString(), end: new Date(window.endMs).toISOString() };
}

/** The window `steps` widths later (or earlier). */
export function shifted(window: Window, steps: number): Window {
  const width = window.endMs - window.startMs;
  return { startMs: window.startMs + steps * width, endMs: window.endMs + steps * width };
}

/** What the time button says. */
export function describe(range: Range, zone: Zone): string {
  const preset = PRESETS.find((p) => p.range.start === range.start && p.range.end === range.end);
  if (preset) return preset.label;
  if (isRelative(range.start) || isRelative(range.end)) return `${range.start} to ${range.end}`;
  const window = resolve(range, 0, zone);
  if (!window) return `${range.start} to ${range.end}`;
  const start = showMs(window.startMs, zone);
  const end = showMs(window.endMs, zone);
  const sameDay = start.slice(0, 10) === end.slice(0, 10);
  return `${start} – ${sameDay ? end.slice(11) : end} (${showSpan(window.endMs - window.startMs)})`;
}
