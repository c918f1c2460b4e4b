// What the selected photo's answer is, in words.

import { h } from "./dom";
import type { Entry, PlaceInfo, Problem } from "./types";
import { statusLabel, statusSentence } from "./words";

export function renderResultHead(
  host: HTMLElement,
  selected: Entry | null,
  place: PlaceInfo,
): void {
  if (!selected) {
    host.replaceChildren(
      h("h2", { class: "result-title" }, "The place"),
      h("p", { class: "result-sentence" }, "Add a photo to see where it was taken."),
    );
    return;
  }
  const { result, problem } = selected;
  const badge = result
    ? h("span", { class: `badge status-${result.status}`, id: "status" }, statusLabel(result))
    : problem
      ? h("span", { class: "badge status-failed", id: "status" }, "Failed")
      : h("span", { class: "badge status-pending", id: "status" }, "Looking …");
  const below = result
    ? h("p", { class: "result-sentence" }, statusSentence(result, place))
    : problem && problemAlert(problem, "photo-problem");
  host.replaceChildren(
    h(
      "div",
      { class: "result-line" },
      h("h2", { class: "result-title", title: selected.name }, selected.name),
      badge,
    ),
    ...(below ? [below] : []),
  );
}

export function problemAlert(problem: Problem, id?: string): HTMLElement {
  return h(
    "div",
    { class: "alert alert-danger", role: "alert", id },
    h("strong", {}, `${problem.title}. `),
    problem.detail,
    problem.instance && h("span", { class: "instance" }, problem.instance),
  );
}
