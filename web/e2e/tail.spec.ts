import { each, expect, test } from "./world";

test("live events come in on top, newest first", async ({ world, page }) => {
  await world.open({ live: "1" });
  await expect(page.getByTestId("status")).toContainText("Live");
  await world.ingest(each(1, () => ({ level: "info", message: "first arrival" })));
  await expect(world.rows).toHaveCount(1);
  await world.ingest(each(1, () => ({ level: "info", message: "second arrival" })));
  await expect(world.rows.first()).toContainText("second arrival");
});

test("pause stops the list, counts what waits, and gives it all back", async ({ world, page }) => {
  await world.open({ live: "1" });
  await world.ingest(each(3, (i) => ({ message: `early ${i}` })));
  await expect(world.rows).toHaveCount(3);
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByTestId("status")).toContainText("Paused");
  await world.ingest(each(4, (i) => ({ message: `late ${i}` })));
  const resume = page.getByRole("button", { name: "Show 4 new events" });
  await expect(resume).toBeVisible();
  await expect(world.rows).toHaveCount(3);
  await resume.click();
  await expect(world.rows).toHaveCount(7);
  await expect(world.rows.first()).toContainText("late 3");
});

test("a reader who has scrolled down keeps his place while events arrive", async ({ world, page }) => {
  await world.open({ live: "1" });
  await world.ingest(each(120, (i) => ({ message: `early ${i}.` })));
  const list = page.getByTestId("events");
  await expect(world.rows.first()).toContainText("early 119.");
  await list.evaluate((box) => box.scrollTo({ top: 660 }));
  const row = world.rows.filter({ hasText: "early 80." });
  const before = await row.boundingBox();
  await world.ingest(each(10, (i) => ({ message: `late ${i}.` })));
  await expect(page.getByTestId("status")).toContainText("130 matched");
  await expect.poll(() => row.boundingBox()).toEqual(before);
});

test("the tail follows the query", async ({ world }) => {
  await world.open({ live: "1", q: "level:error" });
  await world.ingest(each(4, (i) => ({ level: i % 2 === 0 ? "error" : "info", message: `event ${i}` })));
  await expect(world.rows).toHaveCount(2);
  await expect(world.rows.first()).toContainText("event 2");
});

test("l starts and stops the tail, and the address bar says so", async ({ world, page }) => {
  await world.open();
  await page.keyboard.press("l");
  await expect.poll(() => world.param("live")).toBe("1");
  await page.keyboard.press("l");
  await expect.poll(() => world.param("live")).toBeNull();
});
