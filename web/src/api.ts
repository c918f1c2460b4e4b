// The service, asked; addresses are relative so that the page works below any path.

import type { Localization, PlaceInfo, Problem } from "./types";

export class ProblemError extends Error {
  constructor(
    readonly problem: Problem,
    readonly retryAfter_s: number | null = null,
  ) {
    super(problem.detail);
  }
}

export const PLAN_URL = "api/plan.png";
export const FORBIDDEN_URL = "api/plan/forbidden.png";

export async function fetchPlace(): Promise<PlaceInfo> {
  let answer: Response;
  try {
    answer = await fetch("api/place");
  } catch {
    throw new ProblemError(NO_ANSWER);
  }
  if (!answer.ok) throw new ProblemError(asProblem(await answer.text(), answer.status));
  return (await answer.json()) as PlaceInfo;
}

/** Send one photo; XMLHttpRequest because fetch does not tell how much has been sent. */
export function localize(
  file: File,
  name: string,
  onProgress: (sent: number) => void,
): Promise<Localization> {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("photos", file, name);
    const request = new XMLHttpRequest();
    request.open("POST", "api/localize");
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onerror = () => reject(new ProblemError(NO_ANSWER));
    request.onload = () => {
      if (request.status === 200) {
        const answer = JSON.parse(request.responseText) as { results: Localization[] };
        const result = answer.results[0];
        if (result) resolve(result);
        else reject(new ProblemError(asProblem("", 500)));
        return;
      }
      const wait = Number(request.getResponseHeader("Retry-After"));
      const problem = asProblem(request.responseText, request.status);
      reject(new ProblemError(problem, request.status === 503 && wait > 0 ? wait : null));
    };
    request.send(form);
  });
}

const NO_ANSWER: Problem = {
  type: "about:blank",
  title: "No answer from the server",
  status: 0,
  detail: "Check the connection and that the server is running, then try again.",
};

function asProblem(text: string, status: number): Problem {
  try {
    const parsed = JSON.parse(text) as Problem;
    if (typeof parsed.title === "string" && typeof parsed.detail === "string") return parsed;
  } catch {
    // A proxy in between may answer with a page of its own; say what is known.
  }
  return {
    type: "about:blank",
    title: "The server did not answer as expected",
    status,
    detail: `It answered with HTTP status ${status}. Try again in a moment.`,
  };
}
