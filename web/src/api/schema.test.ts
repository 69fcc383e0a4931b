import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { typesOf } from "../../scripts/api-types.mjs";
import written from "./schema.ts?raw";

it("the types are those of the server's OpenAPI document (`npm run types` makes them)", () => {
  const document: unknown = JSON.parse(readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8"));
  expect(written).toBe(typesOf(document));
});
