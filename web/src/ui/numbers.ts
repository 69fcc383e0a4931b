/** Numbers with separators and units. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function showCount(n: number): string {
  return whole.format(n);
}

/** `1 event`, `2 events`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${showCount(n)} ${n === 1 ? one : many}`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function showBytes(n: number): string {
  let unit = 0;
  while (n >= 1024 && unit < BYTE_UNITS.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${unit === 0 || n >= 100 ? whole.format(n) : n.toFixed(1)} ${BYTE_UNITS[unit] ?? "B"}`;
}

export function showTook(ms: number): string {
  return ms < 1000 ? `${ms < 10 && !Number.isInteger(ms) ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** A share; what is there but rounds to nothing is `<0.1 %`, what is not all never says 100. */
export function showShare(part: number): string {
  const percent = part * 100;
  if (percent > 0 && percent < 0.1) return "<0.1 %";
  if (percent < 100 && percent > 99.9) return ">99.9 %";
  return `${percent >= 10 || Number.isInteger(percent) ? Math.round(percent) : percent.toFixed(1)} %`;
}

/** Cuts the middle out of a long text. By code point, so that no character is torn. */
export function cutMiddle(text: string, length: number): string {
  const points = [...text.slice(0, length * 4), ...(text.length > length * 4 ? [...text.slice(-length * 2)] : [])];
  if (text.length <= length * 4 && points.length <= length) return text;
  const head = Math.ceil((length - 1) * 0.65);
  return `${points.slice(0, head).join("")}…${points.slice(points.length - (length - 1 - head)).join("")}`;
}
