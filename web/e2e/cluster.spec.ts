/** The view of the cluster. What the mock shows is asked for by name, so that journeys do not meet. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { MOCK_URL } from "../playwright.config";
import { expect, test } from "./world";

test.use({ baseURL: MOCK_URL });

async function showing(page: Page, cluster: string): Promise<void> {
  await page.route("**/api/cluster", (route) => route.continue({ url: `${MOCK_URL}/api/cluster?mock=${cluster}` }));
}

const CLUSTER = "/?view=cluster&tz=utc";

test("the top bar leads to the cluster, the address holds it, and Escape and back lead back", async ({ world, page }) => {
  await showing(page, "healthy");
  await world.ingest([{ message: "one" }]);
  await world.open();
  await page.getByRole("button", { name: "Cluster: nothing needs attention" }).click();
  await expect(page.getByRole("heading", { name: "Cluster" })).toBeVisible();
  expect(world.param("view")).toBe("cluster");
  await page.reload();
  await expect(page.getByTestId("cluster")).toContainText("3 nodes alive · nothing needs attention");
  await page.keyboard.press("Escape");
  await world.settled();
  expect(world.param("view")).toBeNull();
  await page.goBack();
  await expect(page.getByTestId("cluster")).toBeVisible();
});

test("the commands lead to the cluster and back without a mouse", async ({ world, page }) => {
  await showing(page, "healthy");
  await world.ingest([{ message: "one" }]);
  await world.open();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("cluster");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("cluster")).toContainText("3 nodes alive");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("back to");
  await page.keyboard.press("Enter");
  await world.settled();
});

test("nodes, leaders and the shared store are shown, and figures follow without a jump", async ({ page }) => {
  await showing(page, "healthy");
  await page.goto(CLUSTER);
  const own = page.getByRole("row", { name: /this node/ });
  await expect(own).toContainText("Alive");
  await expect(own).toContainText("18,422 events · 3.2 MiB");
  await expect(own).toContainText("compactor");
  await expect(page.getByRole("row")).toHaveCount(4);
  const store = page.getByRole("region", { name: "Shared store" });
  await expect(store).toContainText("s3://shop-logs/helios");
  const before = { text: await store.textContent(), box: await store.boundingBox() };
  await expect.poll(() => store.textContent()).not.toBe(before.text);
  expect(await store.boundingBox()).toEqual(before.box);
});

test("what needs a person is named once, with what to do and every partition on demand", async ({ page }) => {
  await showing(page, "troubled");
  await page.goto(CLUSTER);
  const attention = page.getByRole("region", { name: "Needs attention" });
  await expect(attention.getByRole("listitem")).toHaveCount(4);
  const first = attention.getByRole("listitem").first();
  await expect(first).toContainText("Rolled back");
  await expect(first).toContainText("run helios store adopt");
  const named = first.locator("code").filter({ hasText: /^shop\// });
  await expect(named).toHaveCount(5);
  await first.getByRole("button", { name: "and 7 more partitions" }).click();
  await expect(named).toHaveCount(12);
  await expect(page.getByRole("row", { name: /f00d9a8b7c6d5e4f/ })).toContainText("Stopped");
});

test("a node alone explains how to join a cluster, and its top bar says nothing of one", async ({ world, page }) => {
  await world.ingest([{ message: "one" }]);
  await world.open();
  await expect(page.getByRole("button", { name: /^Cluster/ })).toHaveCount(0);
  await page.getByRole("button", { name: "Page menu" }).click();
  await page.getByRole("menuitem", { name: "Cluster" }).click();
  await expect(page.getByTestId("alone")).toContainText("--shared-store s3://bucket/prefix");
  await page.getByRole("button", { name: "Copy" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("helios serve --shared-store");
});

for (const scheme of ["light", "dark"] as const) {
  for (const cluster of ["none", "joining", "healthy", "troubled", "unreachable", "conflict"]) {
    test(`the cluster (${cluster}): contrast and roles hold in the ${scheme} theme, and nothing is wider than the window`, async ({ page }) => {
      await page.setViewportSize({ width: 1024, height: 768 });
      await page.emulateMedia({ colorScheme: scheme });
      await showing(page, cluster);
      await page.goto(CLUSTER);
      await expect(page.getByRole("heading", { level: 2 }).first()).toBeVisible();
      await expect(page.locator("html")).toHaveAttribute("data-theme", scheme);
      const result = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
      expect(result.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 200)} ${n.failureSummary?.slice(0, 300)}`).join(" | ")}`)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1024);
    });
  }
}
