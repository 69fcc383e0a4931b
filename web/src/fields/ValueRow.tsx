import type { Scalar } from "../api/types";
import type { Picked } from "../search/values";
import { cutMiddle, showCount } from "../ui/numbers";
import css from "./Fields.module.css";

interface Props {
  field: string;
  value: Scalar | null;
  count: number;
  /** Length of the bar, 0 to 1. */
  share: number;
  shareText: string | null;
  onPick: (picked: Picked, negated: boolean) => void;
}

const VALUE_CHARS = 48;

/** One value with its count: a click includes it, Alt-click or the minus excludes it. */
export function ValueRow({ field, value, count, share, shareText, onPick }: Props) {
  const text = value === null ? "(none)" : String(value);
  const picked = { field, value: text };
  return (
    <li className={css.value}>
      <button type="button" className={css.valueMain} disabled={value === null} title={`${text}\nClick: include. Alt-click: exclude.`} onClick={(event) => onPick(picked, event.altKey)}>
        <span className={css.bar} style={{ width: `${Math.max(1, share * 100)}%` }} />
        <span className={css.valueText}>{text === "" ? "(empty)" : cutMiddle(text, VALUE_CHARS)}</span>
        <span className={css.count}>{showCount(count)}{shareText !== null && <span className={css.share}> {shareText}</span>}</span>
      </button>
      <button type="button" className={css.minus} disabled={value === null} aria-label={`Exclude ${text}`} title="Exclude" onClick={() => onPick(picked, true)}>
        −
      </button>
    </li>
  );
}
