import { type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./Button";
import css from "./controls.module.css";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  className?: string | undefined;
  /** Without a visible head: the title is for screen readers. */
  bare?: boolean;
}

/** A modal dialog: the browser holds the focus in it, and Escape closes it. */
export function Dialog({ title, onClose, children, className, bare = false }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal?.();
    element?.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    return () => element?.close?.();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={[css.dialog, className].filter(Boolean).join(" ")}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      {bare ? (
        <h2 id={titleId} className="visually-hidden">{title}</h2>
      ) : (
        <div className={css.dialogHead}>
          <h2 id={titleId}>{title}</h2>
          <Button look="quiet" small icon="close" aria-label="Close" onClick={onClose} />
        </div>
      )}
      {bare ? children : <div className={css.dialogBody}>{children}</div>}
    </dialog>
  );
}
