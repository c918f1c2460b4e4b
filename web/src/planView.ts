// The floor plan with every answer on it: raw, or moved to the nearest walkable floor.

import { FORBIDDEN_URL, PLAN_URL } from "./api";
import { h, icon, svg } from "./dom";
import { attachGestures } from "./gestures";
import type { Entry, Localization, Pair, PlaceInfo, Plan } from "./types";
import type { Viewport } from "./viewport";
import { confidenceColor, headingWords, offFloorBy, percent, length as inUnit } from "./words";

const WEDGE_HALF_ANGLE_DEG = 28;

export class PlanView {
  private readonly plan: SVGSVGElement;
  private readonly markers = svg("g");
  private readonly note = h("div", { class: "plan-note", hidden: true });

  constructor(
    host: HTMLElement,
    private readonly mode: "raw" | "walkable",
    private readonly place: PlaceInfo & { plan: Plan },
    private readonly viewport: Viewport,
    private readonly onSelect: (id: number) => void,
  ) {
    this.plan = this.drawPlan();
    attachGestures(this.plan, viewport);
    viewport.onChange(() => this.arrange());
    new ResizeObserver(() => this.arrange()).observe(this.plan);
    host.append(
      this.note,
      h("div", { class: "plan-frame" }, this.plan),
      h("div", { class: "plan-bar" }, this.drawLegend(), this.drawControls()),
    );
  }

  render(entries: readonly Entry[], selected: Entry | null): void {
    const shown = entries.filter((entry) => entry.result && this.position(entry.result));
    // Drawn last is drawn on top.
    shown.sort((a, b) => Number(a === selected) - Number(b === selected));
    this.markers.replaceChildren(
      ...shown.map((entry) => this.drawMarker(entry, entry === selected)),
    );
    this.viewport.focus = (selected?.result && this.position(selected.result)) ?? null;
    const text = this.noteFor(selected);
    this.note.textContent = text;
    this.note.hidden = text === "";
    this.note.classList.toggle("moved", this.mode === "walkable");
    this.arrange();
  }

  private position(result: Localization): Pair | null {
    return this.mode === "raw" ? result.plan_xy_px : result.walkable_xy_px;
  }

  private noteFor(selected: Entry | null): string {
    const result = selected?.result;
    if (!result) return "";
    const off = offFloorBy(result, this.place);
    if (result.on_walkable !== false || off === null) return "";
    const distance = inUnit(off, this.place.unit);
    return this.mode === "raw"
      ? `Off the walkable floor by ${distance}.`
      : `Moved ${distance} to the nearest walkable floor.`;
  }

  private drawPlan(): SVGSVGElement {
    const { width, height } = this.place.plan;
    const box = { x: -0.5, y: -0.5, width, height };
    const plan = svg(
      "svg",
      {
        class: "plan",
        viewBox: this.viewport.viewBox,
        tabindex: 0,
        role: "group",
        "aria-label":
          (this.mode === "raw" ? "Floor plan, raw positions. " : "Floor plan, walkable positions. ") +
          "Plus and minus zoom, arrow keys move, 0 shows all.",
      },
      svg("image", { class: "plan-picture", href: PLAN_URL, ...box }),
      this.mode === "walkable" &&
        svg("image", { class: "plan-forbidden", href: FORBIDDEN_URL, ...box }),
      this.markers,
    );
    plan.style.setProperty("--plan-aspect", String(width / height));
    return plan;
  }

  private drawControls(): HTMLElement {
    const button = (label: string, path: string, act: () => void): HTMLElement => {
      const element = h("button", { type: "button", "aria-label": label, title: label }, icon(path));
      element.addEventListener("click", act);
      return element;
    };
    return h(
      "div",
      { class: "plan-controls", role: "group", "aria-label": "Zoom" },
      button("Zoom in", "M12 5v14M5 12h14", () => this.viewport.zoomBy(1.5)),
      button("Zoom out", "M5 12h14", () => this.viewport.zoomBy(1 / 1.5)),
      button("Show the whole plan", "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5", () =>
        this.viewport.fit(),
      ),
    );
  }

