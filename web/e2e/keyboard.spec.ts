import { each, expect, test } from "./world";

const EVENTS = () => each(30, (i) => ({ level: i % 10 === 5 ? "error" : "info", message: `event number ${i}`, n: i }));

test("slash puts the keyboard into the query and Escape takes it out again", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await page.keyboard.press("/");
  await expect(world.query).toBeFocused();
  await page.keyboard.type("j?/");
  await expect(world.query).toHaveText("j?/");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await expect(world.query).not.toBeFocused();
});

test("j and k move, Enter opens, Escape closes", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await page.keyboard.press("j");
  await expect(world.selected).toContainText("event number 29");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await expect(world.selected).toContainText("event number 27");
  await page.keyboard.press("k");
  await expect(world.selected).toContainText("event number 28");
  await expect(world.details).toHaveCount(0);
  await page.keyboard.press("Enter");
  await expect(world.details.getByTestId("message")).toHaveText("event number 28");
  await page.keyboard.press("Escape");
  await expect(world.details).toHaveCount(0);
  await expect(world.selected).toContainText("event number 28");
});

test("arrows step through events while one is open", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await world.rows.first().getByText("event number 29").click();
  await expect(world.details).toContainText("1 of 30");
  await page.keyboard.press("ArrowDown");
  await expect(world.details.getByTestId("message")).toHaveText("event number 28");
  await page.keyboard.press("ArrowUp");
  await expect(world.details.getByTestId("message")).toHaveText("event number 29");
});

test("n and N jump from error to error", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await page.keyboard.press("n");
  await expect(world.selected).toContainText("event number 25");
  await page.keyboard.press("n");
  await expect(world.selected).toContainText("event number 15");
  await page.keyboard.press("N");
  await expect(world.selected).toContainText("event number 25");
});

test("the brackets shift the window by its own width", async ({ world, page }) => {
  await world.open({ start: "2026-06-14T10:00:00.000Z", end: "2026-06-14T10:10:00.000Z" });
  await page.keyboard.press("[");
  await expect.poll(() => [world.param("start"), world.param("end")]).toEqual(["2026-06-14T09:50:00.000Z", "2026-06-14T10:00:00.000Z"]);
  await page.keyboard.press("]");
  await page.keyboard.press("]");
  await expect.poll(() => [world.param("start"), world.param("end")]).toEqual(["2026-06-14T10:10:00.000Z", "2026-06-14T10:20:00.000Z"]);
});

test("t opens the time range, ? the keys, Ctrl K the commands, and Escape closes each of them alone", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  for (const [key, name] of [["t", "Time range"], ["?", "Keys and syntax"], ["Control+k", "Commands"]] as const) {
    await page.keyboard.press(key);
    await expect(page.getByRole("dialog", { name })).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog", { name })).toHaveCount(0);
    await expect(world.details).toBeVisible();
  }
});

test("a command is found by its words and run by Enter", async ({ world, page }) => {
  await world.open();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("last 4 hours");
  await page.keyboard.press("Enter");
  await expect.poll(() => world.param("start")).toBe("-4h");
});
