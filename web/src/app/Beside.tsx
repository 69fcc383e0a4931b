import { type ReactNode, useEffect, useState } from "react";
import { Help } from "../palette/Help";
import { Palette } from "../palette/Palette";
import { commandsBeside } from "../palette/commands";
import type { Overlay } from "../search/SearchPage";
import { useSession } from "../state/session";
import { showBoth, showMs } from "../time/instant";
import { Button } from "../ui/Button";
import { Mark } from "../ui/Mark";
import css from "./Beside.module.css";
import { useKeys } from "./keys";
import { PageMenu } from "./PageMenu";

interface Props {
  title: string;
  /** Names the view for tests. */
  id: string;
  /** What the body shows, for those who do not see it. */
  label: string;
  /** In a few words how it is: read out when it changes. */
  summary: ReactNode;
  /** When the answer came that is shown, if one came. */
  askedMs: number | undefined;
  /** Why the last one did not come. */
  error: Error | null;
  children: ReactNode;
}

/** A view beside the search: its name, how it is, since when, and the way back. */
export function Beside({ title, id, label, summary, askedMs, error, children }: Props) {
  const { view, setView } = useSession();
  const [overlay, setOverlay] = useState<Overlay>(null);
  const back = () => setView({ place: "search" });
  useKeys({ Escape: back, "?": () => setOverlay("help"), "Mod-k": () => setOverlay("palette") });
  useEffect(() => {
    document.title = `${title} · HeliosLogs`;
  }, [title]);
  return (
    <main className={css.page} data-testid={id}>
      <header className={css.bar}>
        <span className={css.mark} aria-hidden="true"><Mark /></span>
        <Button icon="left" onClick={back} title="Back to the search  Esc">Search</Button>
        <h1 className={css.title}>{title}</h1>
        <span role="status" className={css.summary}>{summary}</span>
        <span className={css.asOf}>
          {error && <span className={css.lost}>{askedMs === undefined ? error.message : "No answer; this is what was known at"}</span>}
          {askedMs !== undefined && <time title={showBoth(new Date(askedMs).toISOString())}>{showMs(Math.floor(askedMs / 1000) * 1000, view.zone)}</time>}
        </span>
        <PageMenu setOverlay={setOverlay} />
      </header>
      <div className={css.body} role="region" aria-label={label} tabIndex={0}>{children}</div>
      {overlay === "help" && <Help onClose={() => setOverlay(null)} />}
      {overlay === "palette" && <Palette onClose={() => setOverlay(null)} commands={commandsBeside(view, setView, setOverlay)} />}
    </main>
  );
}
