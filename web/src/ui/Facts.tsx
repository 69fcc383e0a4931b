import type { ReactNode } from "react";
import css from "./facts.module.css";

/** Groups side by side where there is room. */
export function Facts({ children }: { children: ReactNode }) {
  return <div className={css.facts}>{children}</div>;
}

/** Facts under one heading. */
export function Group({ id, title, children }: { id: string; title: string; children: ReactNode }) {
  return (
    <section aria-labelledby={id} className={css.group}>
      <h2 id={id}>{title}</h2>
      <div>{children}</div>
    </section>
  );
}

export function Fact({ name, title, children }: { name: string; title?: string; children: ReactNode }) {
  return (
    <div className={css.fact} title={title}>
      <span className={css.term}>{name}</span>
      <span className={css.value}>{children}</span>
    </div>
  );
}
