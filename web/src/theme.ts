// Light, dark, or as the system says; theme.js has set it before the first paint.

import { byId, icon } from "./dom";

const KEY = "sightline-theme";
const CHOICES = ["auto", "light", "dark"] as const;
type Choice = (typeof CHOICES)[number];

const ICONS: Record<Choice, string> = {
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  light:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M4.900 4.900l1.400 1.400M17.700 17.700l1.400 1.400M2 12h2M20 12h2M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400",
  dark: "M20 14.500A8.500 8.500 0 1 1 9.500 4a7 7 0 0 0 10.500 10.500z",
};

export function installTheme(): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = stored();
  const button = byId("theme-button");
  const apply = (): void => {
    const theme = choice === "auto" ? (system.matches ? "dark" : "light") : choice;
    document.documentElement.setAttribute("data-bs-theme", theme);
    button.replaceChildren(icon(ICONS[choice]));
    const label = `Theme: ${choice === "auto" ? "as the system" : choice}`;
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  button.addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length] ?? "auto";
    store(choice);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

function stored(): Choice {
  try {
    const value = localStorage.getItem(KEY);
    return CHOICES.find((choice) => choice === value) ?? "auto";
  } catch {
    return "auto";
  }
}

function store(choice: Choice): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // Storage may be off; the choice then lasts as long as the page.
  }
}
