// Which part of the plan is shown; shared by the two plan views.

import type { Pair, Plan } from "./types";

const MOST_ZOOM = 16;

/** Pixel (0, 0) is the centre of the top-left pixel, so the picture starts at -0.5. */
const EDGE = -0.5;

export class Viewport {
  x = EDGE;
  y = EDGE;
  zoom = 1;
  /** What buttons and keys zoom towards: the selected answer, where there is one. */
  focus: Pair | null = null;
  private readonly listeners: (() => void)[] = [];

  constructor(private readonly plan: Plan) {}

  get width(): number {
    return this.plan.width / this.zoom;
  }

  get height(): number {
    return this.plan.height / this.zoom;
  }

  get viewBox(): string {
    return `${this.x} ${this.y} ${this.width} ${this.height}`;
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Zoom by a factor; the plan's point (u, v) stays where it is. */
  zoomAt(factor: number, u: number, v: number): void {
    const zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    const kept = this.zoom / zoom;
    this.moveTo(u - (u - this.x) * kept, v - (v - this.y) * kept, zoom);
  }

  zoomBy(factor: number): void {
    const [u, v] = this.focus ?? [this.x + this.width / 2, this.y + this.height / 2];
    this.zoomAt(factor, u, v);
  }

  panBy(du: number, dv: number): void {
    this.moveTo(this.x + du, this.y + dv, this.zoom);
  }

  fit(): void {
    this.moveTo(EDGE, EDGE, 1);
  }

  private moveTo(x: number, y: number, zoom: number): void {
    this.zoom = zoom;
    this.x = Math.min(EDGE + this.plan.width - this.width, Math.max(EDGE, x));
    this.y = Math.min(EDGE + this.plan.height - this.height, Math.max(EDGE, y));
    for (const listener of this.listeners) listener();
  }
}
