import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, type Ref, useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef } from "react";
import type { Hit } from "../api/types";
import { showBoth, showListTime, type Zone } from "../time/instant";
import { fieldOf, levelOf, showValue, tellingFields } from "./event";
import css from "./EventList.module.css";
import { wordAtPoint } from "./words";
import { useValueActions } from "./values";

export const ROW_PX = 22;
/** Height of the column heads, which stay over the rows. */
const HEAD_PX = 25;

export interface EventListHandle {
  focus: () => void;
  atTop: () => boolean;
  toTop: () => void;
}

interface Props {
  hits: Hit[];
  columns: string[];
  /** Fields named first behind the message. */
  preferred: string[];
  zone: Zone;
  sort: string;
  selected: string | null;
  label: string;
  /** All that match, when it is known. */
  total: number | null;
  /** New events arrive above: what is being read must not move. */
  growsAbove?: boolean;
  onSort: (sort: string) => void;
  onOpen: (hit: Hit) => void;
  onEnd?: () => void;
  footer?: ReactNode;
  ref?: Ref<EventListHandle>;
}

/** Events, one line each, as many as there are; only those in sight are in the document. */
export function EventList({ hits, columns, preferred, zone, sort, selected, label, total, growsAbove = false, onSort, onOpen, onEnd, footer, ref }: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const withDate = useMemo(() => spansDays(hits, zone), [hits, zone]);
  const widths = useMemo(() => columnWidths(hits, columns), [hits, columns]);
  const virtual = useVirtualizer({
    count: hits.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    overscan: 15,
    scrollMargin: HEAD_PX,
    scrollPaddingStart: HEAD_PX,
    scrollPaddingEnd: ROW_PX,
    getItemKey: (at) => hits[at]?.id ?? at,
  });
  const items = virtual.getVirtualItems();

  useImperativeHandle(ref, () => ({
    focus: () => scroll.current?.focus(),
    atTop: () => (scroll.current?.scrollTop ?? 0) < ROW_PX,
    toTop: () => scroll.current?.scrollTo({ top: 0 }),
  }), []);

  const at = selected === null ? -1 : hits.findIndex((h) => h.id === selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
    // Only a new selection scrolls, not new hits around it.
  }, [selected]);

  useKeptPlace(scroll, hits, growsAbove);

  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (last >= 0 && last >= hits.length - 40) onEnd?.();
  }, [last, hits.length, onEnd]);

  return (
    <div className={css.list}>
      <div ref={scroll} className={css.scroll} role="grid" aria-label={label} tabIndex={0} aria-rowcount={total === null ? -1 : total + 1} aria-activedescendant={at >= 0 && items.some((i) => i.index === at) ? rowId(selected) : undefined} data-testid="events">
        <div className={css.head} role="row" aria-rowindex={1}>
          <Header name="timestamp" label={zone === "utc" ? "Time (UTC)" : "Time"} sort={sort} className={withDate ? css.timeLong : css.time} onSort={onSort} />
          <span role="columnheader" className={css.level}>Level</span>
          {columns.map((name, i) => (
            <ColumnHeader key={name} name={name} sort={sort} width={widths[i] ?? 12} onSort={onSort} />
          ))}
          <span role="columnheader" className={css.message}>Message</span>
        </div>
        <div role="rowgroup" className={css.rows} style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const hit = hits[item.index];
            return hit === undefined ? null : (
              <Row key={item.key} hit={hit} at={item.index} top={item.start - HEAD_PX} columns={columns} widths={widths} preferred={preferred} zone={zone} withDate={withDate} selected={hit.id === selected} onOpen={onOpen} />
            );
          })}
        </div>
        {footer}
      </div>
    </div>
  );
}

function rowId(id: string | null): string {
  return `event-${id}`;
}

/** While events arrive on top, a list that was scrolled down keeps showing the same events. */
function useKeptPlace(scroll: React.RefObject<HTMLDivElement | null>, hits: Hit[], growsAbove: boolean): void {
  const first = useRef<string | undefined>(undefined);
  useLayoutEffect(() => {
    const before = first.current;
    first.current = hits[0]?.id;
    const box = scroll.current;
    if (!growsAbove || !box || before === undefined || box.scrollTop < ROW_PX) return;
    const added = hits.findIndex((h) => h.id === before);
    if (added > 0) box.scrollTop += added * ROW_PX;
  }, [hits, growsAbove, scroll]);
}

/** The wanted sort after a click: newest first, oldest first, and back. */
export function nextSort(sort: string, name: string): string {
  if (name === "timestamp") return sort === "timestamp" ? "" : "timestamp";
  return sort === `-${name}` ? name : sort === name ? "" : `-${name}`;
}

function sortState(sort: string, name: string): "ascending" | "descending" | "none" {
  if (sort === name) return "ascending";
  if (sort === `-${name}` || (sort === "" && name === "timestamp")) return "descending";
  return "none";
}

