import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, apiUrl } from "../api/client";
import type { Hit } from "../api/types";
import { term } from "../query/edit";
import { levelOf } from "../search/event";
import { oneOf, useStored } from "../state/stored";
import { useSession } from "../state/session";
import { writeView } from "../state/url";
import { showExact, type Zone } from "../time/instant";
import { Button } from "../ui/Button";
import { Menu } from "../ui/Menu";
import { type Anchor, anchorOf } from "../ui/Popover";
import { copyText } from "../ui/toast";
import { Around } from "./Around";
import css from "./Details.module.css";
import { FieldTable } from "./FieldTable";
import { Message } from "./Message";
import { Raw } from "./Raw";
import { Tree } from "./Tree";

type Tab = "fields" | "tree" | "raw" | "around";
const TABS: { value: Tab; label: string }[] = [
  { value: "fields", label: "Fields" },
  { value: "tree", label: "Tree" },
  { value: "raw", label: "Raw" },
  { value: "around", label: "Around" },
];
const isTab = oneOf<Tab>("fields", "tree", "raw", "around");

interface Props {
  id: string;
  /** The event if it is among those on the page, else it is fetched. */
  hit: Hit | null;
  position: string | null;
  onStep: (direction: -1 | 1) => void;
  onClose: () => void;
}

/** One event whole. */
export function Details({ id, hit, position, onStep, onClose }: Props) {
  const { view } = useSession();
  const fetched = useQuery({
    queryKey: ["event", view.env, id],
    enabled: hit === null,
    queryFn: ({ signal }) => api.context({ id, env: view.env, before: 0, after: 0 }, signal),
  });
  const event = hit ?? fetched.data?.event ?? null;
  return (
    <aside className={css.drawer} aria-label="Event details" data-testid="details">
      <div className={css.head}>
        <Button look="quiet" small icon="up" aria-label="Previous event" title="Previous  k" onClick={() => onStep(-1)} />
        <Button look="quiet" small icon="down" aria-label="Next event" title="Next  j" onClick={() => onStep(1)} />
        <span className={css.position}>{position}</span>
        {event && <CopyMenu hit={event} />}
        <Button look="quiet" small icon="close" aria-label="Close details" title="Close  Esc" onClick={onClose} />
      </div>
      {event ? (
        <Body key={event.id} hit={event} zone={view.zone} />
      ) : (
        <p className={css.note}>{fetched.isError ? `This event cannot be shown: ${fetched.error.message}` : "Fetching the event…"}</p>
      )}
    </aside>
  );
}

function Body({ hit, zone }: { hit: Hit; zone: Zone }) {
  const [tab, setTab] = useStored<Tab>("details", "fields", isTab);
  const { level, word } = levelOf(hit);
  const move = (event: React.KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const at = (TABS.findIndex((t) => t.value === tab) + step + TABS.length) % TABS.length;
    const next = TABS[at];
    if (next) setTab(next.value);
    (event.currentTarget.children[at] as HTMLElement | undefined)?.focus();
  };
  return (
    <>
      <div className={css.summary}>
        <div className={css.times}>
          <span className={css.level} data-level={level}>{word || "no level"}</span>
          <span>{showExact(hit.timestamp, zone)}</span>
          <span className={css.muted}>{showExact(hit.timestamp, zone === "utc" ? "local" : "utc")}</span>
        </div>
        <div className={css.where}>
          {hit.env} / {hit.index}{hit.source && <> · {hit.source}</>}
        </div>
        {hit.message !== "" && <Message text={hit.message} />}
      </div>
      <div className={css.tabs} role="tablist" aria-label="Event shown as" onKeyDown={move}>
        {TABS.map((t) => (
          <button key={t.value} type="button" role="tab" id={`tab-${t.value}`} aria-selected={tab === t.value} aria-controls="details-panel" tabIndex={tab === t.value ? 0 : -1} className={css.tab} onClick={() => setTab(t.value)}>
            {t.label}
          </button>
        ))}
      </div>
      <div className={css.panel} role="tabpanel" id="details-panel" aria-labelledby={`tab-${tab}`} tabIndex={0}>
        {tab === "fields" && <FieldTable hit={hit} />}
        {tab === "tree" && <Tree hit={hit} />}
        {tab === "raw" && <Raw hit={hit} />}
        {tab === "around" && <Around hit={hit} zone={zone} />}
      </div>
    </>
  );
}

function CopyMenu({ hit }: { hit: Hit }) {
  const { view } = useSession();
  const [anchor, setAnchor] = useState<Anchor | null>(null);
  const link = () => `${location.origin}${location.pathname}${writeView({ ...view, query: "", live: false, columns: [], index: "", sort: "", range: around(hit), event: hit.id })}`;
  const curl = () => `curl -s '${location.origin}${apiUrl("/api/context", { id: hit.id, env: hit.env, before: 0, after: 0 })}'`;
  return (
    <>
      <Button look="quiet" small icon="link" aria-label="Copy a link to this event" title="Copy a link to this event" onClick={() => void copyText(link(), "a link to this event")} />
      <Button look="quiet" small icon="copy" aria-label="Copy" aria-haspopup="menu" aria-expanded={anchor !== null} onClick={(e) => setAnchor(anchorOf(e.currentTarget))} />
      {anchor && (
        <Menu anchor={anchor} label="Copy" align="right" onClose={() => setAnchor(null)} items={[
          { label: "Copy raw", run: () => void copyText(hit.raw, "the raw event") },
          { label: "Copy as JSON", run: () => void copyText(JSON.stringify(hit, null, 2), "JSON") },
          { label: "Copy message", run: () => void copyText(hit.message, "the message") },
          { label: "Copy as curl", run: () => void copyText(curl(), "a curl command") },
          { label: "Copy as query", run: () => void copyText(term("id", hit.id, true), "a query") },
          { label: "Copy link", run: () => void copyText(link(), "a link to this event") },
        ]} />
      )}
    </>
  );
}

/** The range a link to an event carries: its neighbourhood, absolute. */
function around(hit: Hit): { start: string; end: string } {
  const ms = Date.parse(hit.timestamp);
  return { start: new Date(ms - 300_000).toISOString(), end: new Date(ms + 300_000).toISOString() };
}
