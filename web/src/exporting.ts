// Answers, taken along: JSON as the API gives them, and a table for spreadsheets.

import type { Entry } from "./types";

const COLUMNS = [
  "image",
  "status",
  "x",
  "y",
  "z",
  "qw",
  "qx",
  "qy",
  "qz",
  "unit",
  "plan_x_px",
  "plan_y_px",
  "walkable_x_px",
  "walkable_y_px",
  "on_walkable",
  "heading_deg",
  "confidence",
  "inliers",
  "seconds",
] as const;

export function asJson(entries: readonly Entry[]): string {
  const settled = entries.filter((entry) => entry.result ?? entry.problem);
  const answers = settled.map(
    (entry) =>
      entry.result ?? { image: entry.name, status: "failed", problem: entry.problem },
  );
  return `${JSON.stringify(answers, null, 2)}\n`;
}

export function asCsv(entries: readonly Entry[]): string {
  const rows = entries.filter((entry) => entry.result ?? entry.problem).map(row);
  return [COLUMNS.join(","), ...rows.map((cells) => cells.map(cell).join(","))].join("\r\n") + "\r\n";
}

function row(entry: Entry): unknown[] {
  const result = entry.result;
  if (!result) return [entry.name, "failed", ...Array<null>(COLUMNS.length - 2).fill(null)];
  return [
    entry.name,
    result.status,
    ...(result.center ?? [null, null, null]),
    ...(result.q_wxyz ?? [null, null, null, null]),
    result.unit,
    ...(result.plan_xy_px ?? [null, null]),
    ...(result.walkable_xy_px ?? [null, null]),
    result.on_walkable,
    result.heading_deg,
    result.confidence,
    result.inliers,
    result.seconds,
  ];
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  // A spreadsheet would run a file name that starts like a formula.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export async function copyText(text: string): Promise<boolean> {
  // The clipboard's own interface exists on https and localhost only; a phone on the local
  // network needs the old way.
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused by the browser's settings: the old way may still work.
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}
