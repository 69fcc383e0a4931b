import { useId, useState } from "react";
import { serverNow } from "../api/client";
import { useStored } from "../state/stored";
import { Button, Segments } from "../ui/Button";
import controls from "../ui/controls.module.css";
import { type Anchor, Popover } from "../ui/Popover";
import { showMs, type Zone } from "./instant";
import { absolute, describe, isRelative, PRESETS, type Range, readTime, readTimestamp, resolve } from "./range";
import css from "./TimePicker.module.css";

/** How far around a pasted timestamp the range reaches on each side. */
const AROUND_MS = 5 * 60_000;
const RECENT_MAX = 5;

const isRanges = (v: unknown): v is Range[] =>
  Array.isArray(v) && v.every((r: Partial<Range> | null) => typeof r?.start === "string" && typeof r.end === "string");
const NONE: Range[] = [];

interface Props {
  anchor: Anchor;
  range: Range;
  zone: Zone;
  onPick: (range: Range) => void;
  onZone: (zone: Zone) => void;
  onClose: () => void;
}

/** Presets, both ends as text, and one box that takes any timestamp. Nothing changes until it can be read. */
export function TimePicker({ anchor, range, zone, onPick, onZone, onClose }: Props) {
  const [start, setStart] = useState(() => editable(range.start, zone));
  const [end, setEnd] = useState(() => editable(range.end, zone));
  const [pasted, setPasted] = useState("");
  const [recent, setRecent] = useStored("ranges", NONE, isRanges);
  const now = serverNow();

  const pick = (picked: Range) => {
    const usual = PRESETS.some((p) => same(p.range, picked));
    if (!usual) setRecent([picked, ...recent.filter((r) => !same(r, picked))].slice(0, RECENT_MAX));
    onClose();
    onPick(picked);
  };
  const startMs = start.trim() === "all" ? 0 : readTime(start, now, zone);
  const endMs = readTime(end, now, zone);
  const problem = startMs === null ? "The start cannot be read." : endMs === null ? "The end cannot be read." : endMs <= startMs ? "The end is not after the start." : null;
  const apply = () => {
    if (problem === null) pick({ start: keep(start, now, zone), end: keep(end, now, zone) });
  };
  const around = pasted.trim() === "" ? null : readTimestamp(pasted, now, zone);

  return (
    <Popover anchor={anchor} label="Time range" align="right" onClose={onClose} className={css.picker}>
      <div className={css.columns}>
        <ul className={css.presets} aria-label="Ranges">
          {[...PRESETS, ...recent.map((r) => ({ range: r, label: describe(r, zone) }))].map((p, at) => (
            <li key={at} className={at === PRESETS.length ? css.firstRecent : undefined}>
              <button type="button" className={controls.item} aria-current={same(p.range, range)} onClick={() => pick(p.range)}>
                {p.label}
              </button>
            </li>
          ))}
        </ul>
        <form
          className={css.form}
          onSubmit={(event) => {
            event.preventDefault();
            apply();
          }}
        >
          <TimeInput label="From (included)" value={start} ms={start.trim() === "all" ? null : startMs} zone={zone} onChange={setStart} autofocus />
          <TimeInput label="To (not included)" value={end} ms={endMs} zone={zone} onChange={setEnd} />
          <div className={css.row}>
            <span className={css.problem} role="status">{problem}</span>
            <Button look="primary" type="submit" disabled={problem !== null}>Apply</Button>
          </div>
          <label className={css.label}>
            Any timestamp, pasted
            <input className={`${controls.input} ${css.mono}`} value={pasted} placeholder="1765432100123, 10/Oct/2026:13:55:36 +0200 …" onChange={(e) => setPasted(e.target.value)}
              onKeyDown={(e) => {
                if (e.key !== "Enter") return;
                e.preventDefault();
                if (around !== null) pick(absolute({ startMs: around - AROUND_MS, endMs: around + AROUND_MS }));
              }} />
          </label>
          <div className={css.row}>
            <span className={css.read} role="status">
              {pasted.trim() !== "" && (around === null ? "Not a timestamp this page can read." : `${showMs(around, zone)} ${zone === "utc" ? "UTC" : "local"}`)}
            </span>
            <Button disabled={around === null} onClick={() => around !== null && pick(absolute({ startMs: around - AROUND_MS, endMs: around + AROUND_MS }))}>
              5 min around it
            </Button>
          </div>
          <div className={css.zone}>
            <span>Show times in</span>
            <Segments<Zone> label="Time zone" value={zone} onChange={onZone} options={[{ value: "local", label: `Local (${localZoneName()})` }, { value: "utc", label: "UTC" }]} />
          </div>
          <p className={css.help}>Relative: <code>-15m</code>, <code>-1d@d</code>, <code>now</code>; units s m h d w; <code>@d</code> is the start of the UTC day.</p>
        </form>
      </div>
    </Popover>
  );
}

interface InputProps {
  label: string;
  value: string;
  ms: number | null;
  zone: Zone;
  onChange: (text: string) => void;
  autofocus?: boolean;
}

function TimeInput({ label, value, ms, zone, onChange, autofocus }: InputProps) {
  const id = useId();
  return (
    <div>
      <label className={css.label} htmlFor={id}>{label}</label>
      <input id={id} className={`${controls.input} ${css.mono}`} value={value} spellCheck={false} autoComplete="off" aria-invalid={ms === null && value.trim() !== "all"}
        aria-describedby={`${id}-read`} {...(autofocus ? { "data-autofocus": "" } : {})} onChange={(e) => onChange(e.target.value)} />
      <span id={`${id}-read`} className={css.read}>{ms === null ? (value.trim() === "all" ? "everything" : " ") : showMs(ms, zone)}</span>
    </div>
  );
}

const same = (a: Range, b: Range) => a.start === b.start && a.end === b.end;

/** An end as text to edit: relative as written, absolute in the zone on screen. */
function editable(text: string, zone: Zone): string {
  if (text === "all" || isRelative(text)) return text;
  const window = resolve({ start: text, end: text }, 0, zone);
  return window ? showMs(window.startMs, zone) : text;
}

/** What goes into the address: relative as written, absolute without doubt about its zone. */
function keep(text: string, now: number, zone: Zone): string {
  const t = text.trim();
  if (t === "all" || isRelative(t)) return t;
  const ms = readTime(t, now, zone);
  return ms === null ? t : new Date(ms).toISOString();
}

function localZoneName(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
