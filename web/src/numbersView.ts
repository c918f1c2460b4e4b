// The answer in numbers, with an alert where the raw position is off the walkable floor.

import { h, svg } from "./dom";
import type { Entry, Localization, Pair, PlaceInfo } from "./types";
import {
  confidenceColor,
  confidenceWord,
  duration,
  headingWords,
  isWithheld,
  length as inUnit,
  offFloorBy,
  percent,
} from "./words";

export class NumbersView {
  constructor(
    private readonly host: HTMLElement,
    private readonly place: PlaceInfo,
    private readonly showWalkable: () => void,
  ) {}

  render(selected: Entry | null): void {
    this.host.replaceChildren(
      ...[this.noPlan(), ...this.content(selected)].filter((node) => node !== null),
    );
  }

  private content(selected: Entry | null): (Node | null)[] {
    if (!selected) {
      return [
        empty("No photo yet", "Its position, heading and confidence will be shown here."),
      ];
    }
    if (selected.result) return [this.offFloor(selected.result), this.tiles(selected.result)];
    if (selected.problem) {
      return [empty("No numbers", "This photo could not be answered; see the message above.")];
    }
    return [empty("Working …", "The answer will be shown here.")];
  }

  private noPlan(): Node | null {
    if (this.place.plan) return null;
    return h(
      "div",
      { class: "alert alert-info", id: "no-plan" },
      "This place has no floor plan, so answers are numbers only. Attach one with ",
      h("code", {}, "sightline align --plan plan.png"),
      ".",
    );
  }

  private offFloor(result: Localization): Node | null {
    if (result.on_walkable !== false) return null;
    const off = offFloorBy(result, this.place);
    const link = h("button", { type: "button", class: "btn btn-link alert-link p-0" });
    link.textContent = "Show it on the plan";
    link.addEventListener("click", this.showWalkable);
    return h(
      "div",
      { class: "alert alert-warning", role: "alert", id: "off-floor" },
      h("strong", {}, "Off the walkable floor. "),
      off === null
        ? "The raw position is where nobody can stand. "
        : `The nearest walkable spot is ${inUnit(off, result.unit)} away. `,
      link,
    );
  }

  private tiles(result: Localization): Node {
    return h(
      "dl",
      { class: "tiles" },
      confidenceTile(result),
      headingTile(result, this.place),
      positionTile(result),
      tile("Inliers", String(result.inliers), "map points that agree"),
      tile("Time", duration(result.seconds), "on the server"),
      quaternionTile(result),
      ...planTiles(result, this.place),
    );
  }
}

export function empty(title: string, text: string): HTMLElement {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, text));
}

function tile(name: string, value: string | Node, hint = "", kind = ""): HTMLElement {
  const id = name.toLowerCase().replaceAll(" ", "-");
  return h(
    "div",
    { class: `tile ${kind}`, id: `tile-${id}` },
    h("dt", {}, name),
    h("dd", {}, h("span", { class: "value" }, value), hint && h("span", { class: "hint" }, hint)),
  );
}

function confidenceTile(result: Localization): HTMLElement {
  const bar = h("span", {});
  bar.style.width = percent(result.confidence);
  bar.style.backgroundColor = confidenceColor(result.confidence);
  const element = tile(
    "Confidence",
    percent(result.confidence),
    confidenceHint(result),
  );
  element.append(h("div", { class: "meter", "aria-hidden": "true" }, bar));
  return element;
}

function confidenceHint(result: Localization): string {
  if (isWithheld(result)) return "too little to answer";
  return result.status === "unknown" ? "Don’t know" : confidenceWord(result.confidence);
}

function headingTile(result: Localization, place: PlaceInfo): HTMLElement {
  if (result.heading_deg === null) return tile("Heading", "—");
  const needle = svg(
    "svg",
    { class: "compass", viewBox: "-16 -16 32 32", "aria-hidden": "true" },
    svg("circle", { r: 14.5 }),
    svg("path", { d: "M0-10 5.500 8 0 4.500-5.500 8z", transform: `rotate(${result.heading_deg})` }),
  );
  const hint = place.plan
    ? `${headingWords(result.heading_deg)} on the plan`
    : "from the world’s +y";
  const element = tile("Heading", `${result.heading_deg.toFixed(1)}°`, hint);
  element.append(needle);
  return element;
}

function positionTile(result: Localization): HTMLElement {
  const unit = result.unit === "m" ? "metres" : "arbitrary units: the scale is not known";
  return tile("Position", axes(["x", "y", "z"], result.center, 3), unit, "wide");
}

function quaternionTile(result: Localization): HTMLElement {
  const value = axes(["w", "x", "y", "z"], result.q_wxyz, 4);
  return tile("Quaternion", value, "world from camera", "wide");
}

function planTiles(result: Localization, place: PlaceInfo): HTMLElement[] {
  if (!place.plan) return [];
  const pixels = (at: Pair | null): Node | string => axes(["u", "v"], at, 1);
  const raw = tile("On the plan", pixels(result.plan_xy_px), "raw, in pixels", "wide");
  if (!place.plan.has_walkable) return [raw];
  const hint = result.on_walkable === false ? "moved, in pixels" : "in pixels";
  return [raw, tile("Walkable on the plan", pixels(result.walkable_xy_px), hint, "wide")];
}

function axes(names: string[], values: readonly number[] | null, digits: number): Node | string {
  if (!values) return "—";
  const parts = names.map((name, i) =>
    h(
      "span",
      { class: "axis" },
      h("span", { class: "axis-name" }, name),
      h("span", { class: "axis-value" }, (values[i] ?? Number.NaN).toFixed(digits)),
    ),
  );
  return h("span", { class: "axes" }, ...parts);
}
