import { useVirtualizer } from "@tanstack/react-virtual";
import { lazy, Suspense, useMemo, useRef, useState } from "react";
import type { Cell, Table } from "../api/types";
import { useValueActions } from "../search/values";
import { showBoth, showMs, type Zone } from "../time/instant";
import type { Window } from "../time/range";
import { asNumber, type ColumnKind, columnKinds, sortRows, timeChart } from "./shape";
import css from "./Stages.module.css";

const Chart = lazy(() => import("./Chart"));

interface Props {
  table: Table;
  zone: Zone;
  onZoom: (window: Window) => void;
}

const ROW_PX = 24;

/** The rows of a stage, with a chart above them where they run over time. */
export function TableResult({ table, zone, onZoom }: Props) {
  const [order, setOrder] = useState<{ at: number; descending: boolean } | null>(null);
  const kinds = useMemo(() => columnKinds(table), [table]);
  const chart = useMemo(() => timeChart(table), [table]);
  const rows = useMemo(() => (order ? sortRows(table.rows, order.at, order.descending) : table.rows), [table, order]);
  const most = useMemo(() => table.columns.map((_, at) => Math.max(0, ...table.rows.slice(0, 10_000).map((r) => asNumber(r[at]) ?? 0))), [table]);
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroll.current, estimateSize: () => ROW_PX, overscan: 15 });
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);

  return (
    <div className={css.result}>
      {chart && (
        <Suspense fallback={<div className={css.chart} />}>
          <Chart chart={chart} zone={zone} onZoom={onZoom} />
        </Suspense>
      )}
      <div ref={scroll} className={css.scroll} tabIndex={0} role="region" aria-label="Table" data-testid="table">
        <table className={css.table} aria-rowcount={rows.length + 1}>
          <thead>
            <tr>
              {table.columns.map((name, at) => {
                const state = order?.at === at ? (order.descending ? "descending" : "ascending") : "none";
                return (
                  <th key={at} scope="col" aria-sort={state} data-kind={kinds[at]}>
                    <button type="button" onClick={() => setOrder({ at, descending: order?.at === at ? !order.descending : kinds[at] === "number" })}>
                      {name} <span aria-hidden="true">{state === "none" ? "" : state === "ascending" ? "↑" : "↓"}</span>
                    </button>
                  </th>
                );
              })}
              <th className={css.filler} aria-hidden="true" />
            </tr>
          </thead>
          <tbody>
            {before > 0 && <tr aria-hidden="true" style={{ height: before }} />}
            {items.map((item) => (
              <tr key={item.index} aria-rowindex={item.index + 2}>
                {table.columns.map((name, at) => (
                  <TableCell key={at} name={name} cell={rows[item.index]?.[at] ?? null} kind={kinds[at] ?? "text"} share={bar(rows[item.index]?.[at], most[at] ?? 0, chart !== null)} zone={zone} />
                ))}
                <td className={css.filler} />
              </tr>
            ))}
            {after > 0 && <tr aria-hidden="true" style={{ height: after }} />}
          </tbody>
        </table>
        {rows.length === 0 && <p className={css.none}>No rows.</p>}
      </div>
    </div>
  );
}

function bar(cell: Cell | undefined, most: number, charted: boolean): number | null {
  const n = asNumber(cell);
  return charted || n === null || most <= 0 || n < 0 ? null : n / most;
}

const precise = new Intl.NumberFormat("en-US", { maximumFractionDigits: 20 });

interface CellProps {
  name: string;
  cell: Cell;
  kind: ColumnKind;
  share: number | null;
  zone: Zone;
}

function TableCell({ name, cell, kind, share, zone }: CellProps) {
  const { pick } = useValueActions();
  if (cell === null) return <td className={css.null}>null</td>;
  if (kind === "time") return <td title={showBoth(String(cell))}>{showMs(Date.parse(String(cell)), zone)}</td>;
  if (kind === "number") {
    return (
      <td className={share === null ? css.number : `${css.number} ${css.barred}`}>
        {share !== null && <span className={css.bar} style={{ width: `${share * 100}%` }} aria-hidden="true" />}
        <span title={String(cell)}>{typeof cell === "number" ? precise.format(cell) : String(cell)}</span>
      </td>
    );
  }
  const text = Array.isArray(cell) ? cell.map(String).join(", ") : String(cell);
  return (
    <td>
      <button type="button" className={css.cell} title={text} onClick={(event) => pick(event, { field: name, value: text })}>{text === "" ? "(empty)" : text}</button>
    </td>
  );
}
