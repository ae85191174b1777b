// The Models page inside Airflow: what serves where, since when, is it well, and what to press to go back.
//
// One module as it is written, on the React, React Router and Chakra UI that Airflow's own page has loaded. Every text
// that comes from a server is given to React as text, and a link only leads to http or https. Airflow before 3.2 shares
// no Chakra UI; there plain.js takes its place.

import * as plain from "./plain.js";

const { useCallback, useEffect, useRef, useState } = globalThis.React;
const { useSearchParams } = globalThis.ReactRouterDOM;
const { Badge, Box, Button, Dialog, Flex, Heading, Input, Link, Portal, Spinner, Table, Text, Textarea } =
  globalThis.ChakraUI ?? plain;

const h = globalThis.React.createElement;
const API = new URL("api/", import.meta.url);
const AIRFLOW = document.baseURI;
const PAUSE = 10000;
// The API gives an answer again for two seconds.
const FORGOTTEN = 2500;
const LINES = { whiteSpace: "pre-wrap", overflowWrap: "anywhere" };
const CELL = { whiteSpace: "pre-wrap", overflowWrap: "break-word", maxWidth: "30rem" };

async function call(path, params = {}, body = undefined) {
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
async function core(path) {
  const answer = await fetch(new URL(`api/v2/${path}`, AIRFLOW), { credentials: "same-origin" });
  return answer.ok ? answer.json() : null;
}

const runPath = (dag, run) => `dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}`;
const pagePath = (asked) => new URL(`plugin/models?${new URLSearchParams(asked)}`, AIRFLOW).href;
// Everything on the page asks again, as soon as a press has changed something.
const asking = new Set();

// Asks now, again every few seconds while the page is seen, and whenever what is asked for changes.
function useAsked(path, params, pause = PAUSE) {
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

function since(moment) {
  const seconds = Math.max(0, (Date.now() - new Date(moment).getTime()) / 1000);
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    const count = Math.floor(seconds / length);
    if (count >= 1) return `${count} ${unit}${count > 1 ? "s" : ""} ago`;
  }
  return "just now";
}

function Moment({ at }) {
  const moment = new Date(at);
  const told = `${moment.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return h("time", { dateTime: moment.toISOString(), title: moment.toLocaleString() }, `${since(moment)} (${told})`);
}

const safe = (address) => (typeof address === "string" && /^https?:\/\//i.test(address) ? address : null);

function Out({ to, children }) {
  const href = safe(to);
  if (href === null) return null;
  return h(Link, { href, target: "_blank", rel: "noopener noreferrer", textDecoration: "underline" }, children);
}

function Problems({ problems }) {
  if (problems.length === 0) return null;
  return h(
    Box,
    { role: "alert", borderWidth: 1, borderColor: "red.solid", rounded: "md", p: 3, mb: 4, bg: "bg.subtle", css: LINES },
    h(Text, { fontWeight: "bold" }, "Not everything could be read"),
    problems.map((problem) => h(Text, { key: problem }, problem)),
  );
}

const WORDS = {
  well: { color: "green", sign: "✓", said: "Well" },
  look: { color: "yellow", sign: "!", said: "Look" },
  sick: { color: "red", sign: "✗", said: "Sick" },
  unknown: { color: "gray", sign: "?", said: "Unknown" },
};

function Health({ health }) {
  const word = WORDS[health.word] ?? WORDS.unknown;
  return h(
    Box,
    null,
    h(
      Badge,
      { colorPalette: word.color, variant: "surface", size: "lg" },
      h("span", { "aria-hidden": true }, word.sign),
      ` ${word.said}`,
    ),
    health.reasons.map((reason) => h(Text, { key: reason, fontSize: "sm", mt: 1, css: LINES }, reason)),
  );
}

function Verdict({ verdict }) {
  const color = { PASS: "green", FAIL: "red", ERROR: "red" }[verdict] ?? "yellow";
  return h(Badge, { colorPalette: color, variant: "surface" }, verdict);
}

const STATES = { SUCCEEDED: "green", ROLLED_BACK: "orange", ROLLBACK_FAILED: "red", REJECTED: "orange" };

function State({ state }) {
  return h(Badge, { colorPalette: STATES[state] ?? "blue", variant: "surface" }, state.replaceAll("_", " ").toLowerCase());
}

// Shares of traffic as one bar; the words beside it say the same.
function Traffic({ traffic }) {
  const shares = Object.entries(traffic ?? {}).filter(([, share]) => share > 0);
  if (traffic === null) return h(Text, null, "Live traffic: cannot be read");
  if (shares.length === 0) return h(Text, null, "Live traffic: nobody answers");
  const told = shares.map(([version, share]) => `${share} % to version ${version}`).join(", ");
  let left = 0;
  const bars = shares.map(([version, share], place) => {
    const x = left;
    left += share;
    return h("rect", { key: version, x, y: 0, width: share, height: 6, fill: "currentColor", opacity: 1 - 0.55 * place });
  });
  return h(
    Box,
    null,
    h(Text, null, `Live traffic: ${told}`),
    h(
      Box,
      { color: "blue.solid", mt: 1, maxW: "20rem" },
      h("svg", { viewBox: "0 0 100 6", width: "100%", height: 8, preserveAspectRatio: "none", "aria-hidden": true }, bars),
    ),
  );
}

// A run that a schedule or an asset started has no user.
function who(actor) {
  if (!actor.dag) return actor.user ?? "nobody known";
  return actor.user ? `${actor.user}, in ${actor.dag}` : actor.dag;
}

const moved = (release) =>
  release.from === null || release.from === release.to ? `version ${release.to}` : `version ${release.from} → ${release.to}`;

function Check({ check }) {
  if (!check) return null;
  return h(Text, { mt: 2, fontSize: "sm" }, "Last check ", h(Verdict, { verdict: check.verdict }), " ", h(Moment, { at: check.at }));
}

function Evaluated({ found }) {
  if (!found) return null;
  const against = found.champion || "a constant prediction";
  return h(Text, { mt: 2, fontSize: "sm", css: LINES }, `Evaluated against ${against} `, h(Verdict, { verdict: found.verdict }), ` ${found.reason}`);
}

function Drift({ drift }) {
  if (!drift) return null;
  return h(Text, { mt: 2, fontSize: "sm", css: LINES }, `Drift ${drift.found} `, h(Out, { to: drift.page }, "Drift report"));
}

const NEEDS = "You may look at this page, and not start the DAG that does this.";

function Endpoint({ row, me, open, press }) {
  const { serving, back } = row;
  const may = me?.may.rollback === true;
  const releasing = row.release !== null && !row.release.over && row.release.change === "deploy";
  const said = releasing ? "Stop the release: back to version" : "Roll back to version";
  return h(
    Box,
    { as: "section", "aria-label": row.endpoint, borderWidth: 1, rounded: "md", p: 4, mb: 3 },
    h(
      Flex,
      { gap: 4, wrap: "wrap", justify: "space-between", align: "flex-start" },
      h(
        Box,
        { flex: "2 1 18rem", minW: 0 },
        h(Heading, { as: "h2", size: "md", css: LINES }, row.model),
        h(Text, { color: "fg.muted", fontSize: "sm", css: LINES }, `on ${row.conn_id}`),
        serving === null || serving === undefined
          ? h(Text, { mt: 2 }, row.release === null ? "What serves is not known" : "Nothing serves yet")
          : h(
              Text,
              { mt: 2 },
              h("strong", null, `Version ${serving.version} serves`),
              row.since === null ? " for longer than the last releases tell" : [", put there ", h(Moment, { key: "m", at: row.since })],
            ),
        row.release !== null && h(Box, { mt: 2 }, h(Traffic, { traffic: row.traffic })),
        h(Drift, { drift: row.drift }),
      ),
      h(
        Box,
        { flex: "2 1 16rem", minW: 0 },
        h(Health, { health: row.health }),
        h(Check, { check: row.check }),
        row.release &&
          h(
            Text,
            { mt: 2, fontSize: "sm", css: LINES },
            `Newest release: ${row.release.change}, ${moved(row.release)} `,
            h(State, { state: row.release.state }),
            ` by ${who(row.release.who)}`,
            row.release.reason ? ` — ${row.release.reason}` : "",
          ),
      ),
      h(
        Flex,
        { direction: "column", gap: 2, flex: "1 1 12rem", maxW: "20rem" },
        back
          ? h(
              Button,
              { colorPalette: "red", variant: "outline", disabled: !may, onClick: () => press(row), whiteSpace: "normal", h: "auto", py: 2 },
              `${said} ${back.version}…`,
            )
          : row.release && h(Text, { fontSize: "sm", color: "fg.muted" }, "There is no version before this one to go back to."),
        back && !may && me && h(Text, { fontSize: "xs", color: "fg.muted" }, NEEDS),
        back && back.loaded === true && h(Text, { fontSize: "xs", color: "fg.muted" }, "Still loaded: it is back at once."),
        back && back.loaded === false && h(Text, { fontSize: "xs", color: "fg.muted" }, "Not loaded: it is fetched from the model store first."),
        h(Button, { variant: "subtle", onClick: () => open({ endpoint: row.endpoint }) }, "Releases"),
        h(Button, { variant: "subtle", onClick: () => open({ view: "models", model: row.model }) }, "Versions"),
      ),
    ),
  );
}

function Endpoints({ params, open, me, press }) {
  const offset = Number(params.get("offset") ?? 0);
  const { told, error } = useAsked("endpoints", { q: params.get("q"), offset, limit: 25 });
  if (told === null) return h(Waiting, { error });
  const { endpoints, total } = told;
  return h(
    Box,
    null,
    h(Problems, { problems: [...told.problems, ...(error ? [error] : [])] }),
    h(Text, { role: "status", mb: 2, color: "fg.muted" }, `${total} endpoint${total === 1 ? "" : "s"}`),
    endpoints.map((row) => h(Endpoint, { key: row.endpoint, row, me, open, press })),
    h(
      Flex,
      { gap: 2 },
      offset > 0 && h(Button, { variant: "outline", onClick: () => open({ offset: Math.max(0, offset - 25) }) }, "Before"),
      offset + 25 < total && h(Button, { variant: "outline", onClick: () => open({ offset: offset + 25 }) }, "Next"),
    ),
  );
}

function Waiting({ error }) {
  return error ? h(Problems, { problems: [error] }) : h(Flex, { role: "status", gap: 2, p: 4 }, h(Spinner), "Reading…");
}

const RELEASE = ["When", "What", "State", "Who", "Why"];

function releaseRow(one) {
  const href = pagePath({ endpoint: one.endpoint, release: one.opened });
  const what = h(Link, { href, textDecoration: "underline" }, `${one.change}, ${moved(one)}`);
  const why = one.asked && one.asked !== one.reason ? `${one.asked} — ${one.reason}` : one.reason;
  return { key: `${one.endpoint} ${one.opened}`, cells: [h(Moment, { at: one.opened_at }), what, h(State, { state: one.state }), who(one.who), why] };
}

function Releases({ params, open }) {
  const endpoint = params.get("endpoint");
  const { told, error } = useAsked("releases", { endpoint, before: params.get("before"), limit: 25 });
  if (told === null) return h(Waiting, { error });
  return h(
    Box,
    null,
    h(Heading, { as: "h2", size: "md", mb: 3, css: LINES }, `Releases of ${endpoint}`),
    h(Problems, { problems: [...told.problems, ...(error ? [error] : [])] }),
    h(Rows, { name: `Releases of ${endpoint}`, names: RELEASE, rows: told.releases.map(releaseRow) }),
    told.next !== null && h(Button, { mt: 3, variant: "outline", onClick: () => open({ endpoint, before: told.next }) }, "Older"),
  );
}

// A number over the looks of one entry: the candidate as a line, what served beside it dashed.
function Plot({ title, looks, of, format }) {
  const candidate = looks.map((look) => of(look, 0));
  const baseline = looks.map((look) => of(look, 1));
  const known = [...candidate, ...baseline].filter((value) => value !== null && value !== undefined);
  if (known.length === 0) return null;
  const most = Math.max(...known, 0);
  const top = most || 1;
  const x = (place) => (looks.length === 1 ? 110 : 8 + (place * 204) / (looks.length - 1));
  const y = (value) => 62 - (54 * value) / top;
  const points = (values) =>
    values.map((value, place) => [value, place]).filter(([value]) => value !== null && value !== undefined);
  const line = (values, dash, name, color) => {
    const at = points(values);
    if (at.length === 0) return null;
    const path = at.map(([value, place]) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    return h(
      "g",
      { key: name, style: { color } },
      h("polyline", { points: path, fill: "none", stroke: "currentColor", strokeWidth: 2, strokeDasharray: dash }),
      at.map(([value, place]) => h("circle", { key: place, cx: x(place), cy: y(value), r: 2, fill: "currentColor" })),
    );
  };
  const last = (values) => points(values).at(-1)?.[0];
  const told = (values) => (last(values) === undefined ? "no value" : format(last(values)));
  const label = `${title}: at last the candidate ${told(candidate)}, beside it ${told(baseline)}; at most ${format(most)}`;
  return h(
    Box,
    { as: "figure", w: "17rem", maxW: "100%" },
    h(Text, { as: "figcaption", fontSize: "xs", css: LINES }, `${title} (at most ${format(most)})`),
    h(
      "svg",
      { viewBox: "0 0 220 70", width: "100%", role: "img", "aria-label": label },
      h("line", { x1: 4, x2: 216, y1: 62, y2: 62, stroke: "currentColor", opacity: 0.4 }),
      line(baseline, "5 4", "baseline", "var(--chakra-colors-fg-muted, gray)"),
      line(candidate, undefined, "candidate", "var(--chakra-colors-blue-solid, #3b82f6)"),
    ),
    h(Text, { fontSize: "xs", color: "fg.muted" }, `— candidate ${told(candidate)}`, last(baseline) === undefined ? "" : `   - - beside it ${told(baseline)}`),
  );
}

const short = (value) => (Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));
const percent = (value) => `${short(value * 100)} %`;
const seconds = (value) => (value < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`);

function Plots({ looks }) {
  if (looks.length === 0) return null;
  const side = (look, place) => (place === 0 ? look.candidate : look.baseline);
  const asked = [...new Set(looks.flatMap((look) => Object.keys(look.answers)))];
  return h(
    Flex,
    { wrap: "wrap", gap: 4, mt: 2 },
    h(Plot, { title: "Requests", looks, of: (look, place) => side(look, place)?.requests, format: short }),
    h(Plot, { title: "Errors", looks, of: (look, place) => side(look, place)?.errors, format: percent }),
    h(Plot, { title: "95 % are answered within", looks, of: (look, place) => side(look, place)?.p95, format: seconds }),
    asked.map((name) =>
      h(Plot, { key: name, title: name, looks, of: (look, place) => look.answers[name]?.[place], format: short }),
    ),
  );
}

// A table that is moved sideways, by keyboard too, where the window is narrow.
function Rows({ name, names, rows }) {
  return h(
    Box,
    { overflowX: "auto", mt: 2, tabIndex: 0, role: "region", "aria-label": name },
    h(
      Table.Root,
      { size: "sm" },
      h(Table.Header, null, h(Table.Row, null, names.map((one) => h(Table.ColumnHeader, { key: one }, one)))),
      h(
        Table.Body,
        null,
        rows.map(({ key, cells }) =>
          h(
            Table.Row,
            { key },
            cells.map((cell, place) => h(Table.Cell, { key: place, css: CELL }, cell)),
          ),
        ),
      ),
    ),
  );
}

function Measurements({ rows, name }) {
  if (rows.length === 0) return null;
  const number = (value) => (value === null ? "–" : short(value));
  const told = (row) => [
    row.check,
    h(Verdict, { verdict: row.verdict }),
    number(row.value),
    number(row.samples),
    row.critical ? row.reason : `(does not decide) ${row.reason}`,
  ];
  const names = ["Check", "Verdict", "Value", "Samples", "Why"];
  return h(Rows, { name, names, rows: rows.map((row, place) => ({ key: place, cells: told(row) })) });
}

function Timeline({ params }) {
  const asked = { endpoint: params.get("endpoint"), opened: params.get("release") };
  const { told, error } = useAsked("release", asked);
  if (told === null) return h(Waiting, { error });
  const problems = h(Problems, { problems: [...told.problems, ...(error ? [error] : [])] });
  if (told.release === null) return problems;
  const one = told.release;
  const run = one.who.dag && one.who.run ? new URL(runPath(one.who.dag, one.who.run), AIRFLOW) : null;
  const shown = (traffic) => Object.entries(traffic).map(([version, share]) => `version ${version} ${share} %`).join(", ") || "nobody";
  const facts = [
    ["State", h(State, { state: one.state })],
    ["Endpoint", one.endpoint],
    ["Traffic before", shown(one.traffic_before)],
    ["Traffic asked for now", shown(one.traffic)],
    ["Why it was begun", one.asked || "no reason was given"],
    ["Why it is where it is", one.reason || "–"],
    ["Who", run ? [who(one.who), " ", h(Link, { key: "run", href: run.href, textDecoration: "underline" }, "DAG run")] : who(one.who)],
    ["Digest", one.digest ?? "none"],
  ];
  return h(
    Box,
    null,
    h(Heading, { as: "h2", size: "md", mb: 3, css: LINES }, `${one.change}, ${moved(one)}`),
    problems,
    h(
      Box,
      { as: "dl", display: "grid", gridTemplateColumns: { base: "1fr", md: "12rem 1fr" }, gap: 1, mb: 4 },
      facts.flatMap(([name, value]) => [
        h(Text, { as: "dt", key: name, color: "fg.muted" }, name),
        h(Text, { as: "dd", key: `${name}:`, css: LINES, mb: { base: 2, md: 0 } }, value),
      ]),
    ),
    h(
      Box,
      { as: "ol", listStyleType: "none", ps: 0 },
      one.entries.map((entry) =>
        h(
          Box,
          { as: "li", key: entry.generation, borderInlineStartWidth: 3, ps: 4, pb: 4 },
          h(
            Flex,
            { gap: 2, wrap: "wrap", align: "center" },
            h(State, { state: entry.state }),
            entry.percent !== null && h(Badge, null, `${entry.percent} % of the traffic`),
            entry.verdict && h(Verdict, { verdict: entry.verdict }),
            h(Text, { fontSize: "sm", color: "fg.muted" }, h(Moment, { at: entry.at })),
          ),
          entry.reason && h(Text, { css: LINES }, entry.reason),
          entry.mark && h(Text, { fontSize: "sm", color: "fg.muted", css: LINES }, `confirmed: ${entry.mark}`),
          h(Plots, { looks: entry.looks }),
          h(Measurements, { rows: entry.measurements, name: `Checks of entry ${entry.generation}` }),
        ),
      ),
    ),
  );
}

function Models({ params, open }) {
  const { told, error } = useAsked("models", { q: params.get("q"), page: params.get("page"), limit: 25 });
  if (told === null) return h(Waiting, { error });
  return h(
    Box,
    null,
    h(Problems, { problems: [...told.problems, ...(error ? [error] : [])] }),
    told.models.map((one) =>
      h(
        Flex,
        { key: one.name, gap: 3, wrap: "wrap", align: "center", borderBottomWidth: 1, py: 2 },
        h(
          Button,
          { variant: "plain", px: 0, h: "auto", textAlign: "start", textDecoration: "underline", css: LINES, onClick: () => open({ view: "models", model: one.name }) },
          one.name,
        ),
        Object.entries(one.aliases).map(([alias, version]) => h(Badge, { key: alias, css: LINES }, `${alias}: version ${version}`)),
        h(Text, { color: "fg.muted", fontSize: "sm" }, one.newest === null ? "no version" : `newest version ${one.newest}`),
        h(Out, { to: one.url }, "MLflow"),
      ),
    ),
    told.next !== null && h(Button, { mt: 3, variant: "outline", onClick: () => open({ view: "models", page: told.next }) }, "Next"),
  );
}

const size = (bytes) => {
  const power = bytes > 0 ? Math.min(4, Math.floor(Math.log(bytes) / Math.log(1024))) : 0;
  return `${short(bytes / 1024 ** power)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
};

function Facts({ title, values }) {
  const rows = Object.entries(values);
  if (rows.length === 0) return null;
  return h(
    Box,
    { as: "details", mt: 2 },
    h("summary", { style: { cursor: "pointer" } }, `${title} (${rows.length})`),
    h(Box, { as: "ul", ps: 4 }, rows.map(([name, value]) => h(Text, { as: "li", key: name, fontSize: "sm", css: LINES }, `${name}: ${value}`))),
  );
}

const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${short(Math.abs(value))}`;

function Metrics({ version, rows, champion }) {
  if (rows.length === 0) return null;
  const names = ["Metric", `Version ${version}`, ...(champion === null ? [] : [`Champion, version ${champion}`, "Difference"])];
  const told = (metric) => [
    metric.name,
    short(metric.value),
    ...(champion === null ? [] : [metric.champion === null ? "–" : short(metric.champion), metric.difference === null ? "–" : signed(metric.difference)]),
  ];
  return h(Rows, { name: `Metrics of version ${version}`, names, rows: rows.map((metric) => ({ key: metric.name, cells: told(metric) })) });
}

function Versions({ params, open, me, promote }) {
  const model = params.get("model");
  const { told, error } = useAsked("versions", { model, page: params.get("page"), limit: 25 });
  if (told === null) return h(Waiting, { error });
  const may = me?.may.promote === true;
  return h(
    Box,
    null,
    h(Heading, { as: "h2", size: "md", mb: 3, css: LINES }, `Versions of ${model}`),
    h(Problems, { problems: [...told.problems, ...(error ? [error] : [])] }),
    told.versions.map((one) =>
      h(
        Box,
        { as: "section", "aria-label": `Version ${one.version}`, key: one.version, borderWidth: 1, rounded: "md", p: 4, mb: 3 },
        h(
          Flex,
          { gap: 3, wrap: "wrap", align: "center" },
          h(Heading, { as: "h3", size: "sm" }, `Version ${one.version}`),
          one.aliases.map((alias) => h(Badge, { key: alias, colorPalette: "blue", variant: "surface", css: LINES }, alias)),
          one.created_at !== null && h(Text, { fontSize: "sm", color: "fg.muted" }, h(Moment, { at: one.created_at })),
          h(Out, { to: one.url }, "MLflow"),
          h(
            Button,
            { size: "sm", variant: "outline", ms: "auto", disabled: !may || one.version === told.champion, onClick: () => promote(model, one.version) },
            "Deploy and promote…",
          ),
        ),
        h(Text, { fontSize: "sm", mt: 1, css: LINES }, `Size ${one.size === null ? "unknown" : size(one.size)} · digest ${one.digest ?? "none"}`),
        h(Metrics, { version: one.version, rows: one.metrics, champion: told.champion }),
        h(Evaluated, { found: one.evaluated }),
        h(Check, { check: one.check }),
        h(Drift, { drift: one.drift }),
        h(Facts, { title: "Where it comes from", values: { artifact: one.artifact, ...one.provenance } }),
        h(Facts, { title: "Tags", values: one.tags }),
      ),
    ),
    told.next !== null && h(Button, { variant: "outline", onClick: () => open({ view: "models", model, page: told.next }) }, "Older"),
  );
}

// Asks once more, and for a reason; then shows the run that does it until it is over.
function Confirm({ wanted, close }) {
  const [reason, setReason] = useState("");
  const [on, setOn] = useState("");
  const { told: places } = useAsked(wanted.model ? "endpoints" : null, { q: wanted.model, limit: 100 });
  const known = (places?.endpoints ?? []).filter((one) => one.model === wanted.model).map((one) => one.conn_id);
  const [state, setState] = useState({});
  const key = useRef(null);
  const first = useRef(null);
  useEffect(() => {
    if (!state.run || state.over) return undefined;
    const timer = setInterval(async () => {
      const run = await core(`dags/${encodeURIComponent(state.dag)}/dagRuns/${encodeURIComponent(state.run)}`);
      if (run === null) return;
      const over = ["success", "failed"].includes(run.state);
      setState((before) => ({ ...before, told: run.state, over }));
      if (over) setTimeout(() => asking.forEach((again) => again()), FORGOTTEN);
    }, 1500);
    return () => clearInterval(timer);
  }, [state.run, state.over]);
  const send = async (event) => {
    event.preventDefault();
    // One key for one question: pressed twice, or sent again after an error, it is still one run.
    key.current ??= crypto.getRandomValues(new Uint32Array(4)).reduce((text, part) => text + part.toString(16).padStart(8, "0"), "");
    setState({ sending: true });
    try {
      setState(await call(wanted.path, {}, { ...wanted.body, ...(wanted.model ? { serving_conn_id: on || known[0] } : {}), reason, key: key.current }));
    } catch (error) {
      setState({ error: error.message });
    }
  };
  const run = state.run ? new URL(runPath(state.dag, state.run), AIRFLOW) : null;
  const told = { success: "Done.", failed: "The run failed; open it to read why." }[state.told] ?? `The run is ${state.told ?? "started"}…`;
  const form = h(
    "form",
    { onSubmit: send },
    h(Text, { mb: 3, css: LINES }, wanted.text),
    wanted.model &&
      h(
        Box,
        { mb: 3 },
        h("label", { htmlFor: "models-on" }, "Serving connection"),
        h(Input, { id: "models-on", required: known.length === 0, list: "models-known", placeholder: known[0], value: on, onChange: (event) => setOn(event.target.value) }),
        h("datalist", { id: "models-known" }, known.map((one) => h("option", { key: one, value: one }))),
      ),
    h("label", { htmlFor: "models-reason" }, "Reason, kept in the ledger with your name"),
    h(Textarea, { id: "models-reason", ref: first, required: true, maxLength: 2000, rows: 3, value: reason, onChange: (event) => setReason(event.target.value) }),
    state.error && h(Text, { role: "alert", mt: 2, color: "red.fg", css: LINES }, state.error),
    h(
      Flex,
      { gap: 2, mt: 4, justify: "flex-end" },
      h(Button, { variant: "outline", type: "button", onClick: close }, "Cancel"),
      h(Button, { colorPalette: "red", type: "submit", disabled: state.sending || reason.trim() === "" }, wanted.title),
    ),
  );
  const begun = h(
    Box,
    null,
    h(Text, { role: "status" }, told),
    run && h(Link, { href: run.href, textDecoration: "underline" }, "Open the DAG run"),
    h(Flex, { mt: 4, justify: "flex-end" }, h(Button, { onClick: close }, "Close")),
  );
  return h(
    Dialog.Root,
    { open: true, role: "alertdialog", initialFocusEl: () => first.current, onOpenChange: (event) => !event.open && close() },
    h(
      Portal,
      null,
      h(Dialog.Backdrop),
      h(
        Dialog.Positioner,
        { px: 2 },
        h(
          Dialog.Content,
          null,
          h(Dialog.Header, null, h(Dialog.Title, { css: LINES }, wanted.title)),
          h(Dialog.Body, { pb: 6 }, state.run ? begun : form),
        ),
      ),
    ),
  );
}

function Search({ value, change }) {
  const [text, setText] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => text !== value && change(text), 400);
    return () => clearTimeout(timer);
  }, [text]);
  return h(Input, { type: "search", "aria-label": "Search by name", placeholder: "Search by name", value: text, onChange: (event) => setText(event.target.value), maxW: "20rem", maxLength: 200 });
}

