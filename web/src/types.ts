// What the API answers; see /openapi.json.

export type Pair = [number, number];

export interface Plan {
  width: number;
  height: number;
  px_per_unit: number;
  has_walkable: boolean;
}

export type View = "numbers" | "raw" | "walkable";

export interface PlaceInfo {
  name: string;
  unit: string;
  plan: Plan | null;
  views: View[];
  confidence: {
    /** Confidence is the probability to be within this distance of the truth. */
    radius: number;
    /** Answers below it are withheld. */
    min_confidence: number;
  };
  limits: {
    max_files: number;
    max_file_bytes: number;
    max_request_bytes: number;
    max_pixels: number;
  };
  version: string;
}

export interface Localization {
  image: string;
  status: "refined" | "regressed" | "unknown";
  q_wxyz: [number, number, number, number] | null;
  center: [number, number, number] | null;
  unit: string;
  plan_xy_px: Pair | null;
  walkable_xy_px: Pair | null;
  on_walkable: boolean | null;
  heading_deg: number | null;
  confidence: number;
  inliers: number;
  seconds: number;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance?: string;
}

export interface Entry {
  readonly id: number;
  readonly file: File;
  readonly name: string;
  readonly thumbnail: string;
  state: "waiting" | "sending" | "working" | "done" | "failed";
  /** Sent part of the file, 0 to 1. */
  progress: number;
  /** Why it waits, where that needs words. */
  note: string;
  result: Localization | null;
  problem: Problem | null;
}
