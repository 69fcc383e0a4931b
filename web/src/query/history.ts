/** The queries of this browser, newest first, with what they took. */
import { readStored, useStored, writeStored } from "../state/stored";

export interface Past {
  query: string;
  /** Epoch milliseconds. */
  at: number;
  tookMs: number;
  total: number | null;
}

const PAST_MAX = 100;

const isPasts = (v: unknown): v is Past[] =>
  Array.isArray(v) && v.every((p: Partial<Past> | null) => typeof p?.query === "string" && typeof p.at === "number" && typeof p.tookMs === "number");

const NONE: Past[] = [];

export function remember(past: Past): void {
  if (past.query.trim() === "") return;
  const before = readStored("history", NONE, isPasts).filter((p) => p.query !== past.query);
  writeStored("history", [past, ...before].slice(0, PAST_MAX));
}

export function usePast(): [Past[], (past: Past[]) => void] {
  return useStored("history", NONE, isPasts);
}
