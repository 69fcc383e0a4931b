import { useState } from "react";
import { apiUrl } from "../api/client";
import { type Run, runParams } from "../state/session";
import type { Search } from "../search/useSearch";
import { Segments } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import controls from "../ui/controls.module.css";
import { plural, showBytes } from "../ui/numbers";
import css from "./Export.module.css";

type Format = "ndjson" | "csv";

interface Props {
  run: Run;
  search: Search;
  columns: string[];
  onClose: () => void;
}

/** All events of the search as a file, with the columns and the order on screen. Says first how large it will be. */
export function ExportDialog({ run, search, columns, onClose }: Props) {
  const [format, setFormat] = useState<Format>(columns.length > 0 ? "csv" : "ndjson");
  const [onScreen, setOnScreen] = useState(columns.length > 0);
  // NDJSON is always the whole event: a line of it can be sent in again.
  const chosen = onScreen && format === "csv";
  const fields = chosen ? ["timestamp", ...columns, "message"].filter((name, at, all) => all.indexOf(name) === at).join(",") : undefined;
  const href = apiUrl("/api/export", { ...runParams(run), sort: run.sort, format, fields });
  const estimate = estimateBytes(search, chosen ? columns : null);
  const total = search.done?.total ?? null;
  return (
    <Dialog title="Export" onClose={onClose}>
      <div className={css.form}>
        <div className={css.row}>
          <span>Format</span>
          <Segments<Format> label="Format" value={format} onChange={setFormat} options={[{ value: "ndjson", label: "NDJSON" }, { value: "csv", label: "CSV" }]} />
        </div>
        {columns.length > 0 && format === "csv" && (
          <label className={css.check}>
            <input type="checkbox" checked={onScreen} onChange={(e) => setOnScreen(e.target.checked)} />
            Only the columns on screen: {["timestamp", ...columns, "message"].join(", ")}
          </label>
        )}
        <p data-testid="estimate">
          {total === null ? "The number of events is not known yet." : `${plural(total, "event")}${estimate === null ? "" : `, about ${showBytes(estimate)}`}, ${run.sort === "" ? "newest first" : `sorted by ${run.sort}`}.`} No row is left out.
        </p>
        <div className={css.actions}>
          <a className={`${controls.button} ${controls.primary}`} href={href} download={`helios.${format}`} data-autofocus="" onClick={onClose}>Download</a>
        </div>
        <div>
          <h3>The same from a terminal</h3>
          <pre className={css.code}>{`curl -s '${location.origin}${href}' -o helios.${format}`}</pre>
        </div>
      </div>
    </Dialog>
  );
}

/** Mean size of what is loaded times the total. Null when nothing is loaded to judge by. */
export function estimateBytes(search: Pick<Search, "hits" | "done">, columns: string[] | null): number | null {
  const sample = search.hits.slice(0, 200);
  const total = search.done?.total;
  if (sample.length === 0 || total === null || total === undefined) return null;
  const size = sample.reduce((sum, hit) => {
    const whole = columns === null ? hit : [hit.timestamp, hit.message, ...columns.map((c) => hit.fields[c] ?? "")];
    return sum + JSON.stringify(whole).length + 1;
  }, 0);
  return (size / sample.length) * Number(total);
}
