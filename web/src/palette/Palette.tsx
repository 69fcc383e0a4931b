import { useEffect, useId, useRef, useState } from "react";
import { Dialog } from "../ui/Dialog";
import controls from "../ui/controls.module.css";
import { type Command, narrow } from "./commands";
import css from "./Palette.module.css";

const SHOWN_MAX = 60;

/** Everything the page can do, by name. */
export function Palette({ commands, onClose }: { commands: Command[]; onClose: () => void }) {
  const [wanted, setWanted] = useState("");
  const [at, setAt] = useState(0);
  const listId = useId();
  const list = useRef<HTMLUListElement>(null);
  const shown = narrow(commands, wanted).slice(0, SHOWN_MAX);
  const current = Math.min(at, Math.max(0, shown.length - 1));
  useEffect(() => {
    list.current?.children[current]?.scrollIntoView?.({ block: "nearest" });
  }, [current]);
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  return (
    <Dialog title="Commands" bare onClose={onClose} className={css.palette}>
      <input className={`${controls.input} ${css.input}`} data-autofocus="" role="combobox" aria-expanded="true" aria-controls={listId} aria-activedescendant={shown.length > 0 ? `${listId}-${current}` : undefined}
        aria-label="Find a command" placeholder="Find a command, a column or an earlier query" value={wanted}
        onChange={(e) => { setWanted(e.target.value); setAt(0); }}
        onKeyDown={(e) => {
          if (e.key === "ArrowDown") setAt(Math.min(current + 1, shown.length - 1));
          else if (e.key === "ArrowUp") setAt(Math.max(current - 1, 0));
          else if (e.key === "Enter") run(shown[current]);
          else return;
          e.preventDefault();
        }} />
      <ul ref={list} id={listId} role="listbox" aria-label="Commands" className={css.list}>
        {shown.map((command, i) => (
          <li key={i} id={`${listId}-${i}`} role="option" aria-selected={i === current} className={css.item} onMouseMove={() => setAt(i)} onClick={() => run(command)}>
            <span className={css.label}>{command.label}</span>
            {command.hint && <span className={css.hint}>{command.hint}</span>}
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p className={css.none}>Nothing of that name.</p>}
    </Dialog>
  );
}
