import { each, expect, test } from "./world";

test("the caret stands under the character that is wrong", async ({ world, page }) => {
  await world.open();
  await world.search("level:error AND (service:checkout");
  const caret = page.getByTestId("caret");
  await expect(caret).toBeVisible();
  const bracket = await page.getByTestId("query").evaluate((host) => {
    const line = host.shadowRoot?.querySelector(".cm-line");
    const walker = document.createTreeWalker(line as Node, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const at = (node.textContent ?? "").indexOf("(");
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const { left, right, bottom } = range.getBoundingClientRect();
      return { left, right, bottom };
    }
    return null;
  });
  const box = await caret.boundingBox();
  expect(bracket).not.toBeNull();
  expect(box).not.toBeNull();
  if (!bracket || !box) return;
  const middle = box.x + box.width / 2;
  expect(middle).toBeGreaterThanOrEqual(bracket.left - 2);
  expect(middle).toBeLessThanOrEqual(bracket.right + 2);
  expect(box.y + box.height).toBeGreaterThan(bracket.bottom);
});

test("a click on the fix repairs the query and searches it", async ({ world, page }) => {
  await world.ingest(each(3, () => ({ level: "error", message: "disk full" })));
  await world.open();
  await world.search('"disk full" | hea 2');
  await page.getByRole("alert").getByRole("button", { name: /^Use/ }).click();
  await expect.poll(() => world.param("q")).toBe('"disk full" | head 2');
  await expect(world.rows).toHaveCount(2);
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("an error goes as soon as the query is edited", async ({ world, page }) => {
  await world.open();
  await world.search("(a");
  await expect(page.getByRole("alert")).toBeVisible();
  await world.query.press("End");
  await page.keyboard.type(")");
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("fields and their values are completed", async ({ world, page }) => {
  await world.ingest(each(5, (i) => ({ level: "info", shipment: i < 4 ? "delivered" : "delayed", message: "m" })));
  await world.open();
  await page.keyboard.press("/");
  await page.keyboard.type("shipm");
  await expect(page.getByRole("option", { name: /shipment/ }).first()).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(world.query).toHaveText("shipment:");
  await page.keyboard.type("delay");
  await expect(page.getByRole("option", { name: /delayed/ })).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(world.query).toHaveText("shipment:delayed");
  await page.keyboard.press("Enter");
  await expect(world.rows).toHaveCount(1);
});

test("the arrow up brings back earlier queries", async ({ world, page }) => {
  await world.ingest(each(2, (i) => ({ message: `word${i}` })));
  await world.open();
  await world.search("word0");
  await expect(world.rows).toHaveCount(1);
  await world.search("word1");
  await expect(world.rows).toContainText(["word1"]);
  await world.query.press("ArrowUp");
  await world.query.press("ArrowUp");
  await expect(world.query).toHaveText("word0");
  await page.keyboard.press("ArrowDown");
  await expect(world.query).toHaveText("word1");
});

test("the history says what each query found and took", async ({ world, page }) => {
  await world.ingest(each(2, () => ({ message: "something" })));
  await world.open();
  await world.search("something");
  await expect(world.rows).toHaveCount(2);
  await page.getByRole("button", { name: "Query history" }).click();
  await expect(page.getByRole("dialog", { name: "Query history" }).getByRole("listitem")).toContainText(/something.*2 results · [\d.]+ m?s/);
});
