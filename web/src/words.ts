// How answers are said to people.

import type { Localization, PlaceInfo } from "./types";

export function statusLabel(result: Localization): string {
  return { refined: "Refined", regressed: "Estimated", unknown: "Don’t know" }[result.status];
}

/** Whether there was an answer, which was not sure enough to be given. */
export function isWithheld(result: Localization): boolean {
  return result.status === "unknown" && result.confidence > 0;
}

export function statusSentence(result: Localization, place: PlaceInfo): string {
  switch (result.status) {
    case "refined":
      return `Confirmed by the map: ${result.inliers} points agree with this position.`;
    case "regressed":
      return "The network’s estimate alone; the map could not confirm it.";
    case "unknown":
      if (isWithheld(result)) return withheldSentence(result, place);
      return "Don’t know: nothing in this photo fits the map well enough to say where it was taken.";
  }
}

function withheldSentence(result: Localization, place: PlaceInfo): string {
  const { radius, min_confidence } = place.confidence;
  return (
    `Don’t know: there is an answer, but it is only ${percent(result.confidence)} likely to be ` +
    `within ${length(radius, place.unit)} of the truth; ${percentUp(min_confidence)} is wanted here.`
  );
}

export function confidenceWord(confidence: number): string {
  if (confidence >= 0.75) return "High";
  return confidence >= 0.35 ? "Medium" : "Low";
}

/** Rounded down: 99.6% is not certain. */
export function percent(value: number): string {
  return `${Math.floor(Math.round(value * 1e6) / 1e4)}%`;
}

/** Rounded up: what is just below a bound does not reach it. */
function percentUp(value: number): string {
  return `${Math.ceil(Math.round(value * 1e6) / 1e4)}%`;
}

export function length(value: number, unit: string): string {
  return unit === "m" ? `${value.toFixed(2)} m` : `${value.toFixed(2)} units`;
}

export function duration(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0).replace(/\.0$/, "")} MB`;
}

const COMPASS = ["up", "up right", "right", "down right", "down", "down left", "left", "up left"];

/** Which way on the plan; the plan's up need not be north. */
export function headingWords(heading_deg: number): string {
  return COMPASS[Math.round(heading_deg / 45) % 8] ?? "up";
}

/** How far the raw position lies from the walkable floor, in the world's unit. */
export function offFloorBy(result: Localization, place: PlaceInfo): number | null {
  if (!place.plan || !result.plan_xy_px || !result.walkable_xy_px) return null;
  const [u, v] = result.plan_xy_px;
  const [wu, wv] = result.walkable_xy_px;
  return Math.hypot(wu - u, wv - v) / place.plan.px_per_unit;
}

/** One colour a word; the same as the swatches in styles.scss. */
export function confidenceColor(confidence: number): string {
  return `var(--${confidenceWord(confidence).toLowerCase()})`;
}
