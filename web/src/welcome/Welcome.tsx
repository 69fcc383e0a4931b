import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import { Button, Segments } from "../ui/Button";
import { copyText } from "../ui/toast";
import { type Shipper, SHIPPERS, snippet } from "./shippers";
import css from "./Welcome.module.css";
import { Mark } from "../ui/Mark";

/** How often the page looks for the first event. */
const LOOK_EVERY_MS = 1_500;

/** A first visit without data: how to send an event to this very server, and the event when it comes. */
export function Welcome({ env, onArrived, onSkip }: { env: string; onArrived: () => void; onSkip: () => void }) {
  const [shipper, setShipper] = useState<Shipper>("curl");
  const first = useQuery({
    queryKey: ["first-event", env],
    queryFn: ({ signal }) => api.search({ q: "*", env, limit: 1 }, signal),
    refetchInterval: (query) => ((query.state.data?.hits.length ?? 0) > 0 ? false : LOOK_EVERY_MS),
  });
  const hit = first.data?.hits[0];
  const text = snippet(shipper, location.origin, env);
  return (
    <main className={css.welcome} data-testid="welcome">
      <p className={css.brand}><Mark /> HeliosLogs</p>
      <h1>No events yet</h1>
      <p>
        Send one to this server. It is searchable as soon as the answer comes, and shows here.
      </p>
      <div className={css.how}>
        <Segments<Shipper> label="Ways to send" value={shipper} onChange={setShipper} options={SHIPPERS} />
        <Button small icon="copy" onClick={() => void copyText(text, "it")}>Copy</Button>
      </div>
      <pre className={css.code} tabIndex={0} aria-label="What to run or configure">{text}</pre>
      <p className={css.muted}>
        Lifelike events to look around in: <code>helios demo</code> on this machine. <Button small onClick={onSkip}>Go to the search page</Button>
      </p>
      <div className={css.waiting} role="status" data-arrived={hit !== undefined}>
        {hit === undefined ? (
          <><span className={css.dot} aria-hidden="true" /> {first.isError ? `The server does not answer: ${first.error.message}` : "Waiting for the first event…"}</>
        ) : (
          <div>
            <strong>It arrived.</strong>
            <pre className={css.code}>{hit.raw.slice(0, 2000)}</pre>
            <Button look="primary" onClick={onArrived}>Search</Button>
          </div>
        )}
      </div>
    </main>
  );
}