const ARROWS = { ascending: "↑", descending: "↓", none: "" };

interface HeaderProps {
  name: string;
  label: string;
  sort: string;
  className?: string | undefined;
  width?: number;
  onSort: (sort: string) => void;
  children?: ReactNode;
}

function Header({ name, label, sort, className, width, onSort, children }: HeaderProps) {
  const state = sortState(sort, name);
  return (
    <span role="columnheader" aria-sort={state} className={className} style={width === undefined ? undefined : { width: `${width}ch` }}>
      <button type="button" className={css.sort} onClick={() => onSort(nextSort(sort, name))} title={`${label}: click to sort`}>
        {label} <span aria-hidden="true">{ARROWS[state]}</span>
      </button>
      {children}
    </span>
  );
}

function ColumnHeader({ name, sort, width, onSort }: { name: string; sort: string; width: number; onSort: (sort: string) => void }) {
  const { toggleColumn } = useValueActions();
  return (
    <Header name={name} label={name} sort={sort} width={width} className={css.column} onSort={onSort}>
      <button type="button" className={css.remove} aria-label={`Remove column ${name}`} onClick={() => toggleColumn(name)}>×</button>
    </Header>
  );
}

interface RowProps {
  hit: Hit;
  at: number;
  top: number;
  columns: string[];
  widths: number[];
  preferred: string[];
  zone: Zone;
  withDate: boolean;
  selected: boolean;
  onOpen: (hit: Hit) => void;
}

/** Characters of a message that go into one line of the list; the rest is in the details. */
const LINE_CHARS = 600;
const CHIP_CHARS = 60;
const CHIPS = 6;

const Row = memo(function Row({ hit, at, top, columns, widths, preferred, zone, withDate, selected, onOpen }: RowProps) {
  const { level, word } = levelOf(hit);
  const { exclude } = useValueActions();
  const open = (event: React.MouseEvent) => {
    const word = event.altKey && event.target instanceof Element && event.target.classList.contains(css.text ?? "") ? wordAtPoint(event.clientX, event.clientY) : null;
    if (word !== null) exclude({ field: null, value: word });
    // A text being marked with the mouse is not a click on the row.
    else if (window.getSelection()?.isCollapsed !== false) onOpen(hit);
  };
  return (
    <div id={rowId(hit.id)} className={css.row} role="row" aria-rowindex={at + 2} aria-selected={selected} data-level={level} style={{ transform: `translateY(${top}px)` }} onClick={open}>
      <span role="gridcell" className={withDate ? css.timeLong : css.time} title={showBoth(hit.timestamp)}>{showListTime(hit.timestamp, zone, withDate)}</span>
      <span role="gridcell" className={css.level}>{word.slice(0, 8)}</span>
      {columns.map((name, i) => (
        <span key={name} role="gridcell" className={css.column} style={{ width: `${widths[i] ?? 12}ch` }}>
          <Value hit={hit} name={name} bare />
        </span>
      ))}
      <span role="gridcell" className={css.message}>
        <span className={css.text}>{(hit.message || (columns.length === 0 && Object.keys(hit.fields).length === 0 ? hit.raw : "")).slice(0, LINE_CHARS)}</span>
        {columns.length === 0 && tellingFields(hit, preferred, CHIPS).map((name) => <Value key={name} hit={hit} name={name} />)}
      </span>
    </div>
  );
});

function Value({ hit, name, bare = false }: { hit: Hit; name: string; bare?: boolean }) {
  const { pick } = useValueActions();
  const value = showValue(fieldOf(hit, name));
  if (value === "") return null;
  return (
    <button type="button" tabIndex={-1} className={css.chip} title={value.length > CHIP_CHARS ? value.slice(0, 2000) : undefined} onClick={(event) => pick(event, { field: name, value })}>
      {!bare && <span className={css.chipName}>{name}=</span>}
      {value.length > CHIP_CHARS && !bare ? `${value.slice(0, CHIP_CHARS - 20)}…${value.slice(-18)}` : value.slice(0, 300)}
    </button>
  );
}

/** True when the events on screen are not all of one day. */
function spansDays(hits: Hit[], zone: Zone): boolean {
  const first = hits[0];
  const last = hits.at(-1);
  if (!first || !last) return false;
  const day = (h: Hit) => showListTime(h.timestamp, zone, true).slice(0, 10);
  return day(first) !== day(last) || day(first) !== showListTime(new Date().toISOString(), zone, true).slice(0, 10);
}

const WIDTH_MIN = 8;
const WIDTH_MAX = 36;
/** Rows that are looked at to choose a column's width. */
const WIDTH_ROWS = 100;

function columnWidths(hits: Hit[], columns: string[]): number[] {
  return columns.map((name) => {
    let longest = name.length + 6;
    for (const hit of hits.slice(0, WIDTH_ROWS)) longest = Math.max(longest, showValue(fieldOf(hit, name)).length + 2);
    return Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, longest));
  });
}
