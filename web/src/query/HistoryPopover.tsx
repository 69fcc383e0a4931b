import { useState } from "react";
import { useSession } from "../state/session";
import { showAge } from "../time/instant";
import { Button } from "../ui/Button";
import controls from "../ui/controls.module.css";
import { type Anchor, Popover } from "../ui/Popover";
import { plural, showTook } from "../ui/numbers";
import { usePast } from "./history";
import css from "./History.module.css";

interface Props {
  anchor: Anchor;
  onPick: (query: string) => void;
  onClose: () => void;
}

/** Earlier queries with what they found and took. */
export function HistoryPopover({ anchor, onPick, onClose }: Props) {
  const { view } = useSession();
  const [past, setPast] = usePast();
  const [wanted, setWanted] = useState("");
  const now = Date.now();
  const shown = past.filter((p) => p.query.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <Popover anchor={anchor} label="Query history" align="right" onClose={onClose} className={css.history}>
      <div className={css.head}>
        <input className={controls.input} data-autofocus="" type="search" placeholder="Find in history" aria-label="Find in history" value={wanted} onChange={(e) => setWanted(e.target.value)} />
        <Button small look="quiet" onClick={() => setPast([])} disabled={past.length === 0}>Clear</Button>
      </div>
      {shown.length === 0 && <p className={css.none}>{past.length === 0 ? "No queries yet. They are kept in this browser only." : "None holds that."}</p>}
      <ul>
        {shown.map((p) => (
          <li key={p.query}>
            <button type="button" className={css.item} aria-current={p.query === view.query} onClick={() => { onClose(); onPick(p.query); }}>
              <code className={css.query}>{p.query}</code>
              <span className={css.cost}>{p.total !== null && `${plural(p.total, "result")} · `}{showTook(p.tookMs)} · {showAge(p.at, now)}</span>
            </button>
          </li>
        ))}
      </ul>
    </Popover>
  );
}
