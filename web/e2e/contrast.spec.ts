import AxeBuilder from "@axe-core/playwright";
import { each, expect, test, type World } from "./world";

const EVENTS = () => each(60, (i) => ({ level: ["fatal", "error", "warn", "info", "debug", "trace"][i % 6], service: i % 2 ? "cart" : "search", http: { status: 200 + i, ok: true }, message: `request ${i} took ${i * 3} ms` }));

const VIEWS: [string, (world: World) => Promise<void>][] = [
  ["the list of events", async (w) => w.open({ cols: "service" })],
  ["an opened event and the menu", async (w) => {
    await w.open();
    await w.rows.first().getByText("request 59").click();
    await w.details.getByRole("tab", { name: "Tree" }).click();
    await w.page.getByRole("navigation", { name: "Fields" }).getByRole("button", { name: /service/ }).click();
  }],
  ["an error under the query", async (w) => w.open({ q: "(level:error" })],
  ["a table and a chart", async (w) => {
    await w.open({ q: "* | timechart span=1m count by service" });
    await expect(w.page.getByTestId("chart").locator("canvas")).toBeVisible();
  }],
  ["an empty result", async (w) => {
    await w.open({ q: "request nothing_has_this" });
    await expect(w.page.getByTestId("empty")).toContainText("Without");
  }],
  ["the time picker", async (w) => {
    await w.open();
    await w.page.keyboard.press("t");
  }],
  ["the keys", async (w) => {
    await w.open();
    await w.page.keyboard.press("?");
  }],
  ["the commands", async (w) => {
    await w.open();
    await w.page.keyboard.press("Control+k");
  }],
  ["the export", async (w) => {
    await w.open();
    await w.page.getByRole("button", { name: "Export" }).click();
  }],
  ["the live tail", async (w) => {
    await w.open({ live: "1" });
    await w.ingest(EVENTS());
    await expect(w.rows.first()).toBeVisible();
  }],
];

for (const scheme of ["light", "dark"] as const) {
  for (const [name, show] of VIEWS) {
    test(`${name}: contrast and roles hold in the ${scheme} theme`, async ({ world, page }) => {
      await page.emulateMedia({ colorScheme: scheme });
      await world.ingest(EVENTS());
      await show(world);
      await expect(page.locator("html")).toHaveAttribute("data-theme", scheme);
      const result = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
      expect(result.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 200)} ${n.failureSummary?.slice(0, 300)}`).join(" | ")}`)).toEqual([]);
    });
  }
}

for (const theme of ["light", "dark"] as const) {
  test(`high contrast holds on the ${theme} theme`, async ({ world, page }) => {
    await page.emulateMedia({ colorScheme: theme, contrast: "more" });
    await world.ingest(EVENTS());
    await world.open({ cols: "service", q: "request" });
    await world.rows.first().getByText("request 59").click();
    await expect(page.locator("html")).toHaveAttribute("data-contrast", "more");
    const result = await new AxeBuilder({ page }).withRules(["color-contrast", "color-contrast-enhanced"]).analyze();
    expect(result.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.failureSummary?.slice(0, 300)}`))).toEqual([]);
  });
}

test("high contrast is a choice of its own and stays after a reload", async ({ world, page }) => {
  await world.open();
  await page.getByRole("button", { name: "Page menu" }).click();
  await page.getByRole("menuitemradio", { name: "High contrast" }).click();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-contrast", "more");
});
