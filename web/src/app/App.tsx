import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import { ClusterPage } from "../cluster/ClusterPage";
import { CryptoPage } from "../crypto/CryptoPage";
import { SearchPage } from "../search/SearchPage";
import { ValueActionsProvider } from "../search/values";
import { sumIndexes, useSession } from "../state/session";
import { Toasts } from "../ui/toast";
import { Welcome } from "../welcome/Welcome";
import css from "./App.module.css";

/** The search, or on a server without events how to send the first one; or one of the views beside it. */
export function App() {
  const { view, setView, rerun } = useSession();
  const [welcomed, setWelcomed] = useState(false);
  const indexes = useQuery({ queryKey: ["indexes", view.env, "first"], queryFn: ({ signal }) => api.indexes(view.env, signal) });
  const empty = indexes.data !== undefined && sumIndexes(indexes.data.indexes).events === 0;
  // An address that asks for something is answered, even on an empty server.
  const asked = view.query !== "" || view.event !== "" || view.live;
  // Only the very first look is waited for, so that a first visit does not flash the search page.
  const firstLook = indexes.isPending && indexes.failureCount === 0 && !asked;
  const start = () => {
    setWelcomed(true);
    setView({ range: { start: "all", end: "now" } });
    rerun();
  };
  return (
    <ValueActionsProvider>
      <div className={css.app}>
        {view.place === "cluster" ? <ClusterPage /> : view.place === "crypto" ? <CryptoPage /> : empty && !welcomed && !asked ? <Welcome env={view.env} onArrived={start} onSkip={() => setWelcomed(true)} /> : firstLook ? null : <SearchPage />}
      </div>
      <Toasts />
    </ValueActionsProvider>
  );
}
