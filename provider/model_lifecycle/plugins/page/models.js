// The Models page inside Airflow: what serves where, since when, is it well, and what to press to go back.
//
// Modules as they are written, on the React, React Router and Chakra UI that Airflow's own page has loaded. Every text
// that comes from a server is given to React as text, and a link only leads to http or https. Airflow before 3.2 shares
// no Chakra UI; there plain.js takes its place.

import { call, core, runPath, pagePath, asking, useAsked, AIRFLOW, PAUSE, FORGOTTEN } from "./asking.js";
import {
  Check,
  Drift,
  Evaluated,
  Facts,
  Health,
  LINES,
  Measurements,
  Metrics,
  Moment,
  Out,
  Plots,
  Problems,
  Rows,
  State,
  Traffic,
  Verdict,
  Waiting,
  moved,
  size,
  who,
} from "./parts.js";
import * as plain from "./plain.js";

const { useEffect, useRef, useState } = globalThis.React;
const { useSearchParams } = globalThis.ReactRouterDOM;
const { Badge, Box, Button, Dialog, Flex, Heading, Input, Link, Portal, Text, Textarea } = globalThis.ChakraUI ?? plain;

const h = globalThis.React.createElement;
const SHOWN = 25;

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
  const q = params.get("q");
  const offset = Number(params.get("offset") ?? 0);
  const { told, error } = useAsked("endpoints", { q, offset, limit: SHOWN });
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
      offset > 0 && h(Button, { variant: "outline", onClick: () => open({ q, offset: Math.max(0, offset - SHOWN) }) }, "Before"),
      offset + SHOWN < total && h(Button, { variant: "outline", onClick: () => open({ q, offset: offset + SHOWN }) }, "Next"),
    ),
  );
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
  const { told, error } = useAsked("releases", { endpoint, before: params.get("before"), limit: SHOWN });
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
  const q = params.get("q");
  const { told, error } = useAsked("models", { q, page: params.get("page"), limit: SHOWN });
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
    told.next !== null && h(Button, { mt: 3, variant: "outline", onClick: () => open({ view: "models", q, page: told.next }) }, "Next"),
  );
}

function Versions({ params, open, me, promote }) {
  const model = params.get("model");
  const { told, error } = useAsked("versions", { model, page: params.get("page"), limit: SHOWN });
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
  const [start, setStart] = useState(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    core(`dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`).then(
      (told) => (told ? setStart(told.start_date ?? told.queued_at ?? told.run_after) : setProblem("You may not look at this DAG run.")),
      (error) => setProblem(error.message),
    );
  }, [dag, run]);
  const { told, error } = useAsked(start && "run", { dag, run, since: start });
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
  const open = (next) => setParams(Object.entries(next).flatMap(([name, value]) => (value ? [[name, String(value)]] : [])));
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
        : h(Search, { key: inModels, value: params.get("q") ?? "", change: (q) => open({ view: inModels && "models", q }) }),
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
