// What the Models page asks: its own API, and Airflow's.

const { useCallback, useEffect, useState } = globalThis.React;

const API = new URL("api/", import.meta.url);
export const AIRFLOW = document.baseURI;
export const PAUSE = 10000;
// The API gives an answer again for two seconds.
export const FORGOTTEN = 2500;

export async function call(path, params = {}, body = undefined) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const options = { credentials: "same-origin", headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    options.headers = { ...options.headers, "Content-Type": "application/json", "X-Model-Lifecycle": "1" };
  }
  const answer = await fetch(url, options);
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  if (answer.status === 401) throw new Error("You are no longer logged in: load the page again.");
  const detail = typeof told.detail === "string" ? told.detail : "the question was refused";
  throw new Error(answer.status === 403 ? `You may not do this (${detail}).` : detail);
}

// What core tells of its own accord, with its own permissions; null for who may not know.
export async function core(path) {
  const answer = await fetch(new URL(`api/v2/${path}`, AIRFLOW), { credentials: "same-origin" });
  return answer.ok ? answer.json() : null;
}

export const runPath = (dag, run) => `dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`;

export const pagePath = (asked) => new URL(`plugin/models?${new URLSearchParams(asked)}`, AIRFLOW).href;

// Everything on the page asks again, as soon as a press has changed something.
export const asking = new Set();

// Asks now, again every few seconds while the page is seen, and whenever what is asked for changes.
export function useAsked(path, params, pause = PAUSE) {
  const [found, setFound] = useState({ told: null, error: "" });
  const key = JSON.stringify([path, params]);
  const ask = useCallback(() => {
    let wanted = true;
    if (path === null) return () => {};
    call(path, params).then(
      (told) => wanted && setFound({ key, told, error: "" }),
      (error) => wanted && setFound((before) => ({ ...before, error: error.message })),
    );
    return () => {
      wanted = false;
    };
  }, [key]);
  useEffect(() => {
    let forget = ask();
    const again = () => {
      if (!document.hidden) {
        forget();
        forget = ask();
      }
    };
    const timer = setInterval(again, pause);
    asking.add(again);
    return () => {
      asking.delete(again);
      clearInterval(timer);
      forget();
    };
  }, [ask, pause]);
  return { told: found.key === key ? found.told : null, error: found.error };
}
