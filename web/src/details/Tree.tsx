import { useMemo, useState } from "react";
import { type JsonNode, readJsonTree } from "../api/json";
import type { FieldValue, Hit } from "../api/types";
import css from "./Details.module.css";
import { FieldValueText } from "./FieldTable";

/** The event as it is nested. From the raw bytes where they are JSON, so that numbers and order are as sent. */
export function Tree({ hit }: { hit: Hit }) {
  const root = useMemo(() => readJsonTree(hit.raw) ?? fromFields(hit.fields), [hit]);
  if (root.kind !== "object") return null;
  return (
    <ul className={css.tree} role="tree" aria-label="Event as a tree">
      {root.members.map(([name, node], at) => (
        <Branch key={at} name={name} path={name} node={node} depth={0} />
      ))}
    </ul>
  );
}

function fromFields(fields: Record<string, FieldValue>): JsonNode {
  const toNode = (value: FieldValue): JsonNode => {
    if (Array.isArray(value)) return { kind: "array", items: value.map(toNode) };
    if (value === null) return { kind: "literal", text: "null" };
    if (typeof value === "string") return { kind: "string", text: value };
    if (typeof value === "boolean") return { kind: "literal", text: value ? "true" : "false" };
    return { kind: "number", text: String(value) };
  };
  return { kind: "object", members: Object.entries(fields).map(([name, value]) => [name, toNode(value)]) };
}

/** Levels that are open at first. */
const OPEN_DEPTH = 3;
/** Children shown before "more". */
const CHILDREN_SHOWN = 100;

interface BranchProps {
  name: string;
  path: string;
  node: JsonNode;
  depth: number;
}

function Branch({ name, path, node, depth }: BranchProps) {
  const [open, setOpen] = useState(depth < OPEN_DEPTH);
  const [shown, setShown] = useState(CHILDREN_SHOWN);
  const style = { paddingLeft: `${8 + depth * 14}px` };
  if (node.kind !== "object" && node.kind !== "array") {
    return (
      <li role="treeitem" aria-selected={false} className={css.leaf} style={style}>
        <span className={css.key}>{name}</span>
        {node.kind === "literal" && node.text === "null" ? <span className={css.muted}>null</span> : <FieldValueText field={path} value={node.text} kind={node.kind === "literal" ? "boolean" : node.kind} />}
      </li>
    );
  }
  const children: [string, string, JsonNode][] =
    node.kind === "object"
      ? node.members.map(([key, child]) => [key, `${path}.${key}`, child])
      : node.items.map((child, at) => [String(at), path, child]);
  return (
    <li role="treeitem" aria-expanded={open} aria-selected={false}>
      <button type="button" className={css.fold} style={style} onClick={() => setOpen(!open)}>
        <span aria-hidden="true">{open ? "▾" : "▸"}</span>
        <span className={css.key}>{name}</span>
        <span className={css.muted}>{node.kind === "object" ? `{${children.length}}` : `[${children.length}]`}</span>
      </button>
      {open && (
        <ul role="group">
          {children.slice(0, shown).map(([key, childPath, child], at) => (
            <Branch key={at} name={key} path={childPath} node={child} depth={depth + 1} />
          ))}
          {children.length > shown && (
            <li role="none"><button type="button" className={css.more} onClick={() => setShown(shown * 10)}>{children.length - shown} more</button></li>
          )}
        </ul>
      )}
    </li>
  );
}
