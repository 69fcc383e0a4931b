import type { RefObject } from "react";
import type { ErrorBody, Hit } from "../api/types";
import { useSession } from "../state/session";
import { TableResult } from "../stages/TableResult";
import type { Tail } from "../tail/useTail";
import type { Window } from "../time/range";
import { Button } from "../ui/Button";
import { showCount } from "../ui/numbers";
import { toast } from "../ui/toast";
import { Empty } from "./Empty";
import { EventList, type EventListHandle } from "./EventList";
import css from "./SearchPage.module.css";
import { LOADED_HITS_MAX, type Search } from "./useSearch";

interface Props {
  live: boolean;
  search: Search;
  tail: Tail;
  hits: Hit[];
  error: ErrorBody | null;
  preferred: string[];
  selected: string | null;
  list: RefObject<EventListHandle | null>;
  onOpen: (hit: Hit) => void;
  onZoom: (window: Window) => void;
  onExport: () => void;
}

/** The middle of the page: events, a table, or why there are none. */
export function Results(props: Props) {
  const { live, search } = props;
  return (
    <section className={css.results} aria-label="Results" data-stale={search.stale && !live}>
      {live ? <Live {...props} /> : <Found {...props} />}
    </section>
  );
}

function Live({ tail, preferred, selected, list, onOpen }: Props) {
  const { view } = useSession();
  if (tail.hits.length === 0) return <p className={css.waiting}>{tail.paused ? "Paused." : "Waiting for events that match…"}</p>;
  return (
    <EventList ref={list} hits={tail.hits} columns={view.columns} preferred={preferred} zone={view.zone} sort="" selected={selected} label="Live events" total={null} growsAbove
      onSort={() => toast("A live tail is in order of arrival")} onOpen={onOpen} />
  );
}

function Found({ search, hits, error, preferred, selected, list, onOpen, onZoom, onExport }: Props) {
  const { view, setView, run, rerun } = useSession();
  if (search.table) return <TableResult key={search.shownRun} table={search.table} zone={view.zone} onZoom={onZoom} />;
  if (error?.code === "bad_query") return <p className={css.waiting}>The query cannot be read. What is wrong stands under it, above.</p>;
  if (search.status === "failed" && hits.length === 0) return <Failed error={search.error} onAgain={rerun} />;
  if (search.status === "done" && hits.length === 0 && run) return <Empty key={run.number} run={run} />;
  return (
    <EventList ref={list} key={search.shownRun} hits={hits} columns={view.columns} preferred={preferred} zone={view.zone} sort={view.sort} selected={selected} label="Events" total={search.done?.total ?? null}
      onSort={(sort) => setView({ sort })} onOpen={onOpen} onEnd={search.loadMore} footer={<End search={search} onExport={onExport} />} />
  );
}

function End({ search, onExport }: { search: Search; onExport: () => void }) {
  if (search.moreError !== null) return <p className={css.end}>More events could not be fetched: {search.moreError} <Button small onClick={search.loadMore}>Try again</Button></p>;
  if (search.loadingMore) return <p className={css.end}>Fetching more…</p>;
  if (search.hits.length >= LOADED_HITS_MAX) return <p className={css.end}>The page holds {showCount(LOADED_HITS_MAX)} events at most. Narrow the search, or <Button small onClick={onExport}>export all</Button>.</p>;
  if (search.status === "done" && search.cursor === null && search.hits.length > 0) return <p className={css.end}>These are all {showCount(search.hits.length)} events.</p>;
  return null;
}

function Failed({ error, onAgain }: { error: ErrorBody | null; onAgain: () => void }) {
  return (
    <div className={css.failed}>
      <h2>{error?.message}</h2>
      {error?.hint && <p>{error.hint}</p>}
      {error?.request_id && <p className={css.muted}>Request {error.request_id}: the server's log says more under this id.</p>}
      <p><Button small onClick={onAgain}>Search again</Button></p>
    </div>
  );
}
