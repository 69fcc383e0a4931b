import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api } from "../api/client";
import type { DiscoveredField, Hit } from "../api/types";
import { TopBar } from "../app/TopBar";
import { useKeys } from "../app/keys";
import { Details } from "../details/Details";
import { ExportDialog } from "../export/ExportDialog";
import { FieldPanel } from "../fields/FieldPanel";
import { Bars, Histogram } from "../histogram/Histogram";
import histogramCss from "../histogram/Histogram.module.css";
import { toBars } from "../histogram/buckets";
import { Help } from "../palette/Help";
import { Palette } from "../palette/Palette";
import { commandsOf } from "../palette/commands";
import { eventsPart } from "../query/edit";
import type { QueryBarHandle } from "../query/QueryBar";
import { isBoolean, isStrings, useStored } from "../state/stored";
import { type Run, runParams, stepBack, useSession } from "../state/session";
import { writeView } from "../state/url";
import { TailLine } from "../tail/TailLine";
import { RATE_SECONDS, rateBuckets, useTail } from "../tail/useTail";
import { absolute, isAbsolute, resolve, shifted, type Window } from "../time/range";
import { Button } from "../ui/Button";
import { copyText, toast } from "../ui/toast";
import { showCount } from "../ui/numbers";
import type { EventListHandle } from "./EventList";
import { isError, LEVEL_FIELDS } from "./event";
import { Results } from "./Results";
import css from "./SearchPage.module.css";
import { StatusLine } from "./StatusLine";
import { type Search, useSearch } from "./useSearch";

export type Overlay = "help" | "palette" | "export" | "time" | "history" | null;

const NO_NAMES: string[] = [];
const NO_FIELDS: DiscoveredField[] = [];

/** Query bar, histogram, fields, events and details: everything that shows one search. */
export function SearchPage() {
  const { view, setView, run, rerun } = useSession();
  const { live } = view;
  const search = useSearch(run, !live);
  const tail = useTail(view.query, view.env, view.index, live);
  const [overlay, setOverlay] = useState<Overlay>(null);
  const [showFields, setShowFields] = useStored("show.fields", true, isBoolean);
  const [showHistogram, setShowHistogram] = useStored("show.histogram", true, isBoolean);
  const bar = useRef<QueryBarHandle>(null);
  const list = useRef<EventListHandle>(null);

  const { fields, known, levelField, preferred } = useFields(search, live);

  const hits = live ? tail.hits : search.hits;
  const { selected, at, open, close, select, step } = useSelection(hits, list);
  const stepError = useErrorSteps(search, hits, at, select, !live);
  const zoom = useCallback((window: Window) => setView({ range: absolute(window), live: false }), [setView]);
  const shift = (steps: number) => {
    setView((now) => {
      const written = isAbsolute(now.range) ? resolve(now.range, 0, now.zone) : null;
      const window = written ?? run?.window;
      return window ? { range: absolute(shifted(window, steps)), live: false } : {};
    });
  };
  const share = () => {
    const range = run?.window && !live ? absolute(run.window) : view.range;
    void copyText(`${location.origin}${location.pathname}${writeView({ ...view, range })}`, live ? "a link to this live tail" : "a link with absolute times");
  };
  const submit = useCallback((query: string) => {
    if (query === view.query) rerun();
    setView({ query, event: "" });
  }, [view.query, rerun, setView]);

  useEffect(() => {
    document.title = view.query === "" ? "HeliosLogs" : `${view.query.slice(0, 80)} · HeliosLogs`;
  }, [view.query]);

  useKeys({
    "/": () => bar.current?.focus(),
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: () => {
      const hit = hits[at];
      if (hit) open(hit);
    },
    Escape: () => {
      if (view.event !== "") close();
      else if (search.status === "running") search.cancel();
    },
    n: () => stepError(1),
    N: () => stepError(-1),
    "[": () => shift(-1),
    "]": () => shift(1),
    t: () => setOverlay("time"),
    l: () => setView({ live: !live }),
    " ": live ? () => (tail.paused ? tail.resume() : tail.pause()) : undefined,
    "?": () => setOverlay("help"),
    "Mod-k": () => setOverlay("palette"),
  });

  const openHit = view.event === "" ? null : (hits[at] ?? null);
  const error = live ? (tail.error?.code === "bad_query" ? tail.error : null) : search.run === run ? search.error : null;
  const tools = (
    <>
      <Button look="quiet" small icon="panel" aria-label="Field panel" title="Field panel" aria-pressed={showFields} onClick={() => setShowFields(!showFields)} />
      <Button look="quiet" small icon="chart" aria-label="Histogram" title="Histogram" aria-pressed={showHistogram} onClick={() => setShowHistogram(!showHistogram)} />
      <Button look="quiet" small icon="link" onClick={share} title="Copies a link with absolute times">Share</Button>
      <Button look="quiet" small icon="download" onClick={() => setOverlay("export")} disabled={live || !run}>Export</Button>
    </>
  );

  return (
    <main className={css.main}>
      <h1 className="visually-hidden">HeliosLogs search</h1>
      <TopBar ref={bar} error={error} fields={known} overlay={overlay} setOverlay={setOverlay} onSubmit={submit} onLeave={() => list.current?.focus()} />
      {showHistogram && (live ? <RateBars tail={tail} /> : <Histogram run={run} zone={view.zone} levelField={levelField} onZoom={zoom} onBack={stepBack} onShift={shift} />)}
      {live ? <TailLine tail={tail} onStop={() => setView({ live: false })}>{tools}</TailLine> : <StatusLine search={search}>{tools}</StatusLine>}
      <div className={css.body}>
        {showFields && <FieldPanel answer={fields} columns={view.columns} />}
        <Results live={live} search={search} tail={tail} hits={hits} error={error} preferred={preferred} selected={selected} list={list} onOpen={open} onZoom={zoom} onExport={() => setOverlay("export")} />
        {view.event !== "" && (
          <Details id={view.event} hit={openHit} position={at >= 0 ? `${showCount(at + 1)} of ${search.done?.total && !live ? showCount(Number(search.done.total)) : showCount(hits.length)}` : null} onStep={step} onClose={close} />
        )}
      </div>
      {overlay === "help" && <Help onClose={() => setOverlay(null)} />}
      {overlay === "palette" && (
        <Palette onClose={() => setOverlay(null)} commands={commandsOf({ view, setView, share, setOverlay, rerun, toggleFields: () => setShowFields(!showFields), toggleHistogram: () => setShowHistogram(!showHistogram), fields: known.map((f) => f.name) })} />
      )}
      {overlay === "export" && run && <ExportDialog run={run} search={search} columns={view.columns} onClose={() => setOverlay(null)} />}
    </main>
  );
}

