import { useSession } from "../state/session";
import { Button } from "../ui/Button";
import { plural } from "../ui/numbers";
import { attention, worst } from "./attention";
import css from "./Cluster.module.css";
import { GLANCE_EVERY_MS, useCluster } from "./useCluster";

/** The way to the cluster; not there on a node that is in none. */
export function ClusterButton() {
  const { setView } = useSession();
  const answer = useCluster(GLANCE_EVERY_MS).data?.answer;
  if (answer === undefined) return null;
  if (!answer.enabled) {
    if (answer.warnings.length === 0) return null;
    const says = "Cluster: not joined yet";
    return <Button onClick={() => setView({ place: "cluster" })} title={says} aria-label={says}>Cluster<span className={css.count}>!</span></Button>;
  }
  const items = attention(answer);
  const count = items.length;
  const says = count === 0 ? "Cluster: nothing needs attention" : `Cluster: ${plural(count, "thing needs", "things need")} attention`;
  return (
    <Button onClick={() => setView({ place: "cluster" })} title={says} aria-label={says}>
      Cluster{count > 0 && <span className={css.count} data-tone={worst(items)}>{count}</span>}
    </Button>
  );
}
