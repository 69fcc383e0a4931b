/** What a table's columns hold, and the chart that follows from it. Pure. */
import type { Cell, Table } from "../api/types";

export type ColumnKind = "time" | "number" | "text";

export function asNumber(cell: Cell | undefined): number | null {
  if (cell === null || cell === undefined || Array.isArray(cell) || typeof cell === "boolean") return null;
  if (typeof cell === "string") return null;
  return Number(cell);
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

export function columnKinds({ columns, rows }: Table): ColumnKind[] {
  return columns.map((_, at) => {
    const cells = rows.map((r) => r[at]).filter((c) => c !== null && c !== undefined);
    if (cells.length > 0 && cells.every((c) => typeof c === "string" && RFC3339.test(c))) return "time";
    return cells.length > 0 && cells.every((c) => asNumber(c) !== null) ? "number" : "text";
  });
}

export interface TimeChart {
  /** Epoch seconds, ascending. */
  x: number[];
  series: { name: string; y: (number | null)[] }[];
}

/** Series over time if the table is a timechart's: a time first, numbers after it. */
export function timeChart(table: Table): TimeChart | null {
  const kinds = columnKinds(table);
  if (kinds[0] !== "time" || table.rows.length < 2) return null;
  const numbers = table.columns.map((name, at) => ({ name, at })).filter(({ at }) => at > 0 && kinds[at] === "number");
  if (numbers.length === 0) return null;
  const rows = [...table.rows].sort((a, b) => Date.parse(String(a[0])) - Date.parse(String(b[0])));
  return {
    x: rows.map((r) => Date.parse(String(r[0])) / 1000),
    series: numbers.map(({ name, at }) => ({ name, y: rows.map((r) => asNumber(r[at])) })),
  };
}

/** Numbers before text, null last, as the server sorts; stable. */
export function sortRows(rows: Cell[][], at: number, descending: boolean): Cell[][] {
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [a[at] ?? null, b[at] ?? null];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    const [m, n] = [asNumber(x), asNumber(y)];
    if (m !== null && n !== null) return sign * (m - n);
    if (m !== null || n !== null) return m !== null ? -1 : 1;
    return sign * (String(x) < String(y) ? -1 : String(x) > String(y) ? 1 : 0);
  });
}
