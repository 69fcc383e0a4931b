import { useEffect, useRef } from "react";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { readLevel } from "../search/event";
import { showMs, showTick, type Zone } from "../time/instant";
import type { Window } from "../time/range";
import { useTheme } from "../ui/theme";
import type { TimeChart } from "./shape";
import css from "./Stages.module.css";

const HEIGHT_PX = 220;
const COLOURS = 8;
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 });

/** A level keeps its colour of the histogram; other series take the palette in order. */
function colourOf(name: string, at: number): string {
  const level = readLevel(name);
  return level === "none" ? `--series-${(at % COLOURS) + 1}` : `--level-${level}`;
}

interface Props {
  chart: TimeChart;
  zone: Zone;
  onZoom: (window: Window) => void;
}

/** Series over time. A drag zooms the search, as in the histogram. */
export default function Chart({ chart, zone, onZoom }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const theme = useTheme();
  const zoom = useRef(onZoom);
  useEffect(() => {
    zoom.current = onZoom;
  });
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const style = getComputedStyle(document.documentElement);
    const token = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: token("--muted"), grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line"), width: 1 }, font: `11px ${token("--font-ui")}` };
    const plot = new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT_PX,
        ...(zone === "utc" ? { tzDate: (seconds: number) => UPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC") } : {}),
        cursor: { drag: { x: true, y: false, setScale: false } },
        axes: [{ ...axis, values: (_u, splits, _axis, _space, step) => splits.map((s) => showTick(s * 1000, zone, step * 1000)) }, { ...axis, size: 64, values: (_u, splits) => splits.map((n) => compact.format(n)) }],
        scales: { y: { range: (_u, low, high) => [Math.min(0, low), high <= 0 ? 1 : high * 1.05] } },
        series: [
          { label: "Time", value: (_u, seconds) => (seconds === null ? "–" : showMs(seconds * 1000, zone)) },
          ...chart.series.map((s, at) => ({ label: s.name, stroke: token(colourOf(s.name, at)), width: 1.5, points: { show: chart.x.length < 60, size: 5 }, dash: at >= COLOURS ? [6, 4] : [] })),
        ],
        hooks: {
          setSelect: [
            (u) => {
              const { left, width } = u.select;
              if (width < 4) return;
              const startMs = Math.round(u.posToVal(left, "x") * 1000);
              zoom.current({ startMs, endMs: Math.max(startMs + 1, Math.round(u.posToVal(left + width, "x") * 1000)) });
            },
          ],
        },
      },
      [chart.x, ...chart.series.map((s) => s.y)],
      element,
    );
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [chart, zone, theme]);
  return <div ref={host} className={css.chart} role="img" aria-label={`Chart of ${chart.series.map((s) => s.name).join(", ")} over time; the table below has the figures`} data-testid="chart" />;
}
