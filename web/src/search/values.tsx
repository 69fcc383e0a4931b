/** What a click on a value does, the same everywhere: in a row, in the tree, in the field panel, in a table. */
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { addTerm, fieldName, onlyTerm, term } from "../query/edit";
import { useSession } from "../state/session";
import { Menu, type MenuItem } from "../ui/Menu";
import { type Anchor, anchorOf, Popover } from "../ui/Popover";
import { copyText } from "../ui/toast";
import { cutMiddle } from "../ui/numbers";
import { isOwn } from "./event";
import { TopValues } from "../fields/TopValues";

export interface Picked {
  /** Null for a piece of text that is not a field's whole value. */
  field: string | null;
  value: string;
  /** The name is a hit's own member (`message`, `source`…), not a body key. */
  own?: boolean;
}

interface ValueActions {
  /** Opens the menu, or with Alt held excludes at once. */
  pick: (event: { altKey: boolean; currentTarget: Element; preventDefault: () => void; stopPropagation: () => void }, picked: Picked) => void;
  include: (picked: Picked) => void;
  exclude: (picked: Picked) => void;
  toggleColumn: (name: string) => void;
  topValues: (name: string, anchor: Anchor) => void;
}

const Context = createContext<ValueActions | null>(null);

export function useValueActions(): ValueActions {
  const actions = useContext(Context);
  if (!actions) throw new Error("used outside ValueActionsProvider");
  return actions;
}

const TITLE_CHARS = 120;

/** What was picked, as a query writes it. */
const write = (p: Picked) => term(p.field, p.value, p.own ?? (p.field !== null && isOwn(p.field)));

export function ValueActionsProvider({ children }: { children: ReactNode }) {
  const { view, setView, run } = useSession();
  const [menu, setMenu] = useState<{ picked: Picked; anchor: Anchor } | null>(null);
  const [top, setTop] = useState<{ name: string; anchor: Anchor } | null>(null);
  const { columns } = view;
  const include = useCallback((p: Picked) => setView((now) => ({ query: addTerm(now.query, write(p), false) })), [setView]);
  const exclude = useCallback((p: Picked) => setView((now) => ({ query: addTerm(now.query, write(p), true) })), [setView]);
  const toggleColumn = useCallback(
    (name: string) => setView((now) => ({ columns: now.columns.includes(name) ? now.columns.filter((c) => c !== name) : [...now.columns, name] })),
    [setView],
  );
  const topValues = useCallback((name: string, anchor: Anchor) => setTop({ name, anchor }), []);
  const pick = useCallback<ValueActions["pick"]>(
    (event, picked) => {
      event.preventDefault();
      event.stopPropagation();
      if (event.altKey) exclude(picked);
      else setMenu({ picked, anchor: anchorOf(event.currentTarget) });
    },
    [exclude],
  );
  const actions = useMemo(() => ({ pick, include, exclude, toggleColumn, topValues }), [pick, include, exclude, toggleColumn, topValues]);

  const items = ({ picked, anchor }: { picked: Picked; anchor: Anchor }): MenuItem[] => {
    const { field, value } = picked;
    const list: MenuItem[] = [
      { label: "Include", run: () => include(picked) },
      { label: "Exclude", hint: "Alt-click", run: () => exclude(picked) },
      { label: "Only this", run: () => setView((now) => ({ query: onlyTerm(now.query, write(picked)) })) },
      { label: "Copy value", run: () => void copyText(value, "value") },
    ];
    if (field === null) return list;
    const name = picked.own || !isOwn(field) ? field : `fields.${field}`;
    return [
      ...list,
      { label: columns.includes(name) ? "Remove column" : "Add as column", run: () => toggleColumn(name) },
      { label: "Top values", run: () => topValues(name, anchor) },
      { label: "Events that have it", run: () => setView((now) => ({ query: addTerm(now.query, `${fieldName(field, picked.own)}:*`, false) })) },
    ];
  };

  return (
    <Context value={actions}>
      {children}
      {menu && (
        <Menu
          anchor={menu.anchor}
          label="Value"
          title={cutMiddle(menu.picked.field === null ? menu.picked.value : `${menu.picked.field}: ${menu.picked.value}`, TITLE_CHARS)}
          items={items(menu)}
          onClose={() => setMenu(null)}
        />
      )}
      {top && run && (
        <Popover anchor={top.anchor} label={`Top values of ${top.name}`} onClose={() => setTop(null)}>
          <TopValues name={top.name} run={run} onPick={(picked, negated) => {
            setTop(null);
            (negated ? exclude : include)(picked);
          }} />
        </Popover>
      )}
    </Context>
  );
}
