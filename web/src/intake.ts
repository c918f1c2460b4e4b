// Photos in: chosen, taken, dropped or pasted.

import { byId } from "./dom";

export function installIntake(add: (files: File[]) => void): void {
  for (const [buttonId, inputId] of [
    ["choose", "file"],
    ["take", "camera"],
  ] as const) {
    const input = byId<HTMLInputElement>(inputId);
    byId(buttonId).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      add([...(input.files ?? [])]);
      // The same file may be chosen again.
      input.value = "";
    });
  }
  installDrop(add);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) add(files);
  });
}

function installDrop(add: (files: File[]) => void): void {
  const zone = byId("dropzone");
  // Drops are taken anywhere on the page: a miss would make the browser leave it for the photo.
  let depth = 0;
  const show = (change: number): void => {
    depth = Math.max(0, depth + change);
    zone.classList.toggle("over", depth > 0);
  };
  document.addEventListener("dragenter", (event) => {
    event.preventDefault();
    show(1);
  });
  document.addEventListener("dragleave", () => show(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    show(0);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) add(files);
  });
}
