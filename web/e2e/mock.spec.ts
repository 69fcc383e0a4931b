/** What only the mock server can be made to do. */
import { MOCK_URL } from "../playwright.config";
import { expect, test } from "./world";

test.use({ baseURL: MOCK_URL });

test("a long search shows its progress, and Cancel closes the connection", async ({ page }) => {
  await page.goto("/?q=slow_search&start=-1h&end=now");
  const status = page.getByTestId("status");
  await expect(status).toContainText(/[1-9]\d* of 40 row groups · .* read · \d+ matched/);
  const ended = page.waitForEvent("requestfailed", (request) => request.url().includes("/api/search/stream"));
  await page.getByRole("button", { name: "Cancel" }).click();
  await ended;
  await expect(status).toContainText("Cancelled");
});

test("a first visit shows how to send events to this server, and the first one when it comes", async ({ page }) => {
  const env = `first-${Date.now()}`;
  await page.goto(`/?env=${env}`);
  const welcome = page.getByTestId("welcome");
  await expect(welcome).toContainText(`curl -X POST '${MOCK_URL}/api/ingest?index=first&env=${env}'`);
  await welcome.getByRole("radio", { name: "Vector" }).click();
  await expect(welcome).toContainText(`uri: "${MOCK_URL}/api/ingest?index=vector&env=${env}"`);
  await page.request.post(`/api/ingest?index=first&env=${env}`, { data: '{"level":"info","message":"my first event"}' });
  await expect(welcome).toContainText("It arrived.");
  await expect(welcome).toContainText('{"level":"info","message":"my first event"}');
  await welcome.getByRole("button", { name: "Search", exact: true }).click();
  await expect(page.getByTestId("events")).toContainText("my first event");
});

test("a stream that breaks off is said to be incomplete", async ({ page }) => {
  await page.route("**/api/search/stream*", (route) => route.fulfill({ contentType: "text/event-stream", body: 'event: hits\ndata: [{"id":"aa-1","timestamp":"2026-06-14T10:00:00Z","env":"default","index":"x","source":null,"message":"the only one","raw":"r","fields":{}}]\n\n' }));
  await page.goto("/?q=x&start=-1h&end=now");
  await expect(page.getByTestId("status")).toContainText("Ended early: 1 shown are not all.");
  await expect(page.getByText("the only one")).toBeVisible();
});

test("a partial answer gives its reason", async ({ page }) => {
  await page.route("**/api/search/stream*", (route) => route.fulfill({ contentType: "text/event-stream", body: 'event: done\ndata: {"total":7,"hits":[],"table":{"columns":["count"],"rows":[[7]]},"took_ms":3,"partial":true,"warnings":["one block could not be read"],"stats":{"blocks":2,"blocks_pruned":0,"bytes_read":10},"cursor":null}\n\n' }));
  await page.goto("/?q=x&start=-1h&end=now");
  await expect(page.getByRole("button", { name: /Incomplete one block could not be read/ })).toBeVisible();
});

test("a number that no float holds is shown with its own digits", async ({ page }) => {
  await page.route("**/api/search/stream*", (route) => route.fulfill({ contentType: "text/event-stream", body: 'event: hits\ndata: [{"id":"aa-1","timestamp":"2026-06-14T10:00:00Z","env":"default","index":"x","source":null,"message":"m","raw":"r","fields":{"big":12345678901234567891,"one":1.0}}]\n\nevent: done\ndata: {"total":1,"hits":[],"took_ms":3,"partial":false,"warnings":[],"stats":{"blocks":2,"blocks_pruned":0,"bytes_read":10},"cursor":null}\n\n' }));
  await page.goto("/?q=x&start=-1h&end=now");
  await expect(page.getByRole("button", { name: "big=12345678901234567891" })).toBeVisible();
  await expect(page.getByRole("button", { name: "one=1.0" })).toBeVisible();
});
