import { useState } from "react";
import type { Hit } from "../api/types";
import { scalars } from "../search/event";
import { useValueActions } from "../search/values";
import controls from "../ui/controls.module.css";
import { cutMiddle } from "../ui/numbers";
import css from "./Details.module.css";

const OWN_SHOWN = ["source", "env", "index", "id"] as const;

/** Every field as a flat path with its values. */
export function FieldTable({ hit }: { hit: Hit }) {
  const [wanted, setWanted] = useState("");
  const needle = wanted.trim().toLowerCase();
  const names = Object.keys(hit.fields).filter((name) => needle === "" || name.toLowerCase().includes(needle) || scalars(hit.fields[name]).some((v) => String(v).toLowerCase().includes(needle)));
  return (
    <>
      {Object.keys(hit.fields).length > 12 && (
        <input className={`${controls.input} ${css.filter}`} type="search" placeholder="Find in fields" aria-label="Find in fields" value={wanted} onChange={(e) => setWanted(e.target.value)} />
      )}
      <table className={css.table}>
        <caption className="visually-hidden">Fields of this event</caption>
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <th scope="row"><Name name={name} /></th>
              <td>{scalars(hit.fields[name]).map((v, at) => <FieldValueText key={at} field={name} value={String(v)} kind={typeof v} />)}</td>
            </tr>
          ))}
          {needle === "" && OWN_SHOWN.filter((name) => hit[name]).map((name) => (
            <tr key={`own ${name}`} className={css.own}>
              <th scope="row">{name}</th>
              <td><FieldValueText field={name} value={hit[name] ?? ""} kind="string" own /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Name({ name }: { name: string }) {
  const { toggleColumn } = useValueActions();
  return (
    <button type="button" className={css.name} title={`${name}\nClick: add or remove as column`} onClick={() => toggleColumn(name)}>
      {name}
    </button>
  );
}

const VALUE_CHARS = 400;

interface ValueProps {
  field: string;
  value: string;
  kind: string;
  own?: boolean;
}

/** A value to click. Long ones are cut in the middle and open in place; what is copied is always whole. */
export function FieldValueText({ field, value, kind, own = false }: ValueProps) {
  const { pick } = useValueActions();
  const [open, setOpen] = useState(false);
  const cut = !open && value.length > VALUE_CHARS;
  return (
    <>
      <button type="button" className={css.value} data-kind={kind} onClick={(event) => pick(event, { field, value, own })}>
        {value === "" ? <span className={css.muted}>(empty)</span> : cut ? cutMiddle(value, VALUE_CHARS) : value}
      </button>
      {cut && <button type="button" className={css.more} onClick={() => setOpen(true)}>show all</button>}
    </>
  );
}
