import { useState } from "react";
import type { Overlay } from "../search/SearchPage";
import { otherPlaces } from "../palette/commands";
import { useSession } from "../state/session";
import { Button } from "../ui/Button";
import { Menu } from "../ui/Menu";
import { type Anchor, anchorOf } from "../ui/Popover";
import { contrastChoice, setContrast, setTheme, themeChoice } from "../ui/theme";

/** What is there on every view: the other views, commands, help, theme and zone. */
export function PageMenu({ setOverlay }: { setOverlay: (overlay: Overlay) => void }) {
  const { view, setView } = useSession();
  const [menu, setMenu] = useState<Anchor | null>(null);
  return (
    <>
      <Button look="quiet" icon="more" aria-label="Page menu" aria-haspopup="menu" aria-expanded={menu !== null} onClick={(e) => setMenu(anchorOf(e.currentTarget))} />
      {menu && (
        <Menu anchor={menu} label="Page menu" align="right" onClose={() => setMenu(null)} items={[
          { label: "Commands", hint: "Ctrl K", run: () => setOverlay("palette") },
          { label: "Keys and syntax", hint: "?", run: () => setOverlay("help") },
          ...otherPlaces(view.place).map(({ place, label }) => ({ label, ...(place === "search" ? { hint: "Esc" } : {}), run: () => setView({ place }) })),
          { label: "Theme: as the system", checked: themeChoice() === "system", run: () => setTheme("system") },
          { label: "Theme: light", checked: themeChoice() === "light", run: () => setTheme("light") },
          { label: "Theme: dark", checked: themeChoice() === "dark", run: () => setTheme("dark") },
          { label: "High contrast", checked: contrastChoice() === "more", run: () => setContrast(contrastChoice() === "more" ? "system" : "more") },
          { label: `Times in ${view.zone === "utc" ? "local time" : "UTC"}`, run: () => setView({ zone: view.zone === "utc" ? "local" : "utc" }, true) },
        ]} />
      )}
    </>
  );
}
