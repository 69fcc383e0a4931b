import { type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import css from "./controls.module.css";

/** Where a popover hangs: below this box, or above it where there is no room. */
export interface Anchor {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

interface Props {
  anchor: Anchor;
  label: string;
  onClose: () => void;
  align?: "left" | "right";
  className?: string | undefined;
  role?: "dialog" | "menu";
  children: ReactNode;
}

const EDGE_PX = 8;

/**
 * A box in the browser's top layer. Escape and a click elsewhere close it; focus goes back to where it was.
 * The caller puts focus inside.
 */
export function Popover({ anchor, label, onClose, align = "left", className, role = "dialog", children }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const close = useRef(onClose);
  useEffect(() => {
    close.current = onClose;
  });

  // Before it is placed: a box that is not shown has no size.
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const before = document.activeElement;
    if (element.showPopover && !element.matches(":popover-open")) element.showPopover();
    if (!element.contains(document.activeElement)) element.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    const toggled = (event: Event) => {
      if ((event as ToggleEvent).newState === "closed") close.current();
    };
    element.addEventListener("toggle", toggled);
    return () => {
      element.removeEventListener("toggle", toggled);
      const inside = element.contains(document.activeElement) || document.activeElement === document.body;
      if (inside && before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const { offsetWidth: width, offsetHeight: height } = element;
    const wanted = align === "left" ? anchor.left : anchor.right - width;
    const below = anchor.bottom + 4;
    const fitsBelow = below + height <= window.innerHeight - EDGE_PX;
    const top = fitsBelow || anchor.top < height ? Math.min(below, window.innerHeight - height - EDGE_PX) : anchor.top - height - 4;
    element.style.left = `${Math.max(EDGE_PX, Math.min(wanted, window.innerWidth - width - EDGE_PX))}px`;
    element.style.top = `${Math.max(EDGE_PX, top)}px`;
  });

  return (
    <div ref={box} popover="auto" role={role} aria-label={label} className={[css.popover, className].filter(Boolean).join(" ")}>
      {children}
    </div>
  );
}

export function anchorOf(element: Element): Anchor {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return { left, right, top, bottom };
}

/** True while a menu, popover or dialog has the keyboard: then the page's own keys rest. */
export function somethingIsOpen(): boolean {
  return document.querySelector("dialog[open], [popover]") !== null;
}
