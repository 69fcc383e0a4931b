import { useQuery } from "@tanstack/react-query";
import { api, ApiError, serverNow } from "../api/client";
import type { ClusterAnswer } from "../api/types";

/** How often the open view asks. Each answer costs the server one list of the shared store. */
export const WATCH_EVERY_MS = 3_000;
/** How often a page asks that only shows whether all is well. */
export const GLANCE_EVERY_MS = 30_000;

/** What the server said last, and when by its own clock. */
export interface Look {
  answer: ClusterAnswer;
  askedMs: number;
}

/** The cluster, asked for again and again; a node that is in none is asked once by those who only glance. */
export function useCluster(everyMs: number) {
  return useQuery({
    queryKey: ["cluster"],
    queryFn: async ({ signal }): Promise<Look> => ({ answer: await api.cluster(signal), askedMs: serverNow() }),
    staleTime: everyMs,
    refetchInterval: (query) => {
      const { data, error } = query.state;
      if (everyMs === WATCH_EVERY_MS) return everyMs;
      const pointless = data === undefined ? error instanceof ApiError && error.status !== 0 : !data.answer.enabled && data.answer.warnings.length === 0;
      return pointless ? false : everyMs;
    },
  });
}
