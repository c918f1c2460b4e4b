// The list of photos with their answers in a word; one is selected.

import { h } from "./dom";
import type { Entry } from "./types";
import { confidenceColor, percent, statusLabel } from "./words";

export class PhotoList {
  private readonly items = new Map<number, HTMLLIElement>();

  constructor(
    private readonly host: HTMLElement,
    private readonly onSelect: (id: number) => void,
  ) {}

  /** Elements are kept between renders, so that the keyboard's focus stays where it is. */
  render(entries: readonly Entry[], selectedId: number | null): void {
    const known = new Set(entries.map((entry) => entry.id));
    for (const [id, item] of this.items) {
      if (!known.has(id)) {
        item.remove();
        this.items.delete(id);
      }
    }
    for (const entry of entries) {
      const item = this.items.get(entry.id) ?? this.make(entry);
      const button = item.firstElementChild as HTMLButtonElement;
      button.setAttribute("aria-current", String(entry.id === selectedId));
      button.querySelector(".photo-state")?.replaceChildren(...stateOf(entry));
      button.dataset.state = entry.result?.status ?? entry.state;
      const bar = button.querySelector<HTMLElement>(".photo-progress");
      if (bar) {
        bar.hidden = entry.state !== "sending" && entry.state !== "working";
        bar.classList.toggle("working", entry.state === "working");
        bar.style.setProperty("--sent", percent(entry.progress));
      }
    }
  }

  private make(entry: Entry): HTMLLIElement {
    const picture = h("img", { src: entry.thumbnail, alt: "", width: 56, height: 56 });
    picture.addEventListener("error", () => picture.classList.add("no-preview"));
    const button = h(
      "button",
      { type: "button", class: "photo" },
      picture,
      h(
        "span",
        { class: "photo-words" },
        h("span", { class: "photo-name", title: entry.name }, entry.name),
        h("span", { class: "photo-state" }),
      ),
      h("span", { class: "photo-progress", hidden: true }),
    );
    button.addEventListener("click", () => this.onSelect(entry.id));
    const item = h("li", {}, button);
    this.items.set(entry.id, item);
    this.host.append(item);
    return item;
  }
}

function stateOf(entry: Entry): Node[] {
  const text = (words: string): Node => document.createTextNode(words);
  if (entry.result) {
    const dot = h("span", { class: "dot" });
    dot.style.backgroundColor =
      entry.result.status === "unknown" ? "" : confidenceColor(entry.result.confidence);
    const confidence =
      entry.result.status === "unknown" ? "" : ` · ${percent(entry.result.confidence)}`;
    return [dot, text(statusLabel(entry.result) + confidence)];
  }
  if (entry.problem) return [h("span", { class: "dot failed" }), text("Failed")];
  if (entry.note) return [text(`${entry.note} …`)];
  const words = { waiting: "Waiting", sending: "Sending", working: "Looking", done: "", failed: "" };
  return [text(`${words[entry.state]} …`)];
}
