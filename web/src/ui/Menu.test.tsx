// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { Menu } from "./Menu";

afterEach(cleanup);

const anchor = { left: 0, right: 0, top: 0, bottom: 0 };

it("a menu opens on its first item, goes round, and finds by first letter", () => {
  render(<Menu anchor={anchor} label="Value" onClose={() => undefined} items={["Include", "Exclude", "Copy"].map((label) => ({ label, run: () => undefined }))} />);
  const press = (key: string) => {
    fireEvent.keyDown(document.activeElement as Element, { key });
    return document.activeElement?.textContent;
  };
  expect(document.activeElement?.textContent).toBe("Include");
  expect(["ArrowUp", "ArrowDown", "ArrowDown", "End", "Home", "c", "e"].map(press)).toEqual(["Copy", "Include", "Exclude", "Copy", "Include", "Copy", "Exclude"]);
});

it("a chosen item closes the menu before it acts", () => {
  const calls: string[] = [];
  render(<Menu anchor={anchor} label="Value" onClose={() => calls.push("close")} items={[{ label: "Include", run: () => calls.push("run") }]} />);
  fireEvent.click(screen.getByText("Include"));
  expect(calls).toEqual(["close", "run"]);
});

it("what is chosen among several is said to screen readers", () => {
  render(<Menu anchor={anchor} label="Theme" onClose={vi.fn()} items={[{ label: "Light", checked: true, run: vi.fn() }, { label: "Dark", checked: false, run: vi.fn() }]} />);
  expect(screen.getAllByRole("menuitemradio", { hidden: true }).map((item) => item.getAttribute("aria-checked"))).toEqual(["true", "false"]);
});