// The questions of our approvals that nobody has answered; each is answered on Airflow's own page.
function Questions({ dag = "~", run = "~" }) {
  const [questions, setQuestions] = useState([]);
  useEffect(() => {
    const place = `dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`;
    const ask = () =>
      core(`${place}/hitlDetails?response_received=false&limit=100`).then(
        (told) => setQuestions((told?.hitl_details ?? []).filter((one) => one.task_instance.operator_name === "ModelApprovalOperator")),
        () => {},
      );
    const timer = setInterval(ask, PAUSE);
    asking.add(ask);
    ask();
    return () => {
      asking.delete(ask);
      clearInterval(timer);
    };
  }, [dag, run]);
  if (questions.length === 0) return null;
  return h(
    Box,
    { as: "section", "aria-label": "Waiting for an answer", borderWidth: 1, borderColor: "blue.solid", rounded: "md", p: 3, mb: 4 },
    h(Text, { fontWeight: "bold" }, `${questions.length} question${questions.length === 1 ? " waits" : "s wait"} for an answer`),
    questions.map(({ subject, task_instance: task }) => {
      const mapped = task.map_index >= 0 ? `/mapped/${task.map_index}` : "";
      const href = new URL(`${runPath(task.dag_id, task.dag_run_id)}/tasks/${encodeURIComponent(task.task_id)}${mapped}/required_actions`, AIRFLOW).href;
      return h(Text, { key: task.id, css: LINES }, `${subject} `, h(Link, { href, textDecoration: "underline" }, `Answer in ${task.dag_id}`));
    }),
  );
}

