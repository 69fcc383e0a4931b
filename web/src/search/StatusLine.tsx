import { type ReactNode, useEffect, useState } from "react";
import { Button } from "../ui/Button";
import { plural, showBytes, showCount, showTook } from "../ui/numbers";
import css from "./StatusLine.module.css";
import type { Search } from "./useSearch";

/** What the search is doing or did. Its height never changes, so that nothing below it jumps. */
export function StatusLine({ search: current, children }: { search: Search; children?: ReactNode }) {
  const search = useCalm(current);
  const { progress, status } = search;
  const share = progress && Number(progress.groups) > 0 ? Number(progress.groups_done) / Number(progress.groups) : 0;
  return (
    <div className={css.line}>
      {status === "running" && <div className={css.progress} style={{ transform: `scaleX(${Math.max(0.02, share)})` }} data-testid="progress" />}
      <div className={css.facts} role="status" data-testid="status">
        <Facts search={search} />
      </div>
      {status === "running" && (
        <Button small onClick={search.cancel} title="Stops the work on the server too">Cancel</Button>
      )}
      <Warnings search={search} />
      <div className={css.tools}>{children}</div>
    </div>
  );
}

/** Searches that end sooner are never called running: words that flash up cannot be read. */
const CALM_MS = 150;

/** The search, but for its first moments the one before. */
function useCalm(search: Search): Search {
  const [slowRun, setSlowRun] = useState<number | null>(null);
  const [before, setBefore] = useState<Search | null>(null);
  const running = search.status === "running";
  const number = search.run?.number ?? null;
  useEffect(() => {
    if (!running) return;
    const timer = setTimeout(() => setSlowRun(number), CALM_MS);
    return () => clearTimeout(timer);
  }, [running, number]);
  if (!running && search !== before && search.status !== "idle" && before?.run !== search.run) setBefore(search);
  return running && slowRun !== number && before !== null ? before : search;
}

function Facts({ search }: { search: Search }) {
  const { status, progress, done, hits } = search;
  if (status === "running") {
    return (
      <>
        <strong>Searching</strong>
        {progress && (
          <span>
            {showCount(Number(progress.groups_done))} of {plural(Number(progress.groups), "row group")} · {showBytes(Number(progress.bytes_read))} read · {showCount(Number(progress.matched))} matched
          </span>
        )}
      </>
    );
  }
  if (status === "cancelled") return <><strong>Cancelled</strong><span>{showCount(hits.length)} shown; there may be more.</span></>;
  if (status === "failed") return <strong className={css.failed}>{hits.length > 0 ? `Ended early: ${showCount(hits.length)} shown are not all.` : "Not searched"}</strong>;
  if (!done) return null;
  const { stats } = done;
  return (
    <>
      <strong>{done.table ? plural(done.table.rows.length, "row") : done.total === null ? `${showCount(hits.length)} shown` : plural(Number(done.total), "event")}</strong>
      <span className={css.cost} title={`${showCount(Number(stats.blocks))} blocks looked at, ${showCount(Number(stats.blocks_pruned))} ruled out without reading`}>
        {showTook(Number(done.took_ms))} · {plural(Number(stats.blocks), "block")}, {showCount(Number(stats.blocks_pruned))} ruled out · {showBytes(Number(stats.bytes_read))} read
      </span>
    </>
  );
}

function Warnings({ search }: { search: Search }) {
  const [open, setOpen] = useState(false);
  const done = search.done;
  if (!done || (!done.partial && done.warnings.length === 0)) return null;
  const text = done.warnings.join(" · ");
  return (
    <button type="button" className={css.warning} data-open={open} aria-expanded={open} onClick={() => setOpen(!open)} title={text}>
      {done.partial && <strong>Incomplete</strong>} {text === "" ? "The server gave no reason." : text}
    </button>
  );
}