  private drawLegend(): HTMLElement {
    const item = (kind: string, text: string): HTMLElement =>
      h("span", { class: "legend-item" }, h("span", { class: `swatch ${kind}` }), text);
    return h(
      "div",
      { class: "legend" },
      h("span", { class: "legend-item" }, "Confidence"),
      item("swatch-high", "high"),
      item("swatch-medium", "medium"),
      item("swatch-low", "low"),
      this.mode === "walkable" && item("swatch-forbidden", "not walkable"),
      this.mode === "walkable" && item("swatch-raw", "raw position"),
    );
  }

  private drawMarker(entry: Entry, selected: boolean): SVGGElement {
    const result = entry.result!;
    const [u, v] = this.position(result)!;
    const color = confidenceColor(result.confidence);
    const marker = svg(
      "g",
      {
        class: selected ? "marker selected" : "marker",
        "data-image": entry.name,
        "data-u": u,
        "data-v": v,
      },
      svg("title", {}, describe(entry.name, result)),
      ...this.drawMove(result),
      drawPin(result, color, selected),
    );
    marker.addEventListener("click", () => this.onSelect(entry.id));
    return marker;
  }

  /** The way from the raw position to the walkable one, where they differ. */
  private drawMove(result: Localization): SVGElement[] {
    if (this.mode === "raw" || !result.plan_xy_px || !result.walkable_xy_px) return [];
    const [u, v] = result.plan_xy_px;
    const [wu, wv] = result.walkable_xy_px;
    if (u === wu && v === wv) return [];
    const raw = svg("g", { class: "fixed-size", "data-u": u, "data-v": v });
    raw.append(svg("circle", { class: "raw-dot", r: 4.5 }));
    return [svg("line", { class: "move", x1: u, y1: v, x2: wu, y2: wv }), raw];
  }

  /** Show the viewport's part of the plan; markers keep their size on the screen. */
  private arrange(): void {
    this.plan.setAttribute("viewBox", this.viewport.viewBox);
    const shown = this.plan.getBoundingClientRect();
    if (shown.width === 0) return;
    const pxPerPixel = Math.max(
      this.viewport.width / shown.width,
      this.viewport.height / shown.height,
    );
    this.plan.style.setProperty("--px", String(pxPerPixel));
    for (const group of this.plan.querySelectorAll<SVGGElement>(".fixed-size")) {
      const owner = group.dataset.u === undefined ? (group.parentNode as SVGGElement) : group;
      const at = `translate(${owner.dataset.u} ${owner.dataset.v})`;
      group.setAttribute("transform", `${at} scale(${pxPerPixel})`);
    }
  }
}

function drawPin(result: Localization, color: string, selected: boolean): SVGGElement {
  const radius = (selected ? 6 : 4.5) + 3 * result.confidence;
  const pin = svg("g", { class: "fixed-size" });
  pin.style.setProperty("--marker", color);
  if (result.heading_deg !== null) {
    pin.append(svg("path", { class: "wedge", d: wedge(result.heading_deg, selected ? 46 : 30) }));
  }
  if (selected) pin.append(svg("circle", { class: "halo", r: radius + 5 }));
  pin.append(svg("circle", { class: "dot", r: radius }));
  return pin;
}

/** A sector of a circle around the heading, clockwise from up. */
function wedge(heading_deg: number, radius: number): string {
  const corner = (offset: number): string => {
    const angle = ((heading_deg + offset) * Math.PI) / 180;
    return `${(radius * Math.sin(angle)).toFixed(2)} ${(-radius * Math.cos(angle)).toFixed(2)}`;
  };
  const [from, to] = [corner(-WEDGE_HALF_ANGLE_DEG), corner(WEDGE_HALF_ANGLE_DEG)];
  return `M0 0L${from}A${radius} ${radius} 0 0 1 ${to}Z`;
}

function describe(name: string, result: Localization): string {
  const heading =
    result.heading_deg === null ? "" : `, looking ${headingWords(result.heading_deg)} on the plan`;
  return `${name}: confidence ${percent(result.confidence)}${heading}`;
}
