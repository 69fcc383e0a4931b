import { each, expect, test } from "./world";

const MINUTES = () => each(600, (i) => ({ level: i % 5 === 0 ? "error" : "info", message: `m ${i}` }));

test("a drag over the histogram zooms, and the address bar says to where", async ({ world, page }) => {
  await world.ingest(MINUTES());
  await world.open({ start: "-10m" });
  const plot = page.getByTestId("histogram");
  await expect(plot.locator("svg rect").first()).toBeVisible();
  const box = await plot.boundingBox();
  if (!box) throw new Error("no histogram");
  await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 30, { steps: 5 });
  await page.mouse.up();
  await expect.poll(() => world.param("start")).toMatch(/^20\d\d-/);
  const width = Date.parse(world.param("end") ?? "") - Date.parse(world.param("start") ?? "");
  expect(width).toBeGreaterThanOrEqual(140_000);
  expect(width).toBeLessThanOrEqual(170_000);
  await expect(page.getByTestId("status")).toContainText(/1[3-7]\d events/);

  await plot.dblclick({ position: { x: 50, y: 20 } });
  await expect.poll(() => world.param("start")).toBe("-10m");
});

test("the button opens the time range and closes it again", async ({ world, page }) => {
  await world.open();
  const button = page.getByTestId("time");
  await button.click();
  await expect(page.getByRole("dialog", { name: "Time range" })).toBeVisible();
  await button.click();
  await expect(page.getByRole("dialog", { name: "Time range" })).toHaveCount(0);
  await expect(button).toBeFocused();
});

test("a pasted timestamp becomes five minutes on each side of it", async ({ world, page }) => {
  await world.open();
  await page.keyboard.press("t");
  const dialog = page.getByRole("dialog", { name: "Time range" });
  await dialog.getByLabel("Any timestamp, pasted").fill("14/Jun/2026:12:30:00 +0200");
  await expect(dialog).toContainText("2026-06-14 10:30:00 UTC");
  await dialog.getByRole("button", { name: "5 min around it" }).click();
  await expect.poll(() => [world.param("start"), world.param("end")]).toEqual(["2026-06-14T10:25:00.000Z", "2026-06-14T10:35:00.000Z"]);
});

test("a range that cannot be read is not applied, and it says which end", async ({ world, page }) => {
  await world.open();
  await page.keyboard.press("t");
  const dialog = page.getByRole("dialog", { name: "Time range" });
  await dialog.getByLabel("From (included)").fill("some day");
  await expect(dialog).toContainText("The start cannot be read.");
  await expect(dialog.getByRole("button", { name: "Apply" })).toBeDisabled();
  await dialog.getByLabel("From (included)").fill("now");
  await expect(dialog).toContainText("The end is not after the start.");
  await dialog.getByLabel("From (included)").fill("-2h");
  await page.keyboard.press("Enter");
  await expect.poll(() => world.param("start")).toBe("-2h");
});

test("the zone switch changes what is shown, not what is searched", async ({ world, page }) => {
  const at = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 60_000);
  await world.ingest([{ timestamp: at.toISOString(), message: "tick" }]);
  await world.open();
  const utc = at.toISOString().slice(11, 19);
  await expect(world.rows.first()).toContainText(utc);
  await page.keyboard.press("t");
  await page.getByRole("radio", { name: /^Local/ }).click();
  await page.keyboard.press("Escape");
  await expect(world.rows.first()).not.toContainText(utc);
  await expect(world.rows.first().getByTitle(/\(UTC\)[^]*\(local\)/)).toBeVisible();
  expect(world.param("tz")).toBe("local");
});
