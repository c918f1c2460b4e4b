import "@fontsource-variable/inter/wght.css";
import Tab from "bootstrap/js/dist/tab";
import "./styles.scss";

import { fetchPlace, ProblemError } from "./api";
import { byId, h } from "./dom";
import { asCsv, asJson, copyText, download } from "./exporting";
import { installIntake } from "./intake";
import { empty, NumbersView } from "./numbersView";
import { PhotoList } from "./photoList";
import { PlanView } from "./planView";
import { problemAlert, renderResultHead } from "./resultHead";
import { Store } from "./store";
import { installTheme } from "./theme";
import type { Entry, PlaceInfo, Plan, Problem, View } from "./types";
import { Viewport } from "./viewport";
import { megabytes, statusLabel } from "./words";

const MOST_ALERTS = 3;

async function main(): Promise<void> {
  installTheme();
  let place: PlaceInfo;
  try {
    place = await fetchPlace();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    showAlert(error.problem);
    return;
  }
  describePlace(place);
  const store = new Store(place);
  const render = installViews(place, store);
  store.onChange = (settled) => {
    render();
    if (settled) announce(settled, store);
  };
  installIntake((files) => store.add(files));
  installActions(store);
  render();
}

function describePlace(place: PlaceInfo): void {
  document.title = `${place.name} · Sightline`;
  byId("place-name").textContent = place.name;
  const scale = place.unit === "m" ? "metres" : "scale unknown";
  byId("place-facts").textContent = place.plan ? scale : `${scale} · no floor plan`;
  byId("version").textContent = `Sightline ${place.version}`;
  byId("limits").textContent =
    `Drop, paste or choose photos: JPEG, PNG or WebP, up to ${megabytes(place.limits.max_file_bytes)} each.`;
}

function installViews(place: PlaceInfo, store: Store): () => void {
  const numbers = new NumbersView(byId("view-numbers"), place, () => showView("walkable"));
  const plans = place.plan ? installPlans({ ...place, plan: place.plan }, store) : [];
  const photos = new PhotoList(byId("photos"), (id) => store.select(id));
  for (const view of ["raw", "walkable"] as const) {
    if (place.views.includes(view)) continue;
    const why = place.plan
      ? "The plan does not say where one can walk."
      : "This place has no floor plan.";
    byId(`view-${view}`).replaceChildren(empty("Not for this place", why));
    byId<HTMLButtonElement>(`tab-${view}`).disabled = true;
    byId(`tab-${view}`).title = why;
  }
  showView(place.views.at(-1) ?? "numbers");
  return () => {
    const selected = store.selected;
    photos.render(store.entries, store.selectedId);
    renderResultHead(byId("result-head"), selected, place);
    numbers.render(selected);
    for (const plan of plans) plan.render(store.entries, selected);
    byId("photos-head").hidden = store.entries.length === 0;
    byId("photo-count").textContent = String(store.entries.length);
    document.body.classList.toggle("has-photos", store.entries.length > 0);
  };
}

function installPlans(place: PlaceInfo & { plan: Plan }, store: Store): PlanView[] {
  const viewport = new Viewport(place.plan);
  const views = (["raw", "walkable"] as const).filter((view) => place.views.includes(view));
  return views.map(
    (view) =>
      new PlanView(byId(`view-${view}`), view, place, viewport, (id) => store.select(id)),
  );
}

function showView(view: View): void {
  Tab.getOrCreateInstance(byId(`tab-${view}`)).show();
}

function installActions(store: Store): void {
  const copy = byId("copy-json");
  copy.addEventListener("click", () => {
    void copyText(asJson(store.entries)).then((copied) => {
      copy.textContent = copied ? "Copied" : "Not allowed";
      setTimeout(() => (copy.textContent = "Copy JSON"), 1500);
    });
  });
  byId("download-csv").addEventListener("click", () =>
    download("sightline.csv", "text/csv", asCsv(store.entries)),
  );
  byId("clear").addEventListener("click", () => {
    store.clear();
    byId("alerts").replaceChildren();
    byId("choose").focus();
  });
}

function announce(entry: Entry, store: Store): void {
  const words = entry.result ? statusLabel(entry.result) : (entry.problem?.title ?? "");
  byId("announcer").textContent = `${entry.name}: ${words}`;
  // The selected photo's problem is shown with it; others would go unseen.
  if (entry.problem && entry !== store.selected) showAlert(entry.problem);
}

function showAlert(problem: Problem): void {
  const alert = problemAlert(problem);
  const close = h("button", { type: "button", class: "btn-close", "aria-label": "Close" });
  close.addEventListener("click", () => alert.remove());
  alert.classList.add("alert-dismissible");
  alert.append(close);
  const alerts = byId("alerts");
  alerts.append(alert);
  while (alerts.children.length > MOST_ALERTS) alerts.firstElementChild?.remove();
}

void main();
