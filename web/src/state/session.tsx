/**
 * The view (from the address bar) and the run (the search it stands for, with its times made absolute).
 * A relative range is resolved once a run, so that hits, histogram and field figures are about the same events.
 */
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { api, type Params, serverNow } from "../api/client";
import type { IndexInfo } from "../api/types";
import type { Zone } from "../time/instant";
import { resolve, type Window } from "../time/range";
import { oneOf, readStored, writeStored } from "./stored";
import { isStep, readView, type View, writeView } from "./url";

export interface Run {
  /** Grows with every run; the same view searched again is another run. */
  number: number;
  query: string;
  env: string;
  index: string;
  sort: string;
  /** Null when the range cannot be read. */
  window: Window | null;
  /** True when the range ends now: new events may come. */
  endsNow: boolean;
}

/** What becomes different, or how it follows from the view of that moment: two keys in a row must not both start from the same one. */
export type Change = Partial<View> | ((view: View) => Partial<View>);

export interface Session {
  view: View;
  /** Changes the view; `replace` keeps it out of the history. */
  setView: (change: Change, replace?: boolean) => void;
  run: Run | null;
  rerun: () => void;
}

const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("used outside SessionProvider");
  return session;
}

const isZone = oneOf<Zone>("utc", "local");
const listeners = new Set<() => void>();
let current: View | null = null;

function view(): View {
  current ??= readView(location.search, readStored("zone", "local", isZone));
  return current;
}

function go(wanted: Change, replace: boolean): void {
  const from = view();
  const change = typeof wanted === "function" ? wanted(from) : wanted;
  const to = { ...from, ...change };
  if (change.zone) writeStored("zone", change.zone);
  const address = writeView(to);
  current = to;
  if (address !== location.search) {
    if (replace || !isStep(from, to)) history.replaceState(history.state, "", address);
    else history.pushState({ depth: depth() + 1 }, "", address);
  }
  for (const listener of listeners) listener();
}

/** How many steps of this page lie behind the one on screen. */
function depth(): number {
  const state = history.state as { depth?: unknown } | null;
  return typeof state?.depth === "number" ? state.depth : 0;
}

/** One step back, but never out of the page. */
export function stepBack(): void {
  if (depth() > 0) history.back();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  const moved = () => {
    current = null;
    listener();
  };
  window.addEventListener("popstate", moved);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", moved);
  };
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const now = useSyncExternalStore(subscribe, view);
  const [asked, setAsked] = useState(0);
  const run = useRun(now, asked);
  const setView = useCallback((change: Change, replace = false) => go(change, replace), []);
  const rerun = useCallback(() => setAsked((n) => n + 1), []);
  const session = useMemo(() => ({ view: now, setView, run, rerun }), [now, setView, run, rerun]);
  return <SessionContext value={session}>{children}</SessionContext>;
}

let runs = 0;

function useRun(view: View, asked: number): Run | null {
  const [run, setRun] = useState<Run | null>(null);
  const { query, env, index, sort, zone } = view;
  const { start, end } = view.range;
  // A zone changes what an absolute time without offset means, and nothing else.
  const zoneMatters = resolve(view.range, 0, "utc")?.startMs !== resolve(view.range, 0, "local")?.startMs ? zone : "";
  useEffect(() => {
    const stop = new AbortController();
    const settle = (window: Window | null) => {
      if (!stop.signal.aborted) setRun({ number: ++runs, query, env, index, sort, window, endsNow: end.trim() === "now" });
    };
    const now = serverNow();
    if (start === "all") wholeTime(env, now, stop.signal).then(settle);
    else settle(resolve({ start, end }, now, zone));
    return () => stop.abort();
    // `zone` is in `zoneMatters`: another zone alone is no other search.
  }, [query, env, index, sort, start, end, zoneMatters, asked]);
  return run;
}

/** From the oldest event to the newest one, or to now if that is later. */
async function wholeTime(env: string, now: number, signal: AbortSignal): Promise<Window> {
  let startMs = now - 60_000;
  let endMs = now;
  try {
    const { indexes } = await api.indexes(env, signal);
    for (const { first, last } of indexes) {
      if (first) startMs = Math.min(startMs, Math.floor(Date.parse(first)));
      if (last) endMs = Math.max(endMs, Math.floor(Date.parse(last)) + 1);
    }
  } catch {
    return { startMs: 0, endMs: now };
  }
  return { startMs, endMs };
}

/** The parameters that every read of one run shares. */
export function runParams(run: Run): Params {
  return {
    q: run.query,
    env: run.env,
    index: run.index,
    start: run.window ? new Date(run.window.startMs).toISOString() : undefined,
    end: run.window ? new Date(run.window.endMs).toISOString() : undefined,
  };
}

/** Events, oldest and newest time over some indexes. */
export function sumIndexes(indexes: IndexInfo[]): { events: number; firstMs: number | null; lastMs: number | null } {
  let events = 0;
  let firstMs: number | null = null;
  let lastMs: number | null = null;
  for (const info of indexes) {
    events += Number(info.events);
    if (info.first) firstMs = Math.min(firstMs ?? Infinity, Date.parse(info.first));
    if (info.last) lastMs = Math.max(lastMs ?? -Infinity, Date.parse(info.last));
  }
  return { events, firstMs, lastMs };
}
