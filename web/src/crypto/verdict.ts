/** What can be said of the cryptography of this server, and no more than that. */
import type { CryptoAnswer, KeyInUse, Negotiated } from "../api/types";
import { showSpan } from "../time/instant";
import type { IconName } from "../ui/Icon";
import { plural, showCount, showShare } from "../ui/numbers";

export interface Verdict {
  tone: "good" | "plain" | "error";
  icon: IconName;
  /** In a few words, for the bar on top. */
  short: string;
  word: string;
  what: string;
  problems: string[];
  todo: string;
}

export function verdict(answer: CryptoAnswer): Verdict {
  const { build, problems } = answer;
  if (problems.length > 0 || (build === "fips" && !answer.every_part_on_module)) {
    return {
      tone: "error",
      icon: "alert",
      short: problems.length > 0 ? plural(problems.length, "problem") : "not as it must be",
      word: "The cryptography is not as it must be",
      what: build === "fips" ? "This is a FIPS build, and not every part of this server stands on the module. Nothing may be claimed of it." : "This is a default build. It does not use the validated module, and there is a problem beside that.",
      problems,
      todo: "Stop this server and install its binary anew. `helios fips status` shows how the binary by itself is.",
    };
  }
  if (build === "fips") {
    return { tone: "good", icon: "check", short: "FIPS build, as it must be", word: "This FIPS build is as it must be", what: `HeliosLogs ${answer.claim}. That may be claimed of it, and no more.`, problems, todo: "" };
  }
  return {
    tone: "plain",
    icon: "info",
    short: "default build, not on the validated module",
    word: "This build does not use the validated module",
    what: "It is a default build. That is no fault, but nothing may be claimed of FIPS 140-3. It speaks the same versions, suites and groups in TLS as a FIPS build.",
    problems,
    todo: "Nothing, unless FIPS 140-3 is asked for. Then run a FIPS build: `fips/build.sh` makes one, and `fips/README.md` says what may be claimed of it.",
  };
}

export interface Connections extends Negotiated {
  way: "In" | "Out";
}

/** What was negotiated in and out, the most used first. */
export function connections({ connections: { incoming, outgoing } }: CryptoAnswer): Connections[] {
  const sorted = (way: Connections["way"], list: Negotiated[]) => list.map((n) => ({ ...n, way })).sort((a, b) => Number(b.connections) - Number(a.connections));
  return [...sorted("In", incoming.negotiated), ...sorted("Out", outgoing.negotiated)];
}

/** `TLSv1_3`, as the protocol is called everywhere else: `TLS 1.3`. */
export function showVersion(version: string): string {
  return version.replace(/^TLSv(\d)_(\d)$/, "TLS $1.$2");
}

/** How old a key is, or for how long it is in use where nobody knows when it was made. */
export function showKeyAge(key: KeyInUse): string {
  if (key.age_s === null) return "not known";
  const span = showSpan(Number(key.age_s) * 1000);
  return key.since_is === "made" ? `${span} old` : `in use for ${span}`;
}

/** From this share on a key is nearly used up. */
const SEALS_MANY = 0.9;

/** How often a key has sealed, of how often it may. */
export function showSeals(key: KeyInUse): { text: string; share: string; remark: string } {
  if (key.seals === null || key.seals_max === null) return { text: "does not seal", share: "", remark: "" };
  const [seals, most] = [Number(key.seals), Number(key.seals_max)];
  const remark = seals >= most ? "used up: it seals no more" : seals >= most * SEALS_MANY ? "nearly used up" : "";
  return { text: `${showCount(seals)} of ${showCount(most)}`, share: showShare(seals / most), remark };
}
