import { useQuery } from "@tanstack/react-query";
import { api, serverNow } from "../api/client";
import { clauses, split, withoutClause } from "../query/edit";
import { type Run, runParams, sumIndexes, useSession } from "../state/session";
import { showAge, showMs } from "../time/instant";
import { ALL_TIME, absolute } from "../time/range";
import { Button } from "../ui/Button";
import { plural, showCount } from "../ui/numbers";
import css from "./Empty.module.css";

/** Clauses that are tried one by one; of a longer query only the first ones. */
const CLAUSES_TRIED = 8;

interface Reasons {
  events: number;
  lastMs: number | null;
  anyTime: number | null;
  future: number | null;
  without: { text: string; query: string; total: number }[];
}

/** Nothing was found: why, and what would find something. Each figure is asked of the server. */
export function Empty({ run }: { run: Run }) {
  const { view, setView, rerun } = useSession();
  const reasons = useQuery({ queryKey: ["why", run.number], queryFn: ({ signal }) => findReasons(run, signal) });
  const now = serverNow();
  const r = reasons.data;
  return (
    <div className={css.empty} data-testid="empty">
      <h2>No events match.</h2>
      {reasons.isPending && <p className={css.muted}>Looking for the reason…</p>}
      {r && (
        <ul className={css.reasons}>
          <li>
            {r.events === 0
              ? <>{view.index === "" ? "This environment holds no events." : <>No events are in <code>{view.index}</code>.</>}</>
              : <>There {r.events === 1 ? "is" : "are"} {plural(r.events, "event")}{view.index !== "" && <> in <code>{view.index}</code></>}{r.lastMs !== null && <>; the newest is from {showMs(r.lastMs, view.zone)} ({showAge(r.lastMs, now)})</>}.</>}
          </li>
          {r.anyTime !== null && r.anyTime > 0 && (
            <li>
              {plural(r.anyTime, "event")} match{r.anyTime === 1 ? "es" : ""} at other times. <Button small onClick={() => setView({ range: ALL_TIME })}>Search all time</Button>
            </li>
          )}
          {r.anyTime === 0 && r.events > 0 && <li>At no other time does an event match: it is the query, not the range.</li>}
          {r.future !== null && r.future > 0 && (
            <li>
              {showCount(r.future)} of them lie{r.future === 1 ? "s" : ""} in the future: a clock that sent them was ahead.{" "}
              {r.lastMs !== null && <Button small onClick={() => setView({ range: absolute({ startMs: Math.floor(now), endMs: (r.lastMs ?? now) + 1 }) })}>Show</Button>}
            </li>
          )}
          {r.without.filter((w) => w.total > 0).map((w) => (
            <li key={w.text}>
              Without <code>{w.text}</code>: {plural(w.total, "event")}. <Button small onClick={() => setView({ query: w.query })}>Remove it</Button>
            </li>
          ))}
        </ul>
      )}
      {reasons.isError && <p className={css.muted}>The reason could not be found: {reasons.error.message}</p>}
      <p className={css.muted}>
        <Button small onClick={rerun}>Search again</Button> {run.endsNow && <Button small onClick={() => setView({ live: true })}>Wait for one live</Button>}
      </p>
    </div>
  );
}

async function findReasons(run: Run, signal: AbortSignal): Promise<Reasons> {
  const expression = split(run.query).expression;
  const scope = { env: run.env, index: run.index };
  const count = async (params: Record<string, string | undefined>) => {
    try {
      return Number((await api.search({ ...scope, ...params, limit: 0 }, signal)).total ?? 0);
    } catch {
      return null;
    }
  };
  const { start, end } = runParams(run) as { start?: string; end?: string };
  const inRange = { start, end };
  const list = clauses(expression) ?? [];
  const [indexes, anyTime, future, ...without] = await Promise.all([
    api.indexes(run.env, signal),
    count({ q: expression }),
    count({ q: expression, start: new Date(serverNow()).toISOString() }),
    ...(list.length < 2 ? [] : list.slice(0, CLAUSES_TRIED)).map(async (clause, at) => {
      const query = withoutClause(expression, at);
      const total = await count({ q: query, ...inRange });
      return { text: `${clause.negated ? "NOT " : ""}${clause.text}`, query: withoutClause(run.query, at), total: total ?? 0 };
    }),
  ]);
  const scoped = indexes.indexes.filter((i) => run.index === "" || run.index.split(",").some((pattern) => matches(pattern, i.index)));
  const { events, lastMs } = sumIndexes(scoped);
  return { events, lastMs, anyTime, future, without: without.sort((a, b) => b.total - a.total) };
}

/** Whether an index's name fits a pattern with `*` and `?`. */
export function matches(pattern: string, name: string): boolean {
  const source = pattern.trim().replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${source}$`, "i").test(name);
}
