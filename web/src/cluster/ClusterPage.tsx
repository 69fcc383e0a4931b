import { useEffect, useState } from "react";
import type { ClusterStatus } from "../api/types";
import { useKeys } from "../app/keys";
import { PageMenu } from "../app/PageMenu";
import { Help } from "../palette/Help";
import { Palette } from "../palette/Palette";
import { commandsBeside } from "../palette/commands";
import type { Overlay } from "../search/SearchPage";
import { useSession } from "../state/session";
import { showBoth, showMs } from "../time/instant";
import { Button } from "../ui/Button";
import { Mark } from "../ui/Mark";
import { plural } from "../ui/numbers";
import { Alone, Joining } from "./Alone";
import { attention, type Item, stateOf, worst } from "./attention";
import css from "./Cluster.module.css";
import { Leaders, Store, Waiting } from "./Facts";
import { Nodes } from "./Nodes";
import { type Look, useCluster, WATCH_EVERY_MS } from "./useCluster";

/** Nodes, leaders, the shared store and what is wrong, as this node sees it now. */
export function ClusterPage() {
  const { view, setView } = useSession();
  const [overlay, setOverlay] = useState<Overlay>(null);
  const cluster = useCluster(WATCH_EVERY_MS);
  const look = cluster.data;
  const back = () => setView({ place: "search" });
  useKeys({ Escape: back, "?": () => setOverlay("help"), "Mod-k": () => setOverlay("palette") });
  useEffect(() => {
    document.title = "Cluster · HeliosLogs";
  }, []);
  return (
    <main className={css.page} data-testid="cluster">
      <header className={css.bar}>
        <span className={css.mark} aria-hidden="true"><Mark /></span>
        <Button icon="left" onClick={back} title="Back to the search  Esc">Search</Button>
        <h1 className={css.title}>Cluster</h1>
        <Summary look={look} />
        <span className={css.asOf}>
          {cluster.isError && <span className={css.lost}>{look ? "No answer; this is what was known at" : cluster.error.message}</span>}
          {look && <time title={showBoth(new Date(look.askedMs).toISOString())}>{showMs(Math.floor(look.askedMs / 1000) * 1000, view.zone)}</time>}
        </span>
        <PageMenu setOverlay={setOverlay} />
      </header>
      <div className={css.body} role="region" aria-label="State of the cluster" tabIndex={0}>
        {look && (look.answer.enabled ? <State status={look.answer} askedMs={look.askedMs} /> : look.answer.warnings.length > 0 ? <Joining warnings={look.answer.warnings} /> : <Alone />)}
      </div>
      {overlay === "help" && <Help onClose={() => setOverlay(null)} />}
      {overlay === "palette" && <Palette onClose={() => setOverlay(null)} commands={commandsBeside(view, setView, setOverlay)} />}
    </main>
  );
}

/** How many nodes there are, and whether a person is needed: read out when it changes. */
function Summary({ look }: { look: Look | undefined }) {
  const answer = look?.answer;
  if (!answer) return <span role="status" className={css.summary} />;
  if (!answer.enabled) return <span role="status" className={css.summary}>{answer.warnings.length > 0 ? <strong className={css.needs}>not joined yet</strong> : "This node is in no cluster"}</span>;
  const alive = answer.nodes.filter((n) => stateOf(n) === "alive").length;
  const silent = answer.nodes.filter((n) => stateOf(n) === "silent").length;
  const items = attention(answer);
  return (
    <span role="status" className={css.summary}>
      {answer.nodes.length > 0 && <>{plural(alive, "node")} alive{silent > 0 && `, ${silent} silent`} · </>}
      {items.length === 0 ? "nothing needs attention" : <strong className={css.needs} data-tone={worst(items)}>{plural(items.length, "thing needs", "things need")} attention</strong>}
    </span>
  );
}

function State({ status, askedMs }: { status: ClusterStatus; askedMs: number }) {
  const items = attention(status);
  return (
    <>
      {items.length > 0 && (
        <section aria-labelledby="cluster-attention" className={css.section}>
          <h2 id="cluster-attention">Needs attention</h2>
          <ul className={css.items}>{items.map((item) => <Attention key={`${item.word} ${item.what}`} item={item} />)}</ul>
        </section>
      )}
      <Nodes status={status} askedMs={askedMs} />
      <div className={css.facts}>
        <Store status={status} askedMs={askedMs} />
        <Waiting status={status} />
        <Leaders status={status} />
      </div>
    </>
  );
}

/** A text in which `what is to be typed` stands between backticks. */
function Words({ text }: { text: string }) {
  return <>{text.split("`").map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</>;
}

/** Partitions that are named before somebody asks for all of them. */
const NAMED_MAX = 5;

function Attention({ item }: { item: Item }) {
  const [all, setAll] = useState(false);
  const shown = all ? item.partitions : item.partitions.slice(0, NAMED_MAX);
  const more = item.partitions.length - shown.length;
  return (
    <li className={css.item} data-tone={item.tone}>
      <strong>{item.word}</strong>
      <p><Words text={item.what} /></p>
      {item.partitions.length > 0 && (
        <p className={css.partitions}>
          {shown.map((name) => <code key={name}>{name}</code>)}
          {more > 0 && <Button small look="quiet" onClick={() => setAll(true)}>and {plural(more, "more partition")}</Button>}
        </p>
      )}
      {item.todo !== "" && <p className={css.todo}><span>What to do</span> <Words text={item.todo} /></p>}
    </li>
  );
}