/** The field figures of the run, asked for once its hits are there, and what follows from them. */
function useFields(search: Search, live: boolean) {
  const { run } = useSession();
  const [pinned] = useStored("pinned", NO_NAMES, isStrings);
  const settled = live || (search.run === run && search.status !== "running" && search.status !== "idle" && search.error?.code !== "bad_query");
  const fields = useQuery({
    queryKey: ["fields", run?.number],
    enabled: settled && run?.window !== null && run !== null,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => api.discover({ ...runParams(run as Run), q: eventsPart(run?.query ?? ""), top: 10 }, signal),
  });
  const known = fields.data?.fields ?? NO_FIELDS;
  const levelField = useMemo(() => findLevelField(known.map((f) => f.name)), [known]);
  const preferred = useMemo(() => [...pinned, ...known.filter((f) => f.interesting).map((f) => f.name)], [pinned, known]);
  return { fields, known, levelField, preferred };
}

/** The event under the cursor, and the opened one, which the address bar holds. */
function useSelection(hits: Hit[], list: React.RefObject<EventListHandle | null>) {
  const { view, setView } = useSession();
  const [cursor, setCursor] = useState<string | null>(view.event || null);
  const selected = view.event || cursor;
  const at = selected === null ? -1 : hits.findIndex((h) => h.id === selected);
  const open = useCallback((hit: Hit) => {
    setCursor(hit.id);
    setView({ event: hit.id });
  }, [setView]);
  const close = () => {
    setView({ event: "" });
    list.current?.focus();
  };
  const select = (to: number) => {
    const hit = hits[Math.max(0, Math.min(hits.length - 1, to))];
    if (!hit) return;
    setCursor(hit.id);
    if (view.event !== "") setView({ event: hit.id });
  };
  const step = (direction: -1 | 1) => select(at < 0 ? 0 : at + direction);
  return { selected, at, open, close, select, step };
}

/** Goes to the next or previous error; on the way down further pages are fetched until one comes. */
function useErrorSteps(search: Search, hits: Hit[], at: number, select: (to: number) => void, canFetch: boolean): (direction: -1 | 1) => void {
  const [seeking, setSeeking] = useState<-1 | 1 | null>(null);
  useEffect(() => {
    if (seeking === null) return;
    let to = at + seeking;
    while (to >= 0 && to < hits.length && !isError(hits[to] as Hit)) to += seeking;
    if (to >= 0 && to < hits.length) {
      setSeeking(null);
      select(to);
    } else if (seeking === 1 && canFetch && search.canLoadMore && search.moreError === null) {
      search.loadMore();
    } else {
      setSeeking(null);
      toast(`No ${seeking === 1 ? "further" : "earlier"} error among the ${showCount(hits.length)} events loaded`);
    }
  }, [seeking, hits, search.loadMore, search.canLoadMore, search.moreError]);
  return setSeeking;
}

function findLevelField(names: string[]): string {
  const lower = new Map(names.map((name) => [name.toLowerCase(), name]));
  const found = LEVEL_FIELDS.find((field) => lower.has(field));
  return (found !== undefined && lower.get(found)) || "level";
}

/** Matches a second, in the histogram's room. */
function RateBars({ tail }: { tail: ReturnType<typeof useTail> }) {
  const { view } = useSession();
  const endMs = ((tail.seconds.at(-1)?.second ?? 0) + 1) * 1000;
  const window = { startMs: endMs - RATE_SECONDS * 1000, endMs };
  const none = useCallback(() => undefined, []);
  return (
    <section className={histogramCss.histogram} aria-label="Events a second">
      {tail.seconds.length > 0 && <Bars bars={toBars(rateBuckets(tail))} window={window} stepMs={1000} zone={view.zone} stale={false} onZoom={none} onBack={none} />}
    </section>
  );
}
