/** A reader of server-sent events over `fetch`, which unlike `EventSource` shows HTTP errors and never reconnects by itself. */
import { parseJson } from "./json";

export interface ServerEvent {
  name: string;
  data: unknown;
}

/** Splits a growing text into events. Feed it chunks; it returns the events that are complete. */
export class EventSplitter {
  private rest = "";

  push(chunk: string): ServerEvent[] {
    this.rest = (this.rest + chunk).replace(/\r\n?/g, (end, at: number, all: string) => (end === "\r" && at === all.length - 1 ? "\r" : "\n"));
    const events: ServerEvent[] = [];
    for (;;) {
      const end = this.rest.indexOf("\n\n");
      if (end < 0) return events;
      const event = readBlock(this.rest.slice(0, end));
      this.rest = this.rest.slice(end + 2);
      if (event) events.push(event);
    }
  }
}

function readBlock(block: string): ServerEvent | null {
  let name = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue; // a comment: the heartbeat
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  return data.length === 0 ? null : { name, data: parseJson(data.join("\n")) };
}

export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const splitter = new EventSplitter();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* splitter.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
