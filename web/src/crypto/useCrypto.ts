import { useQuery } from "@tanstack/react-query";
import { api, serverNow } from "../api/client";
import type { CryptoAnswer } from "../api/types";

/** How often the open view asks. An answer reads counters; the module is not asked again. */
const EVERY_MS = 5_000;

/** What the server said last, and when by its own clock. */
export interface Look {
  answer: CryptoAnswer;
  askedMs: number;
}

export function useCrypto() {
  return useQuery({
    queryKey: ["crypto"],
    queryFn: async ({ signal }): Promise<Look> => ({ answer: await api.crypto(signal), askedMs: serverNow() }),
    staleTime: EVERY_MS,
    refetchInterval: EVERY_MS,
  });
}