// Beside the tasks of a DAG run: what that run did to models.
function RunTab({ dag, run }) {
  const [since, setSince] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    core(`dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`).then(
      (told) => (told ? setSince(told.start_date ?? told.queued_at ?? told.run_after) : setProblem("You may not look at this DAG run.")),
      (error) => setProblem(error.message),
    );
  }, [dag, run]);
  const { told, error } = useAsked(since && "run", { dag, run, since });
  if (told === null) return h(Waiting, { error: problem || error });
  const { releases, versions } = told;
  return h(
    Box,
    { as: "section", "aria-label": "Models of this run", p: 4, overflowY: "auto", h: "100%" },
    h(Questions, { dag, run }),
    h(Problems, { problems: [...told.problems, ...(error ? [error] : [])] }),
    h(Heading, { as: "h2", size: "md", mb: 2 }, "Releases that this run took part in"),
    releases.length === 0
      ? h(Text, { color: "fg.muted" }, "None.")
      : h(Rows, {
          name: "Releases that this run took part in",
          names: ["Endpoint", ...RELEASE],
          rows: releases.map((one) => ({ key: `${one.endpoint} ${one.opened}`, cells: [one.endpoint, ...releaseRow(one).cells] })),
        }),
    h(Heading, { as: "h2", size: "md", mt: 6, mb: 2 }, "Versions that this run registered"),
    versions.length === 0 && h(Text, { color: "fg.muted" }, "None."),
    versions.map((one) =>
      h(
        Text,
        { key: `${one.model} ${one.version}`, css: LINES },
        h(Link, { href: pagePath({ view: "models", model: one.model }), textDecoration: "underline" }, `${one.model} version ${one.version}`),
        " ",
        h(Out, { to: one.url }, "MLflow"),
      ),
    ),
  );
}

