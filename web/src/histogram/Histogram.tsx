import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import { ApiError, api } from "../api/client";
import { eventsPart } from "../query/edit";
import type { Level } from "../search/event";
import { type Run, runParams } from "../state/session";
import { showMs, showSpan, showTick, type Zone } from "../time/instant";
import type { Window } from "../time/range";
import { Button } from "../ui/Button";
import { showCount } from "../ui/numbers";
import { type Bar, chooseInterval, niceTop, STACK, toBars, writeInterval } from "./buckets";
import css from "./Histogram.module.css";

interface Props {
  run: Run | null;
  zone: Zone;
  levelField: string;
  onZoom: (window: Window) => void;
  onBack: () => void;
  onShift: (steps: number) => void;
}

export function Histogram({ run, zone, levelField, onZoom, onBack, onShift }: Props) {
  const window = run?.window ?? null;
  const intervalMs = window ? chooseInterval(window) : 0;
  const answer = useQuery({
    queryKey: ["histogram", run?.number, levelField],
    enabled: window !== null,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => api.histogram({ ...runParams(run as Run), q: eventsPart((run as Run).query), interval: writeInterval(intervalMs), by: levelField, tz: zone === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : undefined }, signal),
  });
  const bars = useMemo(() => toBars(answer.data?.buckets ?? []), [answer.data]);
  const stepMs = Number(answer.data?.interval_ms ?? intervalMs) || intervalMs;
  return (
    <section className={css.histogram} aria-label="Events over time">
      <Button look="quiet" small icon="left" aria-label="Earlier window" title="Earlier window  [" onClick={() => onShift(-1)} disabled={!window} />
      {window ? (
        <Bars bars={bars} window={window} stepMs={stepMs} zone={zone} stale={answer.isPlaceholderData} onZoom={onZoom} onBack={onBack} />
      ) : (
        <div className={css.plot} />
      )}
      <Button look="quiet" small icon="right" aria-label="Later window" title="Later window  ]" onClick={() => onShift(1)} disabled={!window} />
      {answer.isError && !(answer.error instanceof ApiError && answer.error.body.code === "bad_query") && <div className={css.note}>No histogram: {answer.error.message}</div>}
      {answer.data?.partial && <div className={css.note}>Incomplete: {(answer.data.warnings ?? []).join(" ")}</div>}
    </section>
  );
}

interface BarsProps {
  bars: Bar[];
  window: Window;
  stepMs: number;
  zone: Zone;
  stale: boolean;
  onZoom: (window: Window) => void;
  onBack: () => void;
}

/** Height of the bars in pixels; the tick labels stand below it. */
const PLOT_PX = 60;
/** A drag shorter than this is a click that slipped. */
const DRAG_MIN_PX = 4;

export const Bars = memo(function Bars({ bars, window, stepMs, zone, stale, onZoom, onBack }: BarsProps) {
  const plot = useRef<HTMLDivElement>(null);
  const widthPx = useWidth(plot);
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const [hover, setHover] = useState<number | null>(null);
  const top = niceTop(Math.max(0, ...bars.map((b) => b.count)));
  const spanMs = window.endMs - window.startMs;
  const toPx = (ms: number) => ((ms - window.startMs) / spanMs) * widthPx;
  const toMs = (px: number) => window.startMs + (px / Math.max(1, widthPx)) * spanMs;

  const pointer = (event: React.PointerEvent) => {
    const box = plot.current?.getBoundingClientRect();
    return box ? Math.max(0, Math.min(box.width, event.clientX - box.left)) : 0;
  };
  const finish = (event: React.PointerEvent) => {
    const at = drag && { from: Math.min(drag.from, pointer(event)), to: Math.max(drag.from, pointer(event)) };
    setDrag(null);
    if (at && at.to - at.from >= DRAG_MIN_PX) onZoom(snapped({ startMs: toMs(at.from), endMs: toMs(at.to) }, window, bars, stepMs));
  };
  const under = hover === null ? undefined : bars.find((b) => toMs(hover) >= b.startMs && toMs(hover) < b.startMs + stepMs);

  return (
    <div
      ref={plot}
      className={css.plot}
      data-stale={stale}
      data-testid="histogram"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture?.(event.pointerId);
        setDrag({ from: pointer(event), to: pointer(event) });
      }}
      onPointerMove={(event) => {
        setHover(pointer(event));
        if (drag) setDrag({ ...drag, to: pointer(event) });
      }}
      onPointerUp={finish}
      onPointerCancel={() => setDrag(null)}
      onPointerLeave={() => setHover(null)}
      onDoubleClick={onBack}
    >
      <svg className={css.svg} width={widthPx} height={PLOT_PX} role="img" aria-label={summary(bars, stepMs)}>
        {bars.map((bar) => (
          <Column key={bar.startMs} bar={bar} left={toPx(Math.max(bar.startMs, window.startMs))} right={toPx(Math.min(bar.startMs + stepMs, window.endMs))} top={top} lit={bar === under} />
        ))}
        {drag && <rect className={css.brush} x={Math.min(drag.from, drag.to)} width={Math.abs(drag.to - drag.from)} y={0} height={PLOT_PX} />}
      </svg>
      <Ticks window={window} widthPx={widthPx} zone={zone} toPx={toPx} />
      {bars.length > 0 && <span className={css.top}>{showCount(top)}</span>}
      {under && hover !== null && !drag && <Hint bar={under} stepMs={stepMs} zone={zone} right={hover > widthPx / 2} at={hover} />}
      {drag && Math.abs(drag.to - drag.from) >= DRAG_MIN_PX && (
        <div className={css.hint} style={hintPlace(Math.max(drag.from, drag.to), Math.max(drag.from, drag.to) > widthPx / 2, widthPx)}>
          {showSpan(Math.abs(toMs(drag.to) - toMs(drag.from)))}
        </div>
      )}
    </div>
  );
});

