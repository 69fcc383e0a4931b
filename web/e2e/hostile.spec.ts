import { each, expect, test } from "./world";

const HOSTILE = [
  `<img src=x onerror="window.__owned=1">`,
  `<script>window.__owned=2</script>`,
  `"><svg onload=window.__owned=3>`,
  `javascript:window.__owned=4//`,
  `\u202Egnirts desrever\u202C`,
  `{{constructor.constructor('window.__owned=5')()}}`,
  `\u0000\u0007\u001b[31mred\u001b[0m`,
  `${"A".repeat(100_000)}<b>end</b>`,
];

test("hostile log text is text wherever it is shown", async ({ world, page }) => {
  await world.ingest(each(HOSTILE.length, (i) => ({ level: `<b>${i}</b>`, message: HOSTILE[i], field: HOSTILE[i], [`<i onclick=x>${i}`]: "name" })));
  await world.open({ cols: "field" });
  await expect(world.rows).toHaveCount(HOSTILE.length);
  for (let i = 0; i < HOSTILE.length; i++) {
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    for (const tab of ["Fields", "Tree", "Raw", "Around"]) await world.details.getByRole("tab", { name: tab }).click();
    await world.details.getByRole("tab", { name: "Fields" }).click();
  }
  const panel = page.getByRole("navigation", { name: "Fields" });
  await panel.getByRole("button", { name: "field", exact: false }).first().click();
  expect(await page.evaluate(() => (window as { __owned?: number }).__owned)).toBeUndefined();
  expect(await page.locator(":is(section, aside, nav) :is(img, script, iframe, b, i)").count()).toBe(0);
  await expect(page.getByText("<script>window.__owned=2</script>").first()).toBeVisible();
});

test("a hostile value in a query or a table stays text", async ({ world, page }) => {
  await world.ingest(each(2, () => ({ field: HOSTILE[0], message: "m" })));
  await world.open({ q: "* | stats count by field" });
  await page.getByTestId("table").getByRole("button", { name: HOSTILE[0] ?? "" }).click();
  await page.getByRole("menuitem", { name: "Include" }).click();
  await expect(page.getByTestId("status")).toContainText("1 row");
  expect(await page.evaluate(() => (window as { __owned?: number }).__owned)).toBeUndefined();
});

test("a line of a megabyte does not freeze the list or the details", async ({ world, page }) => {
  await world.ingest(each(1, () => ({ message: "word ".repeat(190_000) })));
  await world.open();
  await world.rows.first().getByText("word").first().click();
  await expect(world.details.getByRole("button", { name: /Show all 950,000 characters/ })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(world.details).toHaveCount(0);
});