function ModelsPage() {
  const [params, setParams] = useSearchParams();
  const [wanted, setWanted] = useState(null);
  const { told: me } = useAsked("me", {}, 60000);
  const open = (next) => setParams(Object.fromEntries(Object.entries(next).map(([name, value]) => [name, String(value)])));
  const inModels = params.get("view") === "models";
  const press = (row) => {
    const left = row.release?.over && row.serving ? `, version ${row.serving.version},` : "";
    setWanted({
      path: "rollback",
      body: { endpoint: row.endpoint },
      title: `Roll back to version ${row.back.version}`,
      text: `Callers of ${row.endpoint} go back to version ${row.back.version}. What they leave${left} is quarantined: no schedule deploys it again.`,
    });
  };
  const promote = (model, version) =>
    setWanted({
      path: "promote",
      body: { model, version },
      model,
      title: `Deploy and promote version ${version}`,
      text: `${model}: version ${version} is loaded, proven, given all callers and made the champion. If anything goes wrong, what serves now still serves.`,
    });
  const shared = { params, open, me, press, promote };
  const deep = params.has("endpoint") || params.has("model");
  let view = inModels ? Models : Endpoints;
  if (params.has("model")) view = Versions;
  if (params.has("endpoint")) view = params.has("release") ? Timeline : Releases;
  const up = params.has("release") ? { endpoint: params.get("endpoint") } : params.has("model") ? { view: "models" } : {};
  const tab = (name, chosen, next) =>
    h(Button, { size: "sm", variant: chosen ? "solid" : "outline", "aria-current": chosen ? "page" : undefined, onClick: () => open(next) }, name);
  return h(
    Box,
    { as: "main", p: { base: 3, md: 6 }, maxW: "75rem", mx: "auto", overflowY: "auto", h: "100%" },
    h(
      Flex,
      { gap: 3, wrap: "wrap", align: "center", mb: 4 },
      h(Heading, { as: "h1", size: "xl" }, "Models"),
      h(Flex, { as: "nav", "aria-label": "Models", gap: 2 }, tab("What serves", !inModels, {}), tab("All models", inModels, { view: "models" })),
      deep
        ? h(Button, { size: "sm", variant: "ghost", onClick: () => open(up) }, "← Back")
        : h(Search, { key: inModels, value: params.get("q") ?? "", change: (q) => open({ ...(inModels ? { view: "models" } : {}), ...(q ? { q } : {}) }) }),
    ),
    !deep && h(Questions),
    h(view, { ...shared, key: params.toString() }),
    wanted && h(Confirm, { wanted, close: () => setWanted(null) }),
  );
}

// Airflow tells a tab which DAG run it stands beside.
function Anywhere({ dagId, runId }) {
  return dagId && runId ? h(RunTab, { dag: dagId, run: runId }) : h(ModelsPage);
}

globalThis["Models"] = Anywhere;
globalThis.AirflowPlugin = Anywhere;
