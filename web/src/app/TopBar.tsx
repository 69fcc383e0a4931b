import { useQuery } from "@tanstack/react-query";
import { type Ref, useState } from "react";
import { api } from "../api/client";
import type { DiscoveredField, ErrorBody } from "../api/types";
import { ClusterButton } from "../cluster/ClusterButton";
import { HistoryPopover } from "../query/HistoryPopover";
import { QueryBar, type QueryBarHandle } from "../query/QueryBar";
import { runParams, useSession } from "../state/session";
import { describe } from "../time/range";
import { TimePicker } from "../time/TimePicker";
import { Button } from "../ui/Button";
import { Mark } from "../ui/Mark";
import { anchorOf } from "../ui/Popover";
import { PageMenu } from "./PageMenu";
import { ScopeButton } from "./ScopeButton";
import css from "./TopBar.module.css";
import type { Overlay } from "../search/SearchPage";

interface Props {
  error: ErrorBody | null;
  fields: DiscoveredField[];
  overlay: Overlay;
  setOverlay: (overlay: Overlay) => void;
  onSubmit: (query: string) => void;
  onLeave: () => void;
  ref?: Ref<QueryBarHandle>;
}

/** Where, what and when: environment, query, time range; and the page's own menu. */
export function TopBar({ error, fields, overlay, setOverlay, onSubmit, onLeave, ref }: Props) {
  const { view, setView, run, rerun } = useSession();
  const [timeButton, setTimeButton] = useState<HTMLElement | null>(null);
  const [historyButton, setHistoryButton] = useState<HTMLElement | null>(null);
  const params = run ? runParams(run) : {};
  const scope = { env: view.env, index: view.index, start: String(params.start ?? ""), end: String(params.end ?? ""), fields };
  return (
    <header className={css.bar}>
      <span className={css.mark} title="HeliosLogs" aria-hidden="true">
        <Mark />
      </span>
      <ScopeButton />
      <QueryBar {...(ref ? { ref } : {})} query={view.query} error={error} scope={scope} onRun={onSubmit} onLeave={onLeave} />
      <span ref={setHistoryButton}>
        <Button icon="history" aria-label="Query history" title="Query history" aria-haspopup="dialog" aria-expanded={overlay === "history"} onClick={() => setOverlay("history")} />
      </span>
      <span ref={setTimeButton}>
        <Button icon="clock" aria-haspopup="dialog" aria-expanded={overlay === "time"} onClick={() => setOverlay("time")} title="Time range  t" disabled={view.live} data-testid="time">
          <span className={css.time}>{view.live ? "Live" : describe(view.range, view.zone)}</span>
        </Button>
      </span>
      <Button look="primary" onClick={() => (view.live ? setView({ live: false }) : rerun())} title="Search  Enter">Search</Button>
      <Button aria-pressed={view.live} onClick={() => setView({ live: !view.live })} title="Live tail  l">Live</Button>
      <ClusterButton />
      <PageMenu setOverlay={setOverlay} />
      {overlay === "time" && timeButton && (
        <TimePicker anchor={anchorOf(timeButton)} range={view.range} zone={view.zone} onPick={(range) => setView({ range, live: false })} onZone={(zone) => setView({ zone }, true)} onClose={() => setOverlay(null)} />
      )}
      {overlay === "history" && historyButton && <HistoryPopover anchor={anchorOf(historyButton)} onPick={onSubmit} onClose={() => setOverlay(null)} />}
    </header>
  );
}

export function useEnvs(): string[] {
  const envs = useQuery({ queryKey: ["envs"], queryFn: ({ signal }) => api.envs(signal) });
  return envs.data?.envs.map((e) => e.name) ?? [];
}
