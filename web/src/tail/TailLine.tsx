import { useEffect, useState } from "react";
import { Button } from "../ui/Button";
import line from "../search/StatusLine.module.css";
import { plural, showCount } from "../ui/numbers";
import css from "./Tail.module.css";
import { KEPT_MAX, rate, type Tail } from "./useTail";

/** The state of the live tail: rate, pause, what waits and what is left out. */
export function TailLine({ tail, onStop, children }: { tail: Tail; onStop: () => void; children?: React.ReactNode }) {
  const now = useSecond();
  return (
    <div className={line.line}>
      <div className={line.facts} data-testid="status">
        <span className={css.state} data-on={tail.connected && !tail.paused}>
          <span className={css.dot} aria-hidden="true" />
          <strong>{tail.paused ? "Paused" : tail.connected ? "Live" : tail.error ? "Reconnecting" : "Connecting"}</strong>
        </span>
        <span>{showRate(rate(tail, now))} events/s</span>
        <span className={line.cost}>{showCount(tail.matched)} matched</span>
        {tail.oneOf > 1 && !tail.paused && <span className={css.warn}>showing 1 of {showCount(tail.oneOf)}</span>}
        {tail.dropped > 0 && <span className={css.warn}>{plural(tail.dropped, "event")} left out: faster than this page can show</span>}
        {tail.hits.length >= KEPT_MAX && <span className={line.cost}>newest {showCount(KEPT_MAX)} kept</span>}
        {tail.error && <span className={css.warn}>{tail.error.message}</span>}
      </div>
      <Button small icon={tail.paused ? "play" : "pause"} onClick={tail.paused ? tail.resume : tail.pause} title="Space">
        {tail.paused ? (tail.waiting.length > 0 ? `Show ${plural(tail.waiting.length, "new event")}` : "Resume") : "Pause"}
      </Button>
      <Button small look="quiet" onClick={tail.clear}>Clear</Button>
      <Button small look="quiet" onClick={onStop} title="l">Stop</Button>
      <div className={line.tools}>{children}</div>
    </div>
  );
}

function showRate(n: number): string {
  return n > 0 && n < 10 ? n.toFixed(1) : showCount(n);
}

function useSecond(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
