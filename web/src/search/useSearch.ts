/** One run's hits: streamed first, then page after page by cursor as the list is scrolled. */
import { useCallback, useEffect, useReducer, useRef } from "react";
import { ApiError, api, stream } from "../api/client";
import type { ErrorBody, Hit, Progress, SearchDone, Table } from "../api/types";
import { remember } from "../query/history";
import { type Run, runParams } from "../state/session";

/** Hits asked for at first, and with each later page. */
export const FIRST_HITS = 200;
export const PAGE_HITS = 500;
/** Hits kept in the browser; beyond it the page says so and points to the export. */
export const LOADED_HITS_MAX = 20_000;

export type Status = "idle" | "running" | "done" | "failed" | "cancelled";

export interface SearchState {
  status: Status;
  run: Run | null;
  hits: Hit[];
  table: Table | null;
  /** What is shown is still of the run before: it stays until something of this one comes, so that nothing flashes. */
  stale: boolean;
  /** Number of the run that what is shown is of. */
  shownRun: number;
  progress: Progress | null;
  done: SearchDone | null;
  error: ErrorBody | null;
  cursor: string | null;
  loadingMore: boolean;
  moreError: string | null;
}

export type Change =
  | { kind: "start"; run: Run }
  | { kind: "hits"; hits: Hit[] }
  | { kind: "progress"; progress: Progress }
  | { kind: "done"; done: SearchDone }
  | { kind: "failed"; error: ErrorBody }
  | { kind: "cancelled" }
  | { kind: "more" }
  | { kind: "page"; hits: Hit[]; cursor: string | null }
  | { kind: "more-failed"; message: string };

export const IDLE: SearchState = {
  status: "idle", run: null, hits: [], table: null, stale: false, shownRun: 0, progress: null, done: null, error: null, cursor: null, loadingMore: false, moreError: null,
};

/** Adds hits behind those on screen: nothing that is being read moves, and no event stands twice. */
function append(known: Hit[], more: Hit[]): Hit[] {
  const ids = new Set(known.map((h) => h.id));
  return [...known, ...more.filter((h) => !ids.has(h.id))].slice(0, LOADED_HITS_MAX);
}

/** The state without what the run before left on screen. */
function fresh(state: SearchState): SearchState {
  return state.stale ? { ...state, hits: [], table: null, stale: false, shownRun: state.run?.number ?? 0 } : state;
}

export function reduce(state: SearchState, change: Change): SearchState {
  switch (change.kind) {
    case "start":
      return { ...IDLE, status: "running", run: change.run, hits: state.hits, table: state.table, stale: true, shownRun: state.shownRun };
    case "hits": {
      const next = fresh(state);
      return { ...next, hits: append(next.hits, change.hits) };
    }
    case "progress":
      return { ...state, progress: change.progress };
    case "done":
      return { ...fresh(state), status: "done", done: change.done, table: change.done.table ?? null, cursor: change.done.cursor };
    case "failed":
      return { ...fresh(state), status: "failed", error: change.error };
    case "cancelled":
      return state.status === "running" ? { ...fresh(state), status: "cancelled" } : state;
    case "more":
      return { ...state, loadingMore: true, moreError: null };
    case "page":
      return { ...state, loadingMore: false, hits: append(state.hits, change.hits), cursor: change.cursor };
    case "more-failed":
      return { ...state, loadingMore: false, moreError: change.message };
  }
}

export interface Search extends SearchState {
  cancel: () => void;
  loadMore: () => void;
  canLoadMore: boolean;
}

export function useSearch(run: Run | null, enabled: boolean): Search {
  const [state, dispatch] = useReducer(reduce, IDLE);
  const work = useRef<AbortController | null>(null);

  useEffect(() => {
    if (!run || !enabled) return;
    const abort = new AbortController();
    work.current = abort;
    dispatch({ kind: "start", run });
    if (!run.window) dispatch({ kind: "failed", error: { code: "bad_time", message: "The time range cannot be read.", hint: "Pick one with the time button (t)." } });
    else void follow(run, abort.signal, dispatch);
    return () => abort.abort();
  }, [run, enabled]);

  const cancel = useCallback(() => {
    work.current?.abort();
    dispatch({ kind: "cancelled" });
  }, []);

  const canLoadMore = state.status === "done" && state.cursor !== null && state.hits.length < LOADED_HITS_MAX;
  const { cursor, loadingMore } = state;
  const loadMore = useCallback(() => {
    if (!canLoadMore || loadingMore || !run || cursor === null) return;
    const signal = work.current?.signal;
    dispatch({ kind: "more" });
    api.search({ ...runParams(run), sort: run.sort, limit: PAGE_HITS, cursor, count: "none" }, signal).then(
      (answer) => !signal?.aborted && dispatch({ kind: "page", hits: answer.hits, cursor: answer.cursor }),
      (error: unknown) => !signal?.aborted && dispatch({ kind: "more-failed", message: error instanceof Error ? error.message : String(error) }),
    );
  }, [canLoadMore, loadingMore, run, cursor]);

  return { ...state, cancel, loadMore, canLoadMore };
}

async function follow(run: Run, signal: AbortSignal, dispatch: (change: Change) => void): Promise<void> {
  const tell = (change: Change) => {
    if (!signal.aborted) dispatch(change);
  };
  let ended = false;
  try {
    for await (const event of stream("/api/search/stream", { ...runParams(run), sort: run.sort, limit: FIRST_HITS }, signal)) {
      if (event.name === "progress") tell({ kind: "progress", progress: event.data as Progress });
      if (event.name === "hits") tell({ kind: "hits", hits: event.data as Hit[] });
      if (event.name === "error") throw new ApiError((event.data as { error: ErrorBody }).error, 200);
      if (event.name === "done") {
        ended = true;
        const done = event.data as SearchDone;
        remember({ query: run.query, at: Date.now(), tookMs: Number(done.took_ms), total: done.total === null ? null : Number(done.total) });
        tell({ kind: "done", done });
      }
    }
    if (!ended) throw new ApiError({ code: "cut_off", message: "The connection ended before the search did.", hint: "What is shown is incomplete. Search again." }, 0);
  } catch (error) {
    if (signal.aborted) return;
    tell({ kind: "failed", error: error instanceof ApiError ? error.body : { code: "page", message: error instanceof Error ? error.message : String(error) } });
  }
}
