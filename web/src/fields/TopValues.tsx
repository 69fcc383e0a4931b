import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import { eventsPart } from "../query/edit";
import type { Picked } from "../search/values";
import { type Run, runParams } from "../state/session";
import { ValueRow } from "./ValueRow";
import css from "./Fields.module.css";

const TOP_VALUES = 20;

/** The most frequent values of a field over the whole run, counted by the server. */
export function TopValues({ name, run, onPick }: { name: string; run: Run; onPick: (picked: Picked, negated: boolean) => void }) {
  const answer = useQuery({
    queryKey: ["aggregate", run.number, name],
    queryFn: ({ signal }) => api.aggregate({ ...runParams(run), q: eventsPart(run.query), fields: name, size: TOP_VALUES }, signal),
  });
  const values = answer.data?.fields[name] ?? Object.values(answer.data?.fields ?? {})[0] ?? [];
  const most = Math.max(1, ...values.map(([, n]) => Number(n)));
  return (
    <div className={css.topValues}>
      <h3 className={css.topTitle} tabIndex={-1} data-autofocus="">{name}</h3>
      {answer.isPending && <p className={css.note}>Counting…</p>}
      {answer.isError && <p className={css.note}>{answer.error.message}</p>}
      {answer.isSuccess && values.length === 0 && <p className={css.note}>No event of this search has it.</p>}
      <ul>
        {values.map(([value, count], at) => (
          <ValueRow key={at} field={name} value={value} count={Number(count)} share={Number(count) / most} shareText={null} onPick={onPick} />
        ))}
      </ul>
    </div>
  );
}