function Column({ bar, left, right, top, lit }: { bar: Bar; left: number; right: number; top: number; lit: boolean }) {
  const width = Math.max(1, right - left - 1);
  let y = PLOT_PX;
  const total = Object.values(bar.levels).reduce((sum, n) => sum + n, 0);
  // At least two pixels: one event among a million must not vanish.
  const height = bar.count === 0 ? 0 : Math.max(2, (bar.count / top) * PLOT_PX);
  return (
    <g className={lit ? css.lit : undefined}>
      {lit && <rect className={css.column} x={left} width={width} y={0} height={PLOT_PX} />}
      {STACK.map((level) => {
        const share = (bar.levels[level] ?? 0) / Math.max(1, total);
        if (share === 0) return null;
        y -= share * height;
        return <rect key={level} className={css[level]} x={left} y={y} width={width} height={share * height} />;
      })}
    </g>
  );
}

const TICK_PX = 110;

function Ticks({ window, widthPx, zone, toPx }: { window: Window; widthPx: number; zone: Zone; toPx: (ms: number) => number }) {
  const stepMs = chooseTick((window.endMs - window.startMs) / Math.max(1, widthPx / TICK_PX));
  // Midnight of the zone on screen, so that day ticks stand where days begin.
  const shift = zone === "local" ? new Date(window.startMs).getTimezoneOffset() * 60_000 : 0;
  const first = Math.ceil((window.startMs - shift) / stepMs) * stepMs + shift;
  const ticks: number[] = [];
  for (let t = first; t < window.endMs && ticks.length < 40; t += stepMs) ticks.push(t);
  return (
    <div className={css.ticks} aria-hidden="true">
      {ticks.filter((t) => toPx(t) < widthPx - TICK_PX / 2).map((t) => (
        <span key={t} className={css.tick} style={{ left: toPx(t) }}>
          {showTick(t, zone, stepMs)}
        </span>
      ))}
    </div>
  );
}

const TICK_STEPS_MS = [1, 10, 100, 1_000, 5_000, 15_000, 30_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000, 604_800_000];

function chooseTick(atLeastMs: number): number {
  return TICK_STEPS_MS.find((s) => s >= atLeastMs) ?? Math.ceil(atLeastMs / 604_800_000) * 604_800_000;
}

function Hint({ bar, stepMs, zone, right, at }: { bar: Bar; stepMs: number; zone: Zone; right: boolean; at: number }) {
  return (
    <div className={css.hint} style={hintPlace(at, right)}>
      <div>{showMs(bar.startMs, zone)} <span className={css.muted}>+{showSpan(stepMs)}</span></div>
      <div className={css.sum}>{showCount(bar.count)} events</div>
      {STACK.filter((l) => bar.levels[l]).map((level) => (
        <div key={level} className={css.key}>
          <span className={`${css.swatch} ${css[`${level}Key`]}`} />
          <span>{level === "none" ? "no level" : level}</span>
          <span className={css.n}>{showCount(bar.levels[level] ?? 0)}</span>
        </div>
      ))}
    </div>
  );
}

function hintPlace(at: number, right: boolean, widthPx = 0): React.CSSProperties {
  return right ? { right: `calc(100% - ${at - 8}px)` } : { left: Math.min(at + 8, Math.max(widthPx, at + 8)) };
}

/** Ends on bar borders where the bars are fine enough, so that a zoomed window shows whole bars. */
export function snapped(wanted: Window, within: Window, bars: Bar[], stepMs: number): Window {
  const first = bars.findLast((b) => b.startMs <= wanted.startMs);
  const last = bars.find((b) => b.startMs + stepMs >= wanted.endMs);
  const startMs = Math.max(within.startMs, first?.startMs ?? wanted.startMs);
  const endMs = Math.min(within.endMs, last ? last.startMs + stepMs : wanted.endMs);
  return { startMs: Math.round(startMs), endMs: Math.max(Math.round(startMs) + 1, Math.round(endMs)) };
}

function summary(bars: Bar[], stepMs: number): string {
  const total = bars.reduce((sum, b) => sum + b.count, 0);
  const errors = bars.reduce((sum, b) => sum + (b.levels.error ?? 0) + (b.levels.fatal ?? 0), 0);
  const most = Math.max(0, ...bars.map((b) => b.count));
  const level: Level = "error";
  return `${showCount(total)} events, ${showCount(errors)} of level ${level} or worse; at most ${showCount(most)} in ${showSpan(stepMs)}`;
}

function useWidth(element: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element.current || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver((entries) => setWidth(entries[0]?.contentRect.width ?? 0));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
