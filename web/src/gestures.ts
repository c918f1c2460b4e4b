// Pan and zoom of a plan by pointer, wheel, pinch and keyboard.

import type { Viewport } from "./viewport";

const STEP = 1.3;
const KEY_PAN = 0.15;

type Point = { x: number; y: number };

export function planPoint(plan: SVGSVGElement, clientX: number, clientY: number): Point {
  const matrix = plan.getScreenCTM();
  if (!matrix) return { x: 0, y: 0 };
  return new DOMPoint(clientX, clientY).matrixTransform(matrix.inverse());
}

export function attachGestures(plan: SVGSVGElement, viewport: Viewport): void {
  attachPointers(plan, viewport);
  plan.addEventListener(
    "wheel",
    (event) => {
      // On a wide screen the plan fits the window; elsewhere the wheel scrolls the page.
      if (!event.ctrlKey && !matchMedia("(min-width: 992px)").matches) return;
      event.preventDefault();
      const at = planPoint(plan, event.clientX, event.clientY);
      viewport.zoomAt(Math.exp(-event.deltaY * 0.0016), at.x, at.y);
    },
    { passive: false },
  );
  plan.addEventListener("keydown", (event) => {
    if (zoomByKey(event.key, viewport)) event.preventDefault();
  });
  // One finger scrolls the page while the whole plan shows, and moves the plan once zoomed in.
  viewport.onChange(() => plan.classList.toggle("zoomed", viewport.zoom > 1));
}

function zoomByKey(key: string, viewport: Viewport): boolean {
  const du = viewport.width * KEY_PAN;
  const dv = viewport.height * KEY_PAN;
  const actions: Record<string, () => void> = {
    "+": () => viewport.zoomBy(STEP),
    "=": () => viewport.zoomBy(STEP),
    "-": () => viewport.zoomBy(1 / STEP),
    "0": () => viewport.fit(),
    ArrowLeft: () => viewport.panBy(-du, 0),
    ArrowRight: () => viewport.panBy(du, 0),
    ArrowUp: () => viewport.panBy(0, -dv),
    ArrowDown: () => viewport.panBy(0, dv),
  };
  const action = actions[key];
  action?.();
  return action !== undefined;
}

function attachPointers(plan: SVGSVGElement, viewport: Viewport): void {
  const pointers = new Map<number, Point>();
  plan.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  plan.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    // Captured only once it moves: a captured pointer's click would not reach a marker.
    if (!plan.hasPointerCapture(event.pointerId)) plan.setPointerCapture(event.pointerId);
    const now = { x: event.clientX, y: event.clientY };
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const from = planPoint(plan, before.x, before.y);
    const to = planPoint(plan, now.x, now.y);
    const other = others[0];
    if (other) {
      const ratio = distance(now, other) / Math.max(1, distance(before, other));
      const middle = planPoint(plan, (now.x + other.x) / 2, (now.y + other.y) / 2);
      viewport.zoomAt(ratio, middle.x, middle.y);
    } else {
      viewport.panBy(from.x - to.x, from.y - to.y);
    }
    pointers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
    plan.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
