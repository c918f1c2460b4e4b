// The photos of this page, sent a few at a time.

import { localize, ProblemError } from "./api";
import type { Entry, PlaceInfo, Problem } from "./types";
import { megabytes } from "./words";

const AT_ONCE = 3;
const MOST_RETRIES = 20;

export class Store {
  entries: Entry[] = [];
  selectedId: number | null = null;
  /** Told of every change; `settled` is the photo that was just answered or has failed. */
  onChange: (settled?: Entry) => void = () => undefined;

  private nextId = 1;
  private running = 0;

  constructor(private readonly place: PlaceInfo) {}

  get selected(): Entry | null {
    return this.entries.find((entry) => entry.id === this.selectedId) ?? null;
  }

  add(files: Iterable<File>): void {
    let first: Entry | null = null;
    for (const file of files) {
      const entry: Entry = {
        id: this.nextId++,
        file,
        name: file.name || `photo-${this.nextId - 1}`,
        thumbnail: URL.createObjectURL(file),
        state: "waiting",
        progress: 0,
        note: "",
        result: null,
        problem: null,
      };
      first ??= entry;
      this.entries.push(entry);
    }
    if (first) this.selectedId = first.id;
    this.onChange();
    this.pump();
  }

  select(id: number): void {
    this.selectedId = id;
    this.onChange();
  }

  clear(): void {
    for (const entry of this.entries) URL.revokeObjectURL(entry.thumbnail);
    this.entries = [];
    this.selectedId = null;
    this.onChange();
  }

  private pump(): void {
    while (this.running < AT_ONCE) {
      const entry = this.entries.find((candidate) => candidate.state === "waiting");
      if (!entry) return;
      this.running += 1;
      void this.send(entry).finally(() => {
        this.running -= 1;
        this.pump();
      });
    }
  }

  private async send(entry: Entry): Promise<void> {
    const limit = this.place.limits.max_file_bytes;
    if (entry.file.size > limit) {
      this.fail(entry, {
        type: "urn:sightline:problem:photo-too-large",
        title: "The photo is too large",
        status: 413,
        detail: `${entry.name} has ${megabytes(entry.file.size)}; at most ${megabytes(limit)} are taken.`,
      });
      return;
    }
    for (let attempt = 0; this.entries.includes(entry); attempt += 1) {
      try {
        this.update(entry, { state: "sending", progress: 0, note: "" });
        const result = await localize(entry.file, entry.name, (progress) =>
          this.update(entry, { state: progress < 1 ? "sending" : "working", progress }),
        );
        this.update(entry, { state: "done", progress: 1, result }, true);
        return;
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        if (error.retryAfter_s === null || attempt >= MOST_RETRIES) {
          this.fail(entry, error.problem);
          return;
        }
        this.update(entry, { state: "sending", progress: 0, note: "The server is busy" });
        await new Promise((resolve) => setTimeout(resolve, error.retryAfter_s! * 1000));
      }
    }
  }

  private fail(entry: Entry, problem: Problem): void {
    this.update(entry, { state: "failed", problem }, true);
  }

  private update(entry: Entry, changes: Partial<Entry>, settled = false): void {
    if (!this.entries.includes(entry)) return;
    Object.assign(entry, changes);
    this.onChange(settled ? entry : undefined);
  }
}
