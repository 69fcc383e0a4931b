/** What a list says about an event: its level, its columns, its few telling fields. */
import type { FieldValue, Hit, Scalar } from "../api/types";

export type Level = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "none";
export const LEVELS: Level[] = ["fatal", "error", "warn", "info", "debug", "trace", "none"];

/** Fields that hold a severity, in the order they are asked. */
export const LEVEL_FIELDS = ["level", "severity", "severity_text", "severitytext", "log.level", "loglevel", "log_level", "lvl", "levelname", "@l"];

const NAMES: [Level, RegExp][] = [
  ["fatal", /^(fatal|critical|crit|emerg|emergency|alert|panic)$/],
  ["error", /^(error|err|severe|failure|failed|f|e)$/],
  ["warn", /^(warn|warning|w)$/],
  ["info", /^(info|information|informational|notice|i)$/],
  ["debug", /^(debug|d|fine|dbg)$/],
  ["trace", /^(trace|verbose|t|finer|finest)$/],
];

export function readLevel(text: string): Level {
  const word = text.trim().toLowerCase();
  return NAMES.find(([, pattern]) => pattern.test(word))?.[0] ?? "none";
}

const levels = new WeakMap<Hit, { level: Level; word: string }>();

/** The level and the word the event itself uses for it. */
export function levelOf(hit: Hit): { level: Level; word: string } {
  let known = levels.get(hit);
  if (!known) {
    known = findLevel(hit);
    levels.set(hit, known);
  }
  return known;
}

function findLevel(hit: Hit): { level: Level; word: string } {
  const names = new Map(Object.keys(hit.fields).map((name) => [name.toLowerCase(), name]));
  for (const field of LEVEL_FIELDS) {
    const value = fieldOf(hit, names.get(field) ?? "");
    if (value === undefined || value === null || Array.isArray(value)) continue;
    return { level: readLevel(String(value)), word: String(value) };
  }
  return { level: "none", word: "" };
}

export function isError(hit: Hit): boolean {
  const { level } = levelOf(hit);
  return level === "error" || level === "fatal";
}

const OWN = new Set(["timestamp", "message", "source", "env", "index", "id", "raw"]);
export const isOwn = (name: string) => OWN.has(name);

/** A column's value: a hit's own member, or a field of the body. */
export function fieldOf(hit: Hit, name: string): FieldValue | undefined {
  if (isOwn(name)) return hit[name as "source"] ?? undefined;
  const path = name.startsWith("fields.") && !Object.hasOwn(hit.fields, name) ? name.slice(7) : name;
  return Object.hasOwn(hit.fields, path) ? hit.fields[path] : undefined;
}

export function scalars(value: FieldValue | undefined): Scalar[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value.flatMap(scalars) : [value];
}

export function showValue(value: FieldValue | undefined): string {
  return scalars(value).map(String).join(", ");
}

/** Fields shown behind the message: those that were pinned, then those that tell most. */
export function tellingFields(hit: Hit, preferred: string[], count: number): string[] {
  const names = Object.keys(hit.fields);
  const rank = (name: string) => {
    const at = preferred.indexOf(name);
    return at < 0 ? preferred.length : at;
  };
  const message = hit.message;
  return names
    .filter((name) => !LEVEL_FIELDS.includes(name.toLowerCase()) && !MAPPED.has(name.toLowerCase()) && showValue(hit.fields[name]) !== message)
    .map((name, at) => ({ name, at }))
    .sort((a, b) => rank(a.name) - rank(b.name) || a.at - b.at)
    .slice(0, count)
    .map((f) => f.name);
}

/** Body keys that are already on the line as time, message or source. */
const MAPPED = new Set(["timestamp", "ts", "time", "@timestamp", "eventtime", "datetime", "@t", "asctime", "message", "msg", "body", "source", "_time_source"]);
