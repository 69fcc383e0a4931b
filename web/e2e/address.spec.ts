import { each, expect, test } from "./world";

const EVENTS = () => each(20, (i) => ({ level: i % 4 === 0 ? "error" : "info", service: "cart", message: `event number ${i}` }));

test("back and forward walk through the searches", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await world.search("level:error");
  await expect(world.rows).toHaveCount(5);
  await world.search('"number 3"');
  await expect(world.rows).toHaveCount(1);
  await page.goBack();
  await expect(world.rows).toHaveCount(5);
  await expect(world.query).toHaveText("level:error");
  await page.goForward();
  await expect(world.rows).toHaveCount(1);
});

test("sharing copies a link whose times are absolute", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open({ q: "level:error", cols: "service" });
  await page.getByRole("button", { name: "Share" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Copied" })).toBeVisible();
  const link = new URL(await page.evaluate(() => navigator.clipboard.readText()));
  expect(link.searchParams.get("start")).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  expect(link.searchParams.get("end")).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  expect(link.searchParams.get("q")).toBe("level:error");
  expect(link.searchParams.get("cols")).toBe("service");
  expect(world.param("start")).toBe("-1h");
});

test("a link to an event shows it even when the search does not find it", async ({ world, page }) => {
  await world.ingest(EVENTS());
  await world.open();
  await world.rows.first().getByText("event number 19").click();
  const id = world.param("event") ?? "";
  expect(id).toMatch(/-/);
  await world.open({ event: id, q: "nothing_holds_this" });
  await expect(world.details.getByTestId("message")).toHaveText("event number 19");
});

test("the raw tab and the copy give back the line as it was sent", async ({ world, page }) => {
  const line = `{"timestamp":"${new Date().toISOString()}",  "message":"as sent", "n":12345678901234567891, "f":1.0, "e":"\\u00e9"}`;
  const answer = await page.request.post(`/api/ingest?index=${world.index}`, { data: line, headers: { "content-type": "application/x-ndjson" } });
  expect(answer.status()).toBe(200);
  await world.open();
  await world.rows.first().getByText("as sent").click();
  await world.details.getByRole("tab", { name: "Tree" }).click();
  await expect(world.details.getByRole("tabpanel")).toContainText("n12345678901234567891f1.0eé");
  await world.details.getByRole("tab", { name: "Raw" }).click();
  await expect(world.details.locator("pre")).toHaveText(line);
  await world.details.getByRole("button", { name: "Copy", exact: true }).first().click();
  await page.getByRole("menuitem", { name: "Copy raw" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(line);
});

test("the events around one are shown without the query", async ({ world }) => {
  await world.ingest(EVENTS());
  await world.open({ q: '"number 8"' });
  await world.rows.first().getByText("event number 8").click();
  await world.details.getByRole("tab", { name: "Around" }).click();
  const around = world.details.getByRole("tabpanel").getByRole("listitem");
  await expect(around).toHaveCount(20);
  await expect(around.nth(7)).toContainText("event number 7");
  await expect(around.nth(8)).toHaveAttribute("aria-current", "true");
});
