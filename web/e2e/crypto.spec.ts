/** The view of the cryptography. What the mock shows is asked for by name, so that journeys do not meet. */
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { MOCK_URL } from "../playwright.config";
import { expect, test } from "./world";

test.use({ baseURL: MOCK_URL });

async function showing(page: Page, crypto: string): Promise<void> {
  await page.route("**/api/admin/crypto", (route) => route.continue({ url: `${MOCK_URL}/api/admin/crypto?mock=${crypto}` }));
}

const CRYPTO = "/?view=crypto&tz=utc";

test("the menu leads to the cryptography, the address holds it, and Escape and back lead back", async ({ world, page }) => {
  await world.ingest([{ message: "one" }]);
  await world.open();
  await page.getByRole("button", { name: "Page menu" }).click();
  await page.getByRole("menuitem", { name: "Cryptography" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Cryptography" })).toBeVisible();
  expect(world.param("view")).toBe("crypto");
  await page.reload();
  await expect(page.getByTestId("crypto")).toContainText("default build, not on the validated module");
  await page.keyboard.press("Escape");
  await world.settled();
  expect(world.param("view")).toBeNull();
  await page.goBack();
  await expect(page.getByTestId("crypto")).toBeVisible();
});

test("the commands lead to the cryptography, on to the cluster and back without a mouse", async ({ world, page }) => {
  await world.ingest([{ message: "one" }]);
  await world.open();
  for (const [command, id] of [["crypto", "crypto"], ["cluster", "cluster"], ["crypto", "crypto"]] as const) {
    await page.keyboard.press("Control+k");
    await page.keyboard.type(command);
    await page.keyboard.press("Enter");
    await expect(page.getByTestId(id)).toBeVisible();
  }
  await page.keyboard.press("Escape");
  await world.settled();
});

test("a default build says plainly what it is, and what is empty says why and how to have it", async ({ page }) => {
  await showing(page, "plain");
  await page.goto(CRYPTO);
  const said = page.getByTestId("verdict");
  await expect(said).toContainText("This build does not use the validated module");
  await expect(said).toContainText("That is no fault");
  await expect(said.locator("svg")).toBeVisible();
  await expect(page.getByRole("row", { name: "In None: no listener takes TLS." })).toBeVisible();
  await expect(page.getByRole("region", { name: "Keys in use", exact: true })).toContainText("None. A node of a cluster has a key");
  await page.getByTestId("no-tls").getByRole("button", { name: "Copy" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("helios serve --ssl-port 7443 --tls-cert");
});

test("a FIPS build shows module, certificate, what was negotiated in and out, keys and hashes, and figures follow without a jump", async ({ page }) => {
  await showing(page, "fips");
  await page.goto(CRYPTO);
  await expect(page.getByTestId("verdict")).toContainText("has no certificate of its own. That may be claimed of it, and no more.");
  await expect(page.getByRole("region", { name: "Module", exact: true })).toContainText("update stream of CMVP #5314");
  await expect(page.getByRole("row", { name: "10.0.0.11:7443 TLS, and nothing else" })).toBeVisible();
  await expect(page.getByRole("row", { name: /Out TLS 1.3 TLS13_AES_128_GCM_SHA256 secp256r1 204/ })).toBeVisible();
  await expect(page.getByRole("row", { name: /5be01f7c22a9d340.* ECDSA in use for 2 d/ })).toBeVisible();
  await expect(page.getByRole("row", { name: /MD5 .* the code is never reached/ })).toBeVisible();
  const key = page.getByRole("row", { name: /AES-256-GCM 41 d old/ });
  const before = { text: await key.textContent(), box: await key.boundingBox() };
  await expect.poll(() => key.textContent()).not.toBe(before.text);
  expect(await key.boundingBox()).toEqual(before.box);
});

test("what is wrong in a FIPS build is named in words, with what to do", async ({ page }) => {
  await showing(page, "troubled");
  await page.goto(CRYPTO);
  await expect(page.getByRole("status").filter({ hasText: "1 problem" })).toBeVisible();
  await expect(page.getByTestId("verdict").getByRole("listitem")).toHaveText("a part of this server does not stand on the module");
  await expect(page.getByTestId("verdict")).toContainText("What to do");
  await expect(page.getByRole("row", { name: /nearly used up/ })).toContainText("not known");
});

test("a table without room is moved sideways by keys, and the page by its own", async ({ page }) => {
  await page.setViewportSize({ width: 480, height: 640 });
  await showing(page, "fips");
  await page.goto(CRYPTO);
  const table = page.getByRole("region", { name: "Table: Keys in use" });
  await table.focus();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => table.evaluate((element) => element.scrollLeft)).toBeGreaterThan(0);
  const body = page.getByRole("region", { name: "Cryptography of this server" });
  await body.focus();
  await page.keyboard.press("End");
  await expect.poll(() => body.evaluate((element) => element.scrollTop)).toBeGreaterThan(0);
});

for (const scheme of ["light", "dark"] as const) {
  for (const crypto of ["plain", "fips", "troubled"]) {
    for (const width of [1024, 480]) {
      test(`the cryptography (${crypto}, ${width} px): contrast and roles hold in the ${scheme} theme, and nothing is wider than the window`, async ({ page }) => {
        await page.setViewportSize({ width, height: 768 });
        await page.emulateMedia({ colorScheme: scheme });
        await showing(page, crypto);
        await page.goto(CRYPTO);
        await expect(page.getByRole("heading", { level: 2 }).first()).toBeVisible();
        await expect(page.locator("html")).toHaveAttribute("data-theme", scheme);
        const result = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
        expect(result.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 200)} ${n.failureSummary?.slice(0, 300)}`).join(" | ")}`)).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      });
    }
  }
}
