import { useEffect, useRef } from "react";
import css from "./controls.module.css";
import { type Anchor, Popover } from "./Popover";

export interface MenuItem {
  label: string;
  hint?: string;
  checked?: boolean;
  run: () => void;
}

interface Props {
  anchor: Anchor;
  label: string;
  title?: string;
  items: MenuItem[];
  align?: "left" | "right";
  onClose: () => void;
}

/** A menu that opens with its first item focused; arrows, Home, End and first letters move. */
export function Menu({ anchor, label, title, items, align = "left", onClose }: Props) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector<HTMLElement>("[data-item]")?.focus();
  }, []);

  const onKeyDown = (event: React.KeyboardEvent) => {
    const buttons = [...(list.current?.querySelectorAll<HTMLElement>("[data-item]") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLElement);
    const go = (to: number) => {
      event.preventDefault();
      buttons[(to + buttons.length) % buttons.length]?.focus();
    };
    if (event.key === "ArrowDown") go(at + 1);
    else if (event.key === "ArrowUp") go(at - 1);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(buttons.length - 1);
    else if (event.key === "Tab") onClose();
    else if (event.key.length === 1 && /\S/.test(event.key) && !event.ctrlKey && !event.metaKey) {
      const letter = event.key.toLowerCase();
      const ring = [...buttons.slice(at + 1), ...buttons.slice(0, at + 1)];
      const hit = ring.find((b) => b.textContent?.toLowerCase().startsWith(letter));
      if (hit) go(buttons.indexOf(hit));
    }
  };

  return (
    <Popover anchor={anchor} label={label} align={align} onClose={onClose}>
      <div className={css.menu} ref={list} onKeyDown={onKeyDown}>
        {title !== undefined && <div className={css.menuTitle}>{title}</div>}
        <div role="menu" aria-label={label}>
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              data-item=""
              role={item.checked === undefined ? "menuitem" : "menuitemradio"}
              aria-checked={item.checked}
              tabIndex={-1}
              className={css.item}
              onClick={() => {
                onClose();
                item.run();
              }}
            >
              <span className={css.itemLabel}>{item.label}</span>
              {item.checked && <span aria-hidden="true">✓</span>}
              {item.hint && <span className={css.itemHint}>{item.hint}</span>}
            </button>
          ))}
        </div>
      </div>
    </Popover>
  );
}
