import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import type { Hit } from "../api/types";
import { levelOf } from "../search/event";
import { useSession } from "../state/session";
import { showBoth, showListTime, type Zone } from "../time/instant";
import { Button } from "../ui/Button";
import css from "./Details.module.css";

const STEP = 20;
const MOST = 500;

/** What the same source logged right before and after, whatever the query. */
export function Around({ hit, zone }: { hit: Hit; zone: Zone }) {
  const { setView } = useSession();
  const [before, setBefore] = useState(STEP);
  const [after, setAfter] = useState(STEP);
  const answer = useQuery({
    queryKey: ["context", hit.id, before, after],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => api.context({ id: hit.id, env: hit.env, before, after }, signal),
  });
  if (answer.isError) return <p className={css.note}>{answer.error.message}</p>;
  if (!answer.data) return <p className={css.note}>Fetching what stands around it…</p>;
  const byTime = (hits: Hit[]) => [...hits].sort((a, b) => (a.timestamp === b.timestamp ? (a.id < b.id ? -1 : 1) : Date.parse(a.timestamp) - Date.parse(b.timestamp)));
  const older = byTime(answer.data.before);
  const newer = byTime(answer.data.after);
  return (
    <div className={css.around}>
      <p className={css.note}>Same index and source{hit.source && <> (<code>{hit.source}</code>)</>}, oldest first, without the query.</p>
      {older.length >= before && before < MOST ? <Button look="quiet" small onClick={() => setBefore(before + STEP * 2)}>Earlier events</Button> : <p className={css.note}>Nothing earlier.</p>}
      <ol>
        {[...older, answer.data.event, ...newer].map((h) => (
          <li key={h.id} aria-current={h.id === hit.id}>
            <button type="button" className={css.near} data-level={levelOf(h).level} title={showBoth(h.timestamp)} onClick={() => setView({ event: h.id })}>
              <span className={css.muted}>{showListTime(h.timestamp, zone, false)}</span> {(h.message || h.raw).slice(0, 300)}
            </button>
          </li>
        ))}
      </ol>
      {newer.length >= after && after < MOST ? <Button look="quiet" small onClick={() => setAfter(after + STEP * 2)}>Later events</Button> : <p className={css.note}>Nothing later.</p>}
    </div>
  );
}
