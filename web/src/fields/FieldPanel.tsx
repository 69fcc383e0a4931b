import { useState } from "react";
import type { UseQueryResult } from "@tanstack/react-query";
import type { DiscoverAnswer, DiscoveredField } from "../api/types";
import { useValueActions } from "../search/values";
import { isStrings, useStored } from "../state/stored";
import { Button } from "../ui/Button";
import controls from "../ui/controls.module.css";
import { anchorOf } from "../ui/Popover";
import { showCount, showShare } from "../ui/numbers";
import css from "./Fields.module.css";
import { ValueRow } from "./ValueRow";

interface Props {
  answer: UseQueryResult<DiscoverAnswer>;
  columns: string[];
}

const NONE: string[] = [];

/** The fields of the events that were found: how many have each, of what kind, which values most. */
export function FieldPanel({ answer, columns }: Props) {
  const [wanted, setWanted] = useState("");
  const [pinned, setPinned] = useStored("pinned", NONE, isStrings);
  const [open, setOpen] = useState<string | null>(null);
  const fields = answer.data?.fields ?? [];
  const shown = fields.filter((f) => f.name.toLowerCase().includes(wanted.trim().toLowerCase()));
  const groups: [string, DiscoveredField[]][] = [
    ["Pinned", shown.filter((f) => pinned.includes(f.name))],
    ["Telling", shown.filter((f) => !pinned.includes(f.name) && f.interesting)],
    ["Others", shown.filter((f) => !pinned.includes(f.name) && !f.interesting)],
  ];
  const togglePin = (name: string) => setPinned(pinned.includes(name) ? pinned.filter((p) => p !== name) : [...pinned, name]);
  const sampled = answer.data?.sampled;
  return (
    <nav className={css.panel} aria-label="Fields" data-stale={answer.isPlaceholderData}>
      <div className={css.search}>
        <input className={controls.input} type="search" placeholder={fields.length === 0 ? "Fields" : `Search ${showCount(fields.length)} fields`} aria-label="Search fields" value={wanted} onChange={(e) => setWanted(e.target.value)} />
      </div>
      <div className={css.scroll} tabIndex={0} role="group" aria-label="Fields found">
        {sampled !== undefined && sampled !== false && (
          <p className={css.note}>Figures are from the newest {showCount(Number(sampled))} events.</p>
        )}
        {answer.data?.warnings.map((warning) => <p key={warning} className={css.note}>{warning}</p>)}
        {answer.isError && <p className={css.note}>No field figures: {answer.error.message}</p>}
        {answer.isSuccess && fields.length === 0 && <p className={css.note}>No fields: no event was found.</p>}
        {fields.length > 0 && shown.length === 0 && <p className={css.note}>No field's name holds “{wanted}”.</p>}
        {groups.map(([title, list]) =>
          list.length === 0 ? null : (
            <section key={title}>
              <h2 className={css.group}>{title}</h2>
              <ul>
                {list.map((field) => (
                  <FieldItem key={field.name} field={field} open={open === field.name} pinned={pinned.includes(field.name)} column={columns.includes(field.name)}
                    onToggle={() => setOpen(open === field.name ? null : field.name)} onPin={() => togglePin(field.name)} />
                ))}
              </ul>
            </section>
          ),
        )}
      </div>
    </nav>
  );
}

interface ItemProps {
  field: DiscoveredField;
  open: boolean;
  pinned: boolean;
  column: boolean;
  onToggle: () => void;
  onPin: () => void;
}

const KINDS: Record<string, string> = { number: "#", text: "a", time: "t", ip: "ip", bool: "?", mixed: "∗" };

function FieldItem({ field, open, pinned, column, onToggle, onPin }: ItemProps) {
  const { include, exclude, toggleColumn, topValues } = useValueActions();
  const most = Math.max(1, ...field.top.map(([, n]) => Number(n)));
  const seen = field.top.reduce((sum, [, n]) => sum + Number(n), 0);
  const coverage = Number(field.coverage);
  return (
    <li className={css.field} data-open={open}>
      <button type="button" className={css.name} aria-expanded={open} onClick={onToggle} title={`${field.name}: in ${showShare(coverage)} of the events, ${showCount(Number(field.distinct))}${field.distinct_capped ? " or more" : ""} distinct`}>
        <span className={css.kind} aria-label={field.kind}>{KINDS[field.kind] ?? field.kind.slice(0, 2)}</span>
        <span className={css.label}>{field.name}</span>
        <span className={css.distinct}>{showCount(Number(field.distinct))}{field.distinct_capped ? "+" : ""}</span>
        <span className={css.coverage} aria-hidden="true"><span style={{ width: `${coverage * 100}%` }} /></span>
      </button>
      {open && (
        <div className={css.body}>
          <div className={css.facts}>in {showShare(coverage)} · {showCount(Number(field.distinct))}{field.distinct_capped ? " or more" : ""} distinct · {field.kind}</div>
          <ul>
            {field.top.map(([value, count], at) => (
              <ValueRow key={at} field={field.name} value={value} count={Number(count)} share={Number(count) / most} shareText={seen > 0 && !field.distinct_capped && Number(field.distinct) <= field.top.length ? showShare(Number(count) / seen) : null}
                onPick={(picked, negated) => (negated ? exclude : include)(picked)} />
            ))}
          </ul>
          <div className={css.actions}>
            <Button look="quiet" small onClick={() => toggleColumn(field.name)}>{column ? "Remove column" : "Column"}</Button>
            <Button look="quiet" small onClick={onPin} aria-pressed={pinned}>{pinned ? "Unpin" : "Pin"}</Button>
            <Button look="quiet" small onClick={(e) => topValues(field.name, anchorOf(e.currentTarget))}>All values</Button>
          </div>
        </div>
      )}
    </li>
  );
}
