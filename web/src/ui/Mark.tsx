import css from "./controls.module.css";

/** The product's mark. */
export function Mark() {
  return (
    <svg className={css.mark} width="20" height="20" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="7" />
      <path d="M3.5 6h9M3.5 8.5h6M3.5 11h7.5" />
    </svg>
  );
}
