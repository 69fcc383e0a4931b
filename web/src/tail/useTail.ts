/**
 * Live events. They arrive as fast as the server sends; the page draws a few times a second and keeps the newest.
 * Pause holds what arrives, up to a bound, and says how much waits. What is left out is always counted.
 */
import { useEffect, useReducer, useRef } from "react";
import { ApiError, stream } from "../api/client";
import type { Bucket, ErrorBody, Hit } from "../api/types";
import { levelOf } from "../search/event";

/** Events kept on screen. */
export const KEPT_MAX = 2_000;
/** Events taken into the list at one drawing; of more, the newest of each equal step. */
export const DRAWN_MAX = 200;
/** Events that may wait while paused; beyond it the oldest of them are dropped, and said. */
export const WAITING_MAX = 5_000;
const DRAW_EVERY_MS = 250;
/** Seconds of rate shown in the histogram's room. */
export const RATE_SECONDS = 120;
/** Seconds the rate is averaged over. */
const RATE_OVER = 5;
const RECONNECT_MS = 2_000;

export interface TailState {
  connected: boolean;
  paused: boolean;
  error: ErrorBody | null;
  /** Newest first. */
  hits: Hit[];
  /** Arrived while paused. */
  waiting: Hit[];
  /** Events that matched, and those of them that this page took into its list. */
  matched: number;
  shown: number;
  /** Of the last drawing: one of how many is shown. */
  oneOf: number;
  /** Left out by the server or by the bound on waiting, since the start. */
  dropped: number;
  seconds: Second[];
}

interface Second {
  second: number;
  count: number;
  by: Record<string, number>;
}

export type TailChange =
  | { kind: "connected" }
  | { kind: "lost"; error: ErrorBody | null }
  | { kind: "arrived"; hits: Hit[]; dropped: number; nowMs: number }
  | { kind: "pause" }
  | { kind: "resume" }
  | { kind: "clear" };

export const QUIET: TailState = { connected: false, paused: false, error: null, hits: [], waiting: [], matched: 0, shown: 0, oneOf: 1, dropped: 0, seconds: [] };

export function reduceTail(state: TailState, change: TailChange): TailState {
  switch (change.kind) {
    case "connected":
      return { ...state, connected: true, error: null };
    case "lost":
      return { ...state, connected: false, error: change.error };
    case "pause":
      return { ...state, paused: true };
    case "resume":
      return { ...take(state, state.waiting, 0), paused: false, waiting: [] };
    case "clear":
      return { ...QUIET, connected: state.connected, paused: state.paused };
    case "arrived":
      return arrived(state, change.hits, change.dropped, change.nowMs);
  }
}

function arrived(state: TailState, hits: Hit[], dropped: number, nowMs: number): TailState {
  const counted: TailState = {
    ...state,
    matched: state.matched + hits.length + dropped,
    dropped: state.dropped + dropped,
    seconds: count(state.seconds, hits, dropped, Math.floor(nowMs / 1000)),
  };
  if (!state.paused) return take(counted, hits, dropped);
  const waiting = [...state.waiting, ...hits];
  const over = Math.max(0, waiting.length - WAITING_MAX);
  return { ...counted, waiting: waiting.slice(over), dropped: counted.dropped + over };
}

/** Takes events (oldest first, as they arrived) into the list. Of too many, evenly spread ones. */
function take(state: TailState, hits: Hit[], dropped: number): TailState {
  const step = Math.ceil(hits.length / DRAWN_MAX);
  const drawn = step <= 1 ? hits : hits.filter((_, at) => at % step === step - 1);
  const oneOf = drawn.length === 0 ? 1 : Math.max(1, Math.round((hits.length + dropped) / drawn.length));
  return {
    ...state,
    hits: [...drawn.toReversed(), ...state.hits].slice(0, KEPT_MAX),
    shown: state.shown + drawn.length,
    oneOf: hits.length + dropped === 0 ? state.oneOf : oneOf,
  };
}

function count(seconds: Second[], hits: Hit[], dropped: number, now: number): Second[] {
  const last = seconds.at(-1);
  const next: Second = last?.second === now ? { ...last, by: { ...last.by } } : { second: now, count: 0, by: {} };
  next.count += hits.length + dropped;
  for (const hit of hits) {
    const { word } = levelOf(hit);
    next.by[word] = (next.by[word] ?? 0) + 1;
  }
  return [...(last?.second === now ? seconds.slice(0, -1) : seconds), next].filter((s) => s.second > now - RATE_SECONDS);
}

/** Events a second over the last few. */
export function rate(state: TailState, nowMs: number): number {
  const now = Math.floor(nowMs / 1000);
  const recent = state.seconds.filter((s) => s.second >= now - RATE_OVER && s.second < now);
  return recent.reduce((sum, s) => sum + s.count, 0) / RATE_OVER;
}

export function rateBuckets(state: TailState): Bucket[] {
  return state.seconds.map((s) => ({ t: new Date(s.second * 1000).toISOString(), count: s.count, by: s.by }));
}

export interface Tail extends TailState {
  pause: () => void;
  resume: () => void;
  clear: () => void;
}

export function useTail(query: string, env: string, index: string, enabled: boolean): Tail {
  const [state, dispatch] = useReducer(reduceTail, QUIET);
  const waiting = useRef<{ hits: Hit[]; dropped: number }>({ hits: [], dropped: 0 });

  useEffect(() => {
    if (!enabled) return;
    const abort = new AbortController();
    dispatch({ kind: "clear" });
    waiting.current = { hits: [], dropped: 0 };
    const draw = setInterval(() => {
      const { hits, dropped } = waiting.current;
      waiting.current = { hits: [], dropped: 0 };
      dispatch({ kind: "arrived", hits, dropped, nowMs: Date.now() });
    }, DRAW_EVERY_MS);
    void follow({ q: query, env, index }, abort.signal, waiting, dispatch);
    return () => {
      abort.abort();
      clearInterval(draw);
    };
  }, [query, env, index, enabled]);

  return {
    ...state,
    pause: () => dispatch({ kind: "pause" }),
    resume: () => dispatch({ kind: "resume" }),
    clear: () => dispatch({ kind: "clear" }),
  };
}

type Params = { q: string; env: string; index: string };

async function follow(params: Params, signal: AbortSignal, waiting: React.RefObject<{ hits: Hit[]; dropped: number }>, dispatch: (change: TailChange) => void): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const event of stream("/api/tail", params, signal, () => dispatch({ kind: "connected" }))) {
        if (event.name === "hit") waiting.current.hits.push(event.data as Hit);
        if (event.name === "dropped") waiting.current.dropped += Number((event.data as { count: number }).count);
        if (event.name === "error") throw new ApiError((event.data as { error: ErrorBody }).error, 400);
      }
      if (!signal.aborted) dispatch({ kind: "lost", error: null });
    } catch (error) {
      if (signal.aborted) return;
      const known = error instanceof ApiError ? error : new ApiError({ code: "cut_off", message: "The connection was lost." }, 0);
      dispatch({ kind: "lost", error: known.body });
      // A query that is wrong stays wrong: only a lost connection is tried again.
      if (known.status >= 400 && known.status < 500) return;
    }
    await pause(RECONNECT_MS, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
