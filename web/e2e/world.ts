/** What the journeys share: events of their own in an index of their own, and the page on them. */
import { test as base, expect, type Page } from "@playwright/test";

export type Event = Record<string, unknown>;

export class World {
  readonly page: Page;
  readonly index: string;

  constructor(page: Page, index: string) {
    this.page = page;
    this.index = index;
  }

  async ingest(events: Event[]): Promise<void> {
    const body = events.map((e) => JSON.stringify(e)).join("\n");
    const answer = await this.page.request.post(`/api/ingest?index=${this.index}`, { data: body, headers: { "content-type": "application/x-ndjson" } });
    expect(answer.status(), await answer.text()).toBe(200);
    expect(await answer.json()).toMatchObject({ ingested: events.length, errors: 0 });
  }

  /** Opens the page on this journey's index and waits until the search has ended. */
  async open(params: Record<string, string> = {}): Promise<void> {
    const query = new URLSearchParams({ start: "-1h", end: "now", tz: "utc", index: this.index, ...params });
    await this.page.goto(`/?${query.toString()}`);
    if (params.live === "1") await expect(this.page.getByTestId("status")).toContainText("Live");
    else await this.settled();
  }

  async settled(): Promise<void> {
    await expect(this.page.getByTestId("status")).toContainText(/\d events?|\d rows?|Not searched/);
  }

  param(name: string): string | null {
    return new URL(this.page.url()).searchParams.get(name);
  }

  get rows() {
    return this.page.getByTestId("events").locator("[role=row][aria-selected]");
  }

  get selected() {
    return this.page.getByTestId("events").locator("[role=row][aria-selected=true]");
  }

  get query() {
    return this.page.getByRole("textbox", { name: "Query" });
  }

  get details() {
    return this.page.getByTestId("details");
  }

  async search(query: string): Promise<void> {
    await this.query.click();
    await this.page.keyboard.press("ControlOrMeta+a");
    await this.page.keyboard.insertText(query);
    await this.page.keyboard.press("Enter");
  }
}

/** `count` events, one each second up to now, the last one newest. */
export function each(count: number, make: (i: number) => Event): Event[] {
  const now = Date.now();
  return Array.from({ length: count }, (_, i) => ({ timestamp: new Date(now - (count - i) * 1000).toISOString(), ...make(i) }));
}

let made = 0;

export const test = base.extend<{ world: World }>({
  world: async ({ page }, use, info) => {
    const index = `e2e-${info.workerIndex}-${Date.now().toString(36)}-${++made}`;
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (/Content Security Policy|Refused to/i.test(message.text())) problems.push(message.text());
    });
    await use(new World(page, index));
    expect(problems, "the page ran without errors and within its policy").toEqual([]);
  },
});

export { expect };
