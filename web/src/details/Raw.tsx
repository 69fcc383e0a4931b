import { useState } from "react";
import type { Hit } from "../api/types";
import { Button } from "../ui/Button";
import { copyText } from "../ui/toast";
import { showBytes } from "../ui/numbers";
import css from "./Details.module.css";

const SHOWN_CHARS = 20_000;

/** The bytes as they were sent. */
export function Raw({ hit }: { hit: Hit }) {
  const [all, setAll] = useState(false);
  const bytes = hit.raw_base64 === undefined ? new TextEncoder().encode(hit.raw).length : base64Bytes(hit.raw_base64);
  const shown = all ? hit.raw : hit.raw.slice(0, SHOWN_CHARS);
  return (
    <>
      <div className={css.rawHead}>
        <span className={css.muted}>{showBytes(bytes)}, as sent</span>
        <Button look="quiet" small icon="copy" onClick={() => void copyText(hit.raw, "the raw event")}>Copy</Button>
        {hit.raw_base64 !== undefined && <Button look="quiet" small onClick={() => void copyText(hit.raw_base64 ?? "", "the exact bytes as base64")}>Copy base64</Button>}
      </div>
      {hit.raw_base64 !== undefined && <p className={css.note}>Not all of it is UTF-8: what isn't is shown as �. The base64 holds the exact bytes.</p>}
      <pre className={css.raw}>{shown}</pre>
      {shown.length < hit.raw.length && <Button small onClick={() => setAll(true)}>Show all</Button>}
    </>
  );
}

function base64Bytes(text: string): number {
  return (text.length / 4) * 3 - (/=*$/.exec(text)?.[0].length ?? 0);
}
