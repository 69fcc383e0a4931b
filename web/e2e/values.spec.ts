import { each, expect, test } from "./world";

const EVENTS = () => each(12, (i) => ({ level: i % 3 === 0 ? "error" : "info", service: i % 2 === 0 ? "cart" : "check out", message: `payment ${i} refused by bank-${i % 4}` }));

test("a click on a value offers to include it, and that narrows the search", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await world.rows.nth(1).getByRole("button", { name: "service=cart" }).click();
  await page.getByRole("menuitem", { name: "Include" }).click();
  await expect.poll(() => world.param("q")).toBe("service:cart");
  await expect(world.rows).toHaveCount(6);
});

test("a value with a blank is quoted, and found", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await world.rows.first().getByRole("button", { name: "service=check out" }).click();
  await page.getByRole("menuitem", { name: "Exclude" }).click();
  await expect.poll(() => world.param("q")).toBe('NOT service:"check out"');
  await expect(world.rows).toHaveCount(6);
});

test("Alt-click excludes at once", async ({ world }) => {
  await world.ingest(EVENTS());
  await world.open();
  await world.rows.nth(1).getByRole("button", { name: "service=cart" }).click({ modifiers: ["Alt"] });
  await expect.poll(() => world.param("q")).toBe("NOT service:cart");
  await expect(world.rows).toHaveCount(6);
});

test("only this leaves the rest of the query behind", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open({ q: "payment level:info" });
  await world.rows.first().getByRole("button", { name: /^service=/ }).click();
  await page.getByRole("menuitem", { name: "Only this" }).click();
  await expect.poll(() => world.param("q")).toMatch(/^service:\S+( out")?$/);
});

test("a word of the message can be excluded", async ({ world }) => {
  await world.ingest(EVENTS());
  await world.open();
  await world.rows.first().getByText("payment 11").click();
  await world.details.getByRole("tab", { name: "Tree" }).click();
  await world.details.getByTestId("message").getByRole("button", { name: "bank-3" }).click({ modifiers: ["Alt"] });
  await expect.poll(() => world.param("q")).toBe("NOT bank-3");
  await expect(world.rows).toHaveCount(9);
});

test("Alt-click on a word of the list excludes it without opening the event", async ({ world }) => {
  await world.ingest(EVENTS());
  await world.open();
  // The first letters of "payment": the text begins at the left edge of its cell.
  await world.rows.first().getByText("payment 11").click({ modifiers: ["Alt"], position: { x: 10, y: 10 } });
  await expect.poll(() => world.param("q")).toBe("NOT payment");
  await expect(world.details).toHaveCount(0);
});

test("a value in the tree becomes a column, and the address bar keeps it", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await world.rows.first().getByText("payment 11").click();
  await world.details.getByRole("tab", { name: "Tree" }).click();
  await world.details.getByRole("tabpanel").getByRole("button", { name: "check out" }).click();
  await page.getByRole("menuitem", { name: "Add as column" }).click();
  await expect.poll(() => world.param("cols")).toBe("service");
  await page.reload();
  await expect(page.getByRole("columnheader", { name: /service/ })).toBeVisible();
  await page.getByRole("button", { name: "Remove column service" }).click();
  await expect(page.getByRole("columnheader", { name: /service/ })).toHaveCount(0);
});

test("the menu is worked by keys, and focus comes back", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  const value = world.rows.nth(1).getByRole("button", { name: "service=cart" });
  await value.click();
  await expect(page.getByRole("menuitem", { name: "Include" })).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("menuitem", { name: "Exclude" })).toBeFocused();
  await page.keyboard.press("t");
  await expect(page.getByRole("menuitem", { name: "Top values" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("menu")).toHaveCount(0);
  await expect(value).toBeFocused();
});

test("the field panel shows coverage and counts, and a click on a value includes it", async ({ world, page }) => {
  await world.ingest([...EVENTS(), ...each(12, () => ({ level: "debug", message: "other" }))]);
  await world.open();
  const panel = page.getByRole("navigation", { name: "Fields" });
  await panel.getByRole("button", { name: /service/ }).click();
  await expect(panel).toContainText("in 50 % · 2 distinct · text");
  await panel.getByRole("button", { name: /^cart 6/ }).click();
  await expect.poll(() => world.param("q")).toBe("service:cart");
  await expect(world.rows).toHaveCount(6);
});

test("a pinned field stays on top, also after a reload", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  const panel = page.getByRole("navigation", { name: "Fields" });
  await panel.getByRole("button", { name: /service/ }).click();
  await panel.getByRole("button", { name: "Pin" }).click();
  await page.reload();
  await expect(panel.getByRole("heading").first()).toHaveText("Pinned");
  await expect(panel.getByRole("listitem").first()).toContainText("service");
});
