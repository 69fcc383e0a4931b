import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import { useSession } from "../state/session";
import { Button } from "../ui/Button";
import controls from "../ui/controls.module.css";
import { type Anchor, anchorOf, Popover } from "../ui/Popover";
import { plural, showBytes } from "../ui/numbers";
import { useEnvs } from "./TopBar";
import css from "./TopBar.module.css";

/** Which environment and indexes are searched. */
export function ScopeButton() {
  const { view } = useSession();
  const [anchor, setAnchor] = useState<Anchor | null>(null);
  return (
    <>
      <Button aria-haspopup="dialog" aria-expanded={anchor !== null} onClick={(e) => setAnchor(anchorOf(e.currentTarget))} title="Environment and indexes">
        <span className={css.scope}>{view.env}{view.index !== "" && <span className={css.muted}> / {view.index}</span>}</span>
      </Button>
      {anchor && <ScopePopover anchor={anchor} onClose={() => setAnchor(null)} />}
    </>
  );
}

function ScopePopover({ anchor, onClose }: { anchor: Anchor; onClose: () => void }) {
  const { view, setView } = useSession();
  const envs = useEnvs();
  const indexes = useQuery({ queryKey: ["indexes", view.env, "scope"], queryFn: ({ signal }) => api.indexes(view.env, signal), staleTime: 5_000 });
  const [pattern, setPattern] = useState(view.index);
  const chosen = view.index.split(",").map((p) => p.trim()).filter((p) => p !== "");
  const toggle = (name: string) => {
    const next = chosen.includes(name) ? chosen.filter((c) => c !== name) : [...chosen, name];
    setPattern(next.join(","));
    setView({ index: next.join(",") });
  };
  return (
    <Popover anchor={anchor} label="Environment and indexes" onClose={onClose} className={css.scopePopover}>
      {envs.length > 1 && (
        <section>
          <h3 className={css.title}>Environment</h3>
          {envs.map((name) => (
            <button key={name} type="button" className={controls.item} aria-pressed={name === view.env} onClick={() => setView({ env: name, index: "" })}>
              <span className={controls.itemLabel}>{name}</span>
              {name === view.env && <span aria-hidden="true">✓</span>}
            </button>
          ))}
        </section>
      )}
      <section>
        <h3 className={css.title}>Indexes</h3>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setView({ index: pattern.trim() });
            onClose();
          }}
        >
          <input className={controls.input} data-autofocus="" value={pattern} placeholder="all; or names and patterns: app-*, web" aria-label="Indexes: names or patterns, comma separated" spellCheck={false} onChange={(e) => setPattern(e.target.value)} />
        </form>
        <div className={css.indexes}>
          {indexes.data?.indexes.map((info) => (
            <button key={info.index} type="button" className={controls.item} aria-pressed={chosen.includes(info.index)} onClick={() => toggle(info.index)}>
              <span className={css.check} aria-hidden="true">{chosen.includes(info.index) ? "✓" : ""}</span>
              <span className={controls.itemLabel}>{info.index}</span>
              <span className={controls.itemHint}>{plural(Number(info.events), "event")} · {showBytes(Number(info.bytes))}</span>
            </button>
          ))}
          {indexes.isError && <p className={css.muted}>{indexes.error.message}</p>}
        </div>
        {chosen.length > 0 && <Button small look="quiet" onClick={() => { setPattern(""); setView({ index: "" }); }}>All indexes</Button>}
      </section>
    </Popover>
  );
}
