// Stands in for Chakra UI where Airflow does not share its own (before 3.2): the same names on plain HTML.
//
// Spacing, sizes and colours are Chakra's tokens as CSS knows them, which Airflow's page brings in light and in dark.

const { createElement, useEffect, useRef } = globalThis.React;

const SIZES = { xs: "0.75rem", sm: "0.875rem", md: "1rem", lg: "1.125rem", xl: "1.25rem" };
const SIDES = {
  p: ["padding"],
  px: ["paddingInline"],
  py: ["paddingBlock"],
  pb: ["paddingBottom"],
  ps: ["paddingInlineStart"],
  mb: ["marginBottom"],
  mt: ["marginTop"],
  mx: ["marginInline"],
  ms: ["marginInlineStart"],
  w: ["width"],
  minW: ["minWidth"],
  maxW: ["maxWidth"],
  h: ["height"],
  gap: ["gap"],
};
const AS_IT_IS = ["display", "flex", "fontWeight", "gridTemplateColumns", "listStyleType", "overflowX", "overflowY", "textAlign", "textDecoration", "whiteSpace"];

const color = (token) => `var(--chakra-colors-${token.replace(".", "-")}, currentColor)`;
const length = (value) => (typeof value === "number" ? `${value / 4}rem` : value);
// Of a value for each width of the window, that of the narrowest.
const narrow = (value) => value?.base ?? value;

function styled(props) {
  const style = {};
  const rest = {};
  for (const [name, given] of Object.entries(props)) {
    const value = narrow(given);
    if (SIDES[name]) SIDES[name].forEach((side) => (style[side] = length(value)));
    else if (AS_IT_IS.includes(name)) style[name] = value;
    else if (name === "color" || name === "borderColor") style[name] = color(value);
    else if (name === "bg") style.background = color(value);
    else if (name === "fontSize") style.fontSize = SIZES[value];
    else if (name === "rounded") style.borderRadius = "0.375rem";
    else if (name === "borderWidth") Object.assign(style, { border: `${value}px solid`, borderColor: style.borderColor ?? color("border") });
    else if (name === "borderBottomWidth") style.borderBottom = `${value}px solid ${color("border")}`;
    else if (name === "borderInlineStartWidth") style.borderInlineStart = `${value}px solid ${color("border")}`;
    else if (name === "css" || name === "style") Object.assign(style, given);
    else rest[name] = given;
  }
  return { ...rest, style };
}

const element = (tag, base = {}) =>
  function Plain({ as, ...props }) {
    const { style, ...rest } = styled(props);
    return createElement(as ?? tag, { ...rest, style: { ...base, ...style } });
  };

const box = element("div");
const field = { width: "100%", padding: "0.5rem", font: "inherit", color: "inherit", background: "transparent", border: `1px solid ${color("border.emphasized")}`, borderRadius: "0.375rem" };
const tinted = (palette) => ({ color: color(`${palette}.fg`), background: color(`${palette}.subtle`), border: `1px solid ${color(`${palette}.muted`)}` });

export const Box = box;
export const Text = element("p", { margin: 0 });
export const Input = element("input", field);
export const Textarea = element("textarea", field);
export const Link = element("a");
export const Spinner = () => createElement("span", { "aria-hidden": true }, "…");

export function Flex({ direction, wrap, align, justify, style, ...props }) {
  const flex = { display: "flex", flexDirection: direction, flexWrap: wrap, alignItems: align, justifyContent: justify };
  return createElement(box, { ...props, style: { ...flex, ...style } });
}

export function Heading({ size, as, ...props }) {
  const { style, ...rest } = styled(props);
  return createElement(as, { ...rest, style: { margin: 0, fontWeight: "bold", fontSize: SIZES[size], ...style } });
}

export function Badge({ colorPalette = "gray", variant, size, ...props }) {
  const { style, ...rest } = styled(props);
  const look = { ...tinted(colorPalette), display: "inline-block", padding: "0 0.4rem", borderRadius: "0.25rem", fontSize: size === "lg" ? "0.875rem" : "0.75rem" };
  return createElement("span", { ...rest, style: { ...look, ...style } });
}

export function Button({ colorPalette = "gray", variant, size, disabled, ...props }) {
  const { style, ...rest } = styled(props);
  const plain = variant === "plain" || variant === "ghost";
  const look = { ...tinted(colorPalette), padding: "0.375rem 0.75rem", borderRadius: "0.375rem", font: "inherit", fontSize: "0.875rem" };
  if (plain) Object.assign(look, { background: "none", border: 0, color: "inherit" });
  if (variant === "solid") Object.assign(look, { fontWeight: "bold", textDecoration: "underline" });
  const state = { cursor: disabled ? "not-allowed" : "pointer", opacity: disabled ? 0.5 : 1 };
  return createElement("button", { type: "button", ...rest, disabled, style: { ...look, ...state, ...style } });
}

const cell = { padding: "0.5rem", textAlign: "start", verticalAlign: "top", borderBottom: `1px solid ${color("border")}` };
const heading = element("th", { ...cell, fontWeight: "bold" });
export const Table = {
  Root: ({ size, ...props }) => createElement("table", { ...props, style: { width: "100%", borderCollapse: "collapse", fontSize: "0.875rem" } }),
  Header: element("thead"),
  Body: element("tbody"),
  Row: element("tr"),
  Cell: element("td", cell),
  ColumnHeader: (props) => createElement(heading, { scope: "col", ...props }),
};

// The browser's own dialog: it keeps the focus inside and closes with Escape.
function Root({ role, initialFocusEl, onOpenChange, children }) {
  const dialog = useRef(null);
  useEffect(() => {
    dialog.current.showModal();
    initialFocusEl()?.focus();
  }, []);
  const look = { margin: "auto", padding: "1.25rem", width: "32rem", maxWidth: "95vw", color: color("fg"), background: color("bg"), border: `1px solid ${color("border")}`, borderRadius: "0.375rem" };
  return createElement("dialog", { ref: dialog, role, style: look, "aria-labelledby": "plain-title", onClose: () => onOpenChange({ open: false }) }, children);
}

const through = ({ children }) => children;
export const Portal = through;
export const Dialog = {
  Root,
  Backdrop: () => null,
  Positioner: through,
  Content: through,
  Header: element("header", { marginBottom: "1rem" }),
  Title: (props) => createElement(Heading, { as: "h2", size: "lg", id: "plain-title", ...props }),
  Body: box,
};
