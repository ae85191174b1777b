// What the views of the Models page are made of: each takes what the API tells and draws it, and asks nothing.

import * as plain from "./plain.js";

const { Badge, Box, Flex, Link, Spinner, Table, Text } = globalThis.ChakraUI ?? plain;

const h = globalThis.React.createElement;
export const LINES = { whiteSpace: "pre-wrap", overflowWrap: "anywhere" };
const CELL = { whiteSpace: "pre-wrap", overflowWrap: "break-word", maxWidth: "30rem" };

export function since(moment) {
  const seconds = Math.max(0, (Date.now() - new Date(moment).getTime()) / 1000);
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    const count = Math.floor(seconds / length);
    if (count >= 1) return `${count} ${unit}${count > 1 ? "s" : ""} ago`;
  }
  return "just now";
}

export function Moment({ at }) {
  const moment = new Date(at);
  const told = `${moment.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return h("time", { dateTime: moment.toISOString(), title: moment.toLocaleString() }, `${since(moment)} (${told})`);
}

const safe = (address) => (typeof address === "string" && /^https?:\/\//i.test(address) ? address : null);

export function Out({ to, children }) {
  const href = safe(to);
  if (href === null) return null;
  return h(Link, { href, target: "_blank", rel: "noopener noreferrer", textDecoration: "underline" }, children);
}

export function Problems({ problems }) {
  if (problems.length === 0) return null;
  return h(
    Box,
    { role: "alert", borderWidth: 1, borderColor: "red.solid", rounded: "md", p: 3, mb: 4, bg: "bg.subtle", css: LINES },
    h(Text, { fontWeight: "bold" }, "Not everything could be read"),
    problems.map((problem) => h(Text, { key: problem }, problem)),
  );
}

export function Waiting({ error }) {
  return error ? h(Problems, { problems: [error] }) : h(Flex, { role: "status", gap: 2, p: 4 }, h(Spinner), "Reading…");
}

const WORDS = {
  well: { color: "green", sign: "✓", said: "Well" },
  look: { color: "yellow", sign: "!", said: "Look" },
  sick: { color: "red", sign: "✗", said: "Sick" },
  unknown: { color: "gray", sign: "?", said: "Unknown" },
};

export function Health({ health }) {
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

export function Verdict({ verdict }) {
  const color = { PASS: "green", FAIL: "red", ERROR: "red" }[verdict] ?? "yellow";
  return h(Badge, { colorPalette: color, variant: "surface" }, verdict);
}

const STATES = { SUCCEEDED: "green", ROLLED_BACK: "orange", ROLLBACK_FAILED: "red", REJECTED: "orange" };

export function State({ state }) {
  return h(Badge, { colorPalette: STATES[state] ?? "blue", variant: "surface" }, state.replaceAll("_", " ").toLowerCase());
}

// Shares of traffic as one bar; the words beside it say the same.
export function Traffic({ traffic }) {
  const shares = Object.entries(traffic ?? {}).filter(([, share]) => share > 0);
  if (traffic === null) return h(Text, null, "Live traffic: cannot be read");
  if (shares.length === 0) return h(Text, null, "Live traffic: nobody answers");
  const told = shares.map(([version, share]) => `${share} % to version ${version}`).join(", ");
  let left = 0;
  const bars = shares.map(([version, share], place) => {
    const x = left;
    left += share;
    return h("rect", { key: version, x, y: 0, width: share, height: 6, fill: "currentColor", opacity: Math.max(0.2, 1 - 0.55 * place) });
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
export function who(actor) {
  if (!actor.dag) return actor.user ?? "nobody known";
  return actor.user ? `${actor.user}, in ${actor.dag}` : actor.dag;
}

export const moved = (release) =>
  release.from === null || release.from === release.to ? `version ${release.to}` : `version ${release.from} → ${release.to}`;

export function Check({ check }) {
  if (!check) return null;
  return h(Text, { mt: 2, fontSize: "sm" }, "Last check ", h(Verdict, { verdict: check.verdict }), " ", h(Moment, { at: check.at }));
}

export function Evaluated({ found }) {
  if (!found) return null;
  const against = found.champion || "a constant prediction";
  return h(Text, { mt: 2, fontSize: "sm", css: LINES }, `Evaluated against ${against} `, h(Verdict, { verdict: found.verdict }), ` ${found.reason}`);
}

export function Drift({ drift }) {
  if (!drift) return null;
  return h(Text, { mt: 2, fontSize: "sm", css: LINES }, `Drift ${drift.found} `, h(Out, { to: drift.page }, "Drift report"));
}

// A number over the looks of one entry: the candidate as a line, what served beside it dashed.
function Plot({ title, looks, of, format }) {
  const candidate = looks.map((look) => of(look, 0));
  const baseline = looks.map((look) => of(look, 1));
  const known = [...candidate, ...baseline].filter((value) => value !== null && value !== undefined);
  if (known.length === 0) return null;
  const most = Math.max(...known);
  const low = Math.min(...known, 0);
  const top = Math.max(most, 0) - low || 1;
  const x = (place) => (looks.length === 1 ? 110 : 8 + (place * 204) / (looks.length - 1));
  const y = (value) => 62 - (54 * (value - low)) / top;
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
      h("line", { x1: 4, x2: 216, y1: y(0), y2: y(0), stroke: "currentColor", opacity: 0.4 }),
      line(baseline, "5 4", "baseline", "var(--chakra-colors-fg-muted, gray)"),
      line(candidate, undefined, "candidate", "var(--chakra-colors-blue-solid, #3b82f6)"),
    ),
    h(Text, { fontSize: "xs", color: "fg.muted" }, `— candidate ${told(candidate)}`, last(baseline) === undefined ? "" : `   - - beside it ${told(baseline)}`),
  );
}

const short = (value) => (Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));

const percent = (value) => `${short(value * 100)} %`;

const seconds = (value) => (value < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`);

export function Plots({ looks }) {
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
export function Rows({ name, names, rows }) {
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

export function Measurements({ rows, name }) {
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

export const size = (bytes) => {
  const power = bytes > 0 ? Math.min(4, Math.floor(Math.log(bytes) / Math.log(1024))) : 0;
  return `${short(bytes / 1024 ** power)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
};

export function Facts({ title, values }) {
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

export function Metrics({ version, rows, champion }) {
  if (rows.length === 0) return null;
  const names = ["Metric", `Version ${version}`, ...(champion === null ? [] : [`Champion, version ${champion}`, "Difference"])];
  const told = (metric) => [
    metric.name,
    short(metric.value),
    ...(champion === null ? [] : [metric.champion === null ? "–" : short(metric.champion), metric.difference === null ? "–" : signed(metric.difference)]),
  ];
  return h(Rows, { name: `Metrics of version ${version}`, names, rows: rows.map((metric) => ({ key: metric.name, cells: told(metric) })) });
}
