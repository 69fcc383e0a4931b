/**
 * Makes src/api/schema.ts from the server's OpenAPI document:
 *   npm run types [-- <document>]       (../docs/openapi.json if none is named)
 * A test holds the two together. Only what the document uses is understood; anything else stops the run.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** Shapes in which numbers keep the digits that were sent. */
const EXACT = new Set(["Cell", "FieldValue"]);

export function typesOf(document) {
  const schemas = Object.entries(document.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  const head = '/** Made from the OpenAPI document by `npm run types`; not written by hand. */\nimport type { ExactNumber } from "./json";\n';
  return [head, ...schemas.map(([name, schema]) => declaration(name, schema))].join("\n");
}

function declaration(name, schema) {
  if (schema.type === "object" && schema.properties) return `export interface ${name} ${members(schema, "", EXACT.has(name))}\n`;
  return `export type ${name} = ${type(schema, "", EXACT.has(name))};\n`;
}

function type(schema, indent, exact) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ");
  if (schema.oneOf) return schema.oneOf.map((s) => type(s, indent, exact)).join(" | ");
  if (Array.isArray(schema.type)) return schema.type.map((t) => type({ ...schema, type: t }, indent, exact)).join(" | ");
  switch (schema.type) {
    case "string":
    case "boolean":
    case "null":
      return schema.type;
    case "integer":
    case "number":
      return exact ? "number | ExactNumber" : "number";
    case "array":
      if (schema.prefixItems) return `[${schema.prefixItems.map((s) => type(s, indent, exact)).join(", ")}]`;
      return list(type(schema.items, indent, exact));
    case "object":
      if (schema.properties) return members(schema, indent, exact);
      return `Record<string, ${schema.additionalProperties ? type(schema.additionalProperties, indent, exact) : "unknown"}>`;
    default:
      throw new Error(`the document uses what this script does not know: ${JSON.stringify(schema)}`);
  }
}

const list = (item) => (/[|\s{]/.test(item) ? `(${item})[]` : `${item}[]`);

function members(schema, indent, exact) {
  const inner = `${indent}  `;
  const lines = Object.entries(schema.properties).map(([name, property]) => {
    const note = property.description ? `${inner}/** ${property.description.replaceAll("*/", "*\\/")} */\n` : "";
    return `${note}${inner}${/^\w+$/.test(name) ? name : JSON.stringify(name)}${schema.required?.includes(name) ? "" : "?"}: ${type(property, inner, exact)};\n`;
  });
  return `{\n${lines.join("")}${indent}}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const source = process.argv[2] ?? new URL("../../docs/openapi.json", import.meta.url);
  writeFileSync(new URL("../src/api/schema.ts", import.meta.url), typesOf(JSON.parse(readFileSync(source, "utf8"))));
}
