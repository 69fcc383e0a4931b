import { each, expect, test } from "./world";

test("the list goes on to the last event, and holds only what is in sight", async ({ world, page }) => {
  await world.ingest(each(1000, (i) => ({ level: "info", message: `event number ${i}.` })));
  await world.open();
  await expect(page.getByTestId("status")).toContainText("1,000 events");
  const list = page.getByTestId("events");
  await expect.poll(async () => {
    await list.evaluate((box) => box.scrollTo({ top: box.scrollHeight }));
    return world.rows.last().innerText();
  }).toContain("event number 0.");
  await expect(list).toContainText("These are all 1,000 events.");
  expect(await world.rows.count()).toBeLessThan(120);
});

test("rows that are being read stay where they are when more arrive below", async ({ world, page }) => {
  await world.ingest(each(500, (i) => ({ level: "info", message: `event number ${i}.` })));
  await world.open();
  const list = page.getByTestId("events");
  await list.evaluate((box) => box.scrollTo({ top: 2200 }));
  const row = world.rows.filter({ hasText: "event number 395." });
  const before = await row.boundingBox();
  await list.evaluate((box) => box.scrollTo({ top: 3900 }));
  await expect(world.rows.filter({ hasText: "event number 299." })).toBeVisible();
  await list.evaluate((box) => box.scrollTo({ top: 2200 }));
  expect(await row.boundingBox()).toEqual(before);
});

test("a column's header sorts by it, and the address bar says so", async ({ world, page }) => {
  await world.ingest(each(30, (i) => ({ n: (i * 7) % 30, message: "m" })));
  await world.open({ cols: "n" });
  await page.getByRole("columnheader", { name: /^n/ }).getByRole("button", { name: "n", exact: true }).click();
  await expect.poll(() => world.param("sort")).toBe("-n");
  await expect(world.rows.first()).toContainText("29");
  await expect(page.getByRole("columnheader", { name: /^n/ })).toHaveAttribute("aria-sort", "descending");
});

test("a reducing stage gives a table whose values can be clicked", async ({ world, page }) => {
  await world.ingest(each(30, (i) => ({ service: i % 3 === 0 ? "cart" : "search", message: "m" })));
  await world.open({ q: "* | stats count by service" });
  const table = page.getByTestId("table");
  await expect(table.getByRole("row").nth(1)).toContainText("search20");
  await table.getByRole("button", { name: "cart" }).click();
  await page.getByRole("menuitem", { name: "Include" }).click();
  await expect.poll(() => world.param("q")).toBe("service:cart | stats count by service");
  await expect(page.getByTestId("status")).toContainText("1 row");
});

test("a timechart is drawn above its table", async ({ world, page }) => {
  await world.ingest(each(300, (i) => ({ level: i % 5 === 0 ? "error" : "info", message: "m" })));
  await world.open({ start: "-10m", q: "* | timechart span=1m count by level" });
  await expect(page.getByTestId("chart").locator("canvas")).toBeVisible();
  await expect(page.getByTestId("table").getByRole("columnheader")).toContainText(["time", /info|error/, /info|error/]);
});

test("an empty result says how many events there are and which term empties it", async ({ world, page }) => {
  await world.ingest(each(10, () => ({ level: "info", message: "plain" })));
  await world.open({ q: "plain missing_word" });
  const empty = page.getByTestId("empty");
  await expect(empty).toContainText(/There are 10 events in .*the newest is from/);
  await expect(empty).toContainText("Without missing_word: 10 events.");
  await empty.getByRole("button", { name: "Remove it" }).click();
  await expect(world.rows).toHaveCount(10);
});

test("an empty result says what matches at other times and in the future", async ({ world, page }) => {
  await world.ingest([{ timestamp: new Date(Date.now() + 86_400_000).toISOString(), message: "from tomorrow" }]);
  await world.open({ q: "tomorrow" });
  const empty = page.getByTestId("empty");
  await expect(empty).toContainText("1 event matches at other times.");
  await expect(empty).toContainText("1 of them lies in the future");
  await empty.getByRole("button", { name: "Show", exact: true }).click();
  await expect(world.rows).toHaveCount(1);
});

test("the export names its size first and carries the columns on screen", async ({ world, page }) => {
  await world.ingest(each(40, (i) => ({ service: "cart", n: i, message: `event, number ${i}` })));
  await world.open({ cols: "service,n" });
  await page.getByRole("button", { name: "Export" }).click();
  const dialog = page.getByRole("dialog", { name: "Export" });
  await expect(dialog.getByTestId("estimate")).toContainText(/40 events, about [\d.]+ KiB/);
  const [download] = await Promise.all([page.waitForEvent("download"), dialog.getByRole("link", { name: "Download" }).click()]);
  const lines = (await new Response(await download.createReadStream() as unknown as BodyInit).text()).trim().split(/\r?\n/);
  expect(lines[0]).toBe("timestamp,service,n,message");
  expect(lines).toHaveLength(41);
  expect(lines[1]).toMatch(/,cart,39,"event, number 39"$/);
});
