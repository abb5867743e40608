// Runs the page: sends the console's actions to the server, and draws the frames that the server's codec
// reports.
//
// This file knows forms, lists and boxes. It decodes no frame: it draws what the server reports. Text from a
// peer reaches the page as text, never as HTML.

"use strict";

/** How many steps are kept; older ones are only counted. */
const MAX_STEPS = 1000;
/** How many bytes of a payload are shown one by one. */
const MAX_SHOWN_BYTES = 32;
/** How many bytes of a payload fill cells of the diagram. */
const MAX_DIAGRAM_BYTES = 8;
/** How many characters of a text its row shows. */
const MAX_EXCERPT = 60;
/** How many of the browser's messages are kept. */
const MAX_EVENTS = 30;
/** Steps are drawn together, at most this often, in milliseconds. */
const DRAW_EVERY = 40;
/** The shortest time between two announcements to screen readers, in milliseconds. */
const ANNOUNCE_EVERY = 1000;
/** On a page narrower than this, in pixels, a row of the diagram has 16 bits instead of 32. */
const WIDE_DIAGRAM = 620;

const byId = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");
const count = (value, what) => `${number(value)} ${what}${value === 1 ? "" : "s"}`;

/** Invisible characters that change how a text is shown: controls, and marks of the writing direction. */
const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Returns a text with those characters spelled out, except line ends. */
const visible = (text) =>
  text.replace(STEERING, (it) => (it === "\n" ? it : `\\u{${it.codePointAt(0).toString(16)}}`));

/** Returns an element with properties and children; strings become text without invisible characters. */
function make(tag, properties, ...children) {
  const { data, attributes, ...rest } = properties ?? {};
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(attributes ?? {})) made.setAttribute(name, value);
  const shown = children.filter((child) => child !== null);
  made.append(...shown.map((child) => (typeof child === "string" ? visible(child) : child)));
  return made;
}

const unseen = (text) => make("span", { className: "unseen" }, text);

// --- Bytes and bits ----------------------------------------------------------------------------------------------

const bytesOf = (hex) => (hex ?? "").match(/../g)?.map((it) => parseInt(it, 16)) ?? [];
const hexOf = (byte) => byte.toString(16).padStart(2, "0");
const bitsOf = (byte) => byte.toString(2).padStart(8, "0");
const spaced = (bytes) => bytes.map(hexOf).join(" ");
const nibbles = (byte) => bitsOf(byte).replace(/^..../, "$& ");

/** Returns the length of the character that begins with this byte (RFC 3629). */
function characterLength(byte) {
  if (byte < 0xc2 || byte > 0xf4) return 1;
  return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/** How characters without a glyph are written. */
const WRITTEN = { 0x00: "\\0", 0x09: "\\t", 0x0a: "\\n", 0x0d: "\\r", 0x20: "␣" };

/** Returns the characters of some bytes, each with its number of bytes; a dot for a byte outside of any character. */
function charactersOf(bytes) {
  const characters = [];
  for (let at = 0; at < bytes.length; ) {
    const wanted = bytes.slice(at, at + characterLength(bytes[at]));
    let character = { text: "·", length: 1 };
    if (wanted.length === 1 && wanted[0] < 0x7f) {
      character.text = WRITTEN[wanted[0]] ?? (wanted[0] < 0x20 ? "·" : String.fromCodePoint(wanted[0]));
    } else if (wanted.length > 1) {
      try {
        const text = new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(wanted));
        character = { text, length: wanted.length };
      } catch {
        // Not UTF-8, or cut off: a dot replaces the byte.
      }
    }
    characters.push(character);
    at += character.length;
  }
  return characters;
}

/** Returns the bytes that a typed text spells, or null. */
function readHex(text) {
  const digits = text.replace(/0x|[\s,:]/gi, "");
  return /^([0-9a-f]{2})*$/i.test(digits) ? new Uint8Array(bytesOf(digits)) : null;
}

// --- The trace: what the server's codec saw ------------------------------------------------------------------------

const trace = { socket: null, token: null, arrived: [], isDrawing: false };

function openTrace() {
  trace.socket = new WebSocket(`ws${location.protocol === "https:" ? "s" : ""}://${location.host}/trace`);
  trace.socket.onmessage = (event) => receive(JSON.parse(event.data));
  trace.socket.onclose = () => {
    trace.token = null;
    byId("trace-lost").textContent = "The server no longer tells this page what it sees. Reload the page to begin anew.";
    byId("trace-lost").hidden = false;
    showWhatIsPossible();
  };
}

function receive(told) {
  if (told.kind === "trace") {
    trace.token = told.token;
    offerSubprotocols(told.subprotocols);
    offerTooLarge(told.limit);
    showWhatIsPossible();
  } else if (told.kind === "refused") {
    say(`The server refuses: ${told.says}`);
  } else {
    trace.arrived.push(told);
    if (!trace.isDrawing) {
      trace.isDrawing = true;
      // A timer and no animation frame: in the background, animation frames stop.
      setTimeout(draw, DRAW_EVERY);
    }
  }
}

function draw() {
  const steps = trace.arrived;
  trace.arrived = [];
  trace.isDrawing = false;
  addSteps(steps);
  // The server sends only a little more than the page has acknowledged.
  if (trace.socket.readyState === WebSocket.OPEN) trace.socket.send(`seen ${steps.at(-1).n}`);
}

/** Sends the server a command for the session, once the session's number is known. */
function command(verb, ...words) {
  if (session.number === null) session.commands.push([verb, ...words]);
  else trace.socket.send([verb, session.number, ...words].join(" "));
}

// --- The session: what is studied ----------------------------------------------------------------------------------

const session = { socket: null, number: null, commands: [] };

const isOpen = () => session.socket?.readyState === WebSocket.OPEN;
const isBusy = () => session.socket !== null && session.socket.readyState !== WebSocket.CLOSED;

function connect() {
  const offers = byId("subprotocol").value.split(" ").filter(Boolean);
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/session/${trace.token}`, offers);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    say(socket.protocol ? `open, speaking ${socket.protocol}` : "open, with no subprotocol");
    showWhatIsPossible();
  };
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return say(`message: binary, ${count(data.byteLength, "byte")}`);
    // A string counts characters beyond U+FFFF twice.
    const characters = [...data];
    const excerpt = characters.slice(0, MAX_EXCERPT).join("");
    say(`message: text “${excerpt}${characters.length > MAX_EXCERPT ? "…" : ""}”, ${count(characters.length, "character")}`);
  };
  socket.onerror = () => say("error, and no word about what it was");
  socket.onclose = ({ code, reason, wasClean }) => {
    say(`close ${code}${reason && ` “${reason}”`}, ${wasClean ? "clean" : "not clean"}`);
    showWhatIsPossible();
  };
  Object.assign(session, { socket, number: null, commands: [] });
  askForAnswers();
  byId("follow").checked = true;
  showWhatIsPossible();
}

/** Whether a step is the first of the session that this page has just opened, and so has the session's number. */
function takeNumber(step) {
  if (step.kind === "request" && session.number === null && isBusy()) {
    session.number = step.connection;
    for (const words of session.commands) command(...words);
  }
}

/** Applies the console's settings to a new session. */
function askForAnswers() {
  if (!byId("echo").checked) command("echo", "off");
  if (byId("in-fragments").checked) command("fragment", byId("fragment-len").value);
}

// --- The console ---------------------------------------------------------------------------------------------------

function offerSubprotocols(spoken) {
  const options = [["none", ""], ...spoken.map((name) => [name, name])];
  if (spoken.length > 1) options.push([`${spoken.at(-1)}, then ${spoken[0]}`, `${spoken.at(-1)} ${spoken[0]}`]);
  options.push(["one that is not spoken here", "unheard-of"]);
  byId("subprotocol").replaceChildren(...options.map(([text, value]) => make("option", { value }, text)));
}

function offerTooLarge(limit) {
  byId("large").append(make("option", { value: limit + 1 }, `${number(limit + 1)} bytes: over the limit`));
}

/** A disabled button keeps its place and the keyboard focus. */
function showWhatIsPossible() {
  const connectButton = byId("connect");
  connectButton.disabled = false;
  connectButton.setAttribute("aria-disabled", String(trace.token === null || isBusy()));
  for (const button of document.querySelectorAll(".group button")) {
    button.setAttribute("aria-disabled", String(!isOpen()));
  }
}

/** Has a form run an action instead of being sent, if its button is enabled. */
function onSubmit(id, action) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.target.querySelector("button").getAttribute("aria-disabled") === "false") action();
  });
}

onSubmit("connect-form", connect);
onSubmit("text-form", () => session.socket.send(byId("text").value));
onSubmit("binary-form", () => {
  const bytes = readHex(byId("binary").value);
  byId("binary-wrong").textContent = bytes ? "" : "Two hex digits for each byte, please.";
  byId("binary").setAttribute("aria-invalid", String(!bytes));
  if (bytes) session.socket.send(bytes);
});
onSubmit("large-form", () => {
  const length = Number(byId("large").value);
  session.socket.send("0123456789".repeat(Math.ceil(length / 10)).slice(0, length));
});
onSubmit("ping-form", () => command("ping", byId("ping").value));
onSubmit("close-form", () => {
  byId("close-wrong").textContent = "";
  try {
    session.socket.close(Number(byId("close-code").value), byId("close-reason").value);
  } catch (error) {
    byId("close-wrong").textContent = `The browser refuses: ${error.message}`;
  }
});

byId("echo").addEventListener("change", (event) => command("echo", event.target.checked ? "on" : "off"));
for (const id of ["in-fragments", "fragment-len"]) {
  byId(id).addEventListener("change", () => {
    command("fragment", byId("in-fragments").checked ? byId("fragment-len").value : 0);
  });
}

for (const button of document.querySelectorAll(".command")) {
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    const { command: verb, code } = button.dataset;
    if (verb === "close") command("close", byId("close-code").value, byId("close-reason").value);
    else command(verb, ...(code ? [code] : []));
  });
}

/** Adds a line to the browser's messages. */
function say(text) {
  const events = byId("events");
  if (events.firstElementChild?.className === "aside") events.firstElementChild.remove();
  events.append(make("li", null, text));
  while (events.childElementCount > MAX_EVENTS) events.firstElementChild.remove();
  events.scrollTop = events.scrollHeight;
}

// --- The ladder: all steps, one chosen -----------------------------------------------------------------------------

const ladder = byId("ladder");
/** The steps that are kept, each with its row of the ladder as `shown`. */
let steps = [];
let olderSteps = 0;
let chosen = null;
let stepsSoFar = 0;
/** The time of each connection's first step. */
const began = new Map();

function addSteps(added) {
  const rows = document.createDocumentFragment();
  for (const step of added) {
    takeNumber(step);
    if (!began.has(step.connection)) began.set(step.connection, step.time);
    step.position = ++stepsSoFar;
    step.shown = rowOf(step);
    rows.append(step.shown);
    steps.push(step);
  }
  ladder.append(rows);
  forgetOld();
  byId("empty").hidden = steps.length > 0;
  if (byId("follow").checked) {
    choose(steps.at(-1));
    ladder.scrollTop = ladder.scrollHeight;
  } else if (chosen === null) {
    choose(steps[0]);
  }
  announce(added);
}

function forgetOld() {
  const old = steps.splice(0, Math.max(0, steps.length - MAX_STEPS));
  for (const step of old) step.shown.remove();
  olderSteps += old.length;
  byId("older").hidden = olderSteps === 0;
  byId("older").textContent = `${count(olderSteps, "older step")} no longer kept.`;
}

const sideOf = (step) => (step.from === "client" || step.from === "server" ? step.from : "both");

/** Returns the content of a step's row: its name, and details. */
const SUMMARIES = {
  request: (step) => [`GET ${step.target.slice(0, 13)}…`, step.refused ? "refused" : "handshake"],
  response: (step) => [step.lines[0].replace("HTTP/1.1 ", ""), ""],
  body: (step) => ["body", step.text === null ? count(step.length, "byte") : `“${[...step.text].slice(0, MAX_EXCERPT).join("")}”`],
  frame: (step) => [step.name + (step.fin ? "" : ", to be continued"), `${excerpt(step)}`],
  error: (step) => ["broken rule", `${step.section} ${step.says}`],
  end: (step) => ["cut off", step.says],
  gone: () => ["TCP has ended", ""],
  missed: (step) => [`${count(step.count, "step")} not told`, "this page was too slow"],
};

const summaryOf = (step) => (SUMMARIES[step.kind] ?? (() => [step.kind, ""]))(step);

function excerpt(step) {
  if (step.close) return [step.close.code, step.close.reason && `“${step.close.reason}”`].filter(Boolean).join(" ");
  if (step.length === 0) return "empty";
  const text = step.text?.slice(0, MAX_EXCERPT);
  if (text === undefined) return count(step.length, "byte");
  return step.text.length > text.length || step.cut ? `“${text}…” ${count(step.length, "byte")}` : `“${text}”`;
}

function rowOf(step) {
  const [name, more] = summaryOf(step);
  const side = sideOf(step);
  const wrong = step.kind === "error" ? " wrong" : "";
  const which = step.connection !== undefined && step.connection !== session.number ? ` #${step.connection}` : "";
  const time = step.time === undefined ? "" : `${(step.time - began.get(step.connection)).toFixed(3)} s`;
  const arrow = { client: "→ ", server: "← ", both: "" }[side];
  const row = make(
    "div",
    { className: `step ${side}${wrong}`, tabIndex: -1, data: { kind: step.kind }, attributes: { role: "option", "aria-selected": "false" } },
    make(
      "div",
      { className: "head" },
      make(
        "span",
        null,
        side === "both" ? null : make("span", { attributes: { "aria-hidden": "true" } }, arrow),
        side === "both" ? null : unseen(`${side}: `),
        make("span", { className: "name" }, name + which),
        more ? make("span", { className: "more" }, ` ${more}`) : null,
      ),
      make("span", { className: "time" }, time),
    ),
  );
  row.addEventListener("click", () => chooseByHand(step));
  return row;
}

/** Selects a step: marks it, and draws it in detail. */
function choose(step) {
  for (const [row, isChosen] of [[chosen?.shown, false], [step.shown, true]]) {
    row?.setAttribute("aria-selected", String(isChosen));
    if (row) row.tabIndex = isChosen ? 0 : -1;
  }
  chosen = step;
  drawFigure();
}

/** Selects the newest step as it arrives, as long as the newest is selected. */
function chooseByHand(step) {
  byId("follow").checked = step === steps.at(-1);
  choose(step);
  step.shown.focus();
}

ladder.addEventListener("keydown", (event) => {
  const at = steps.indexOf(chosen);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: steps.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  chooseByHand(steps[Math.max(0, Math.min(to, steps.length - 1))]);
});

byId("follow").addEventListener("change", (event) => {
  if (event.target.checked && steps.length > 0) {
    choose(steps.at(-1));
    ladder.scrollTop = ladder.scrollHeight;
  }
});

byId("clear").addEventListener("click", () => {
  Object.assign(trace, { arrived: [] });
  [steps, olderSteps, chosen] = [[], 0, null];
  ladder.replaceChildren();
  byId("older").hidden = true;
  byId("empty").hidden = false;
  byId("figure").replaceChildren(make("p", { className: "aside" }, "What you choose is explained here."));
  light(null);
});

const unannounced = [];

/** Informs screen readers, in few words and at a limited rate. */
function announce(added) {
  if (unannounced.length === 0) setTimeout(speak, ANNOUNCE_EVERY);
  unannounced.push(...added);
}

function speak() {
  const last = unannounced.at(-1);
  const others = unannounced.length - 1;
  unannounced.length = 0;
  const sender = last.from ? `${last.from}: ` : "";
  byId("announcement").textContent = visible(
    `${sender}${summaryOf(last).filter(Boolean).join(", ")}${others > 0 ? `, after ${count(others, "other step")}` : ""}`,
  );
}

// --- In detail -----------------------------------------------------------------------------------------------------

/** Highlights the state of the connection (§7.1). */
function light(state) {
  for (const item of byId("states").children) {
    if (item.dataset.state === state) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
}

const FIGURES = { request: requestFigure, response: responseFigure, frame: frameFigure, error: errorFigure };

function drawFigure() {
  if (chosen === null) return;
  const parts = (FIGURES[chosen.kind] ?? plainFigure)(chosen);
  byId("figure").replaceChildren(...parts.filter((part) => part !== null));
  light(chosen.kind === "gone" || chosen.kind === "end" ? "closed" : chosen.state);
}

let drawnColumns = 0;
const columnsNow = () => (byId("figure").clientWidth < WIDE_DIAGRAM ? 16 : 32);
new ResizeObserver(() => {
  if (columnsNow() !== drawnColumns) drawFigure();
}).observe(byId("figure"));

function titleOf(step, text) {
  const side = sideOf(step);
  const to = side === "client" ? "server" : "client";
  return make(
    "h3",
    null,
    `${step.position}. ${text}`,
    side === "both" ? null : ", ",
    side === "both" ? null : make("span", { className: `side ${side}-ink` }, `${side} to ${to}`),
  );
}

/** A section of the RFC, linked to its row or its rows. */
function sectionLink(section, row) {
  const anchor = row ?? section.replace("§", "section-");
  return make(
    "a",
    { className: "section", href: `/rfc6455#${encodeURIComponent(anchor)}`, target: "_blank", rel: "noopener" },
    section,
    unseen(" (opens in a new tab)"),
  );
}

/** The rule that was applied. Other documents' sections, such as "RFC 9110 §9.3", have no row here. */
function ruleOf(section, says, row, className = "rule") {
  const link = section?.startsWith("§") ? sectionLink(section, row) : section;
  return make("p", { className }, ...(link ? [link, " "] : []), says);
}

function titled(title, ...parts) {
  return make("section", null, make("h4", null, title), ...parts);
}

function factsOf(pairs) {
  const facts = make("dl", { className: "facts" });
  for (const [name, value, className] of pairs) {
    facts.append(make("dt", null, name), make("dd", { className: className ?? "" }, value));
  }
  return facts;
}

function plainFigure(step) {
  const [name, more] = summaryOf(step);
  return [titleOf(step, name), make("p", null, PLAIN[step.kind] ?? more)];
}

const PLAIN = {
  body: "The body that the head announces (RFC 9112 §6). No frames follow it: the head has opened no connection.",
  gone: "The TCP connection is closed. With a Close from both sides before it, this is a clean end (§7.1.4); without one the "
    + "other side reports 1006 (§7.1.5).",
  missed: "The server keeps only so much for a page that does not say it has seen it. What came meanwhile is counted, not kept.",
};

// --- Frames --------------------------------------------------------------------------------------------------------

function frameFigure(step) {
  const title = step.name[0].toUpperCase() + step.name.slice(1);
  return [
    make("div", null, titleOf(step, `${title} frame`), ruleOf(step.rule, step.says, step.row)),
    diagramOf(step, bytesOf(step.header)),
    frameFacts(step),
    payloadOf(step),
  ];
}

function errorFigure(step) {
  const answer = step.answer ? bytesOf(step.answer) : [];
  const reason = new TextDecoder().decode(new Uint8Array(answer.slice(4)));
  return [
    make(
      "div",
      null,
      titleOf(step, "A broken rule"),
      ruleOf(step.section, step.says, step.row, "rule broken"),
    ),
    step.header ? diagramOf(step, bytesOf(step.header)) : null,
    factsOf([
      ["offending bytes", spaced(bytesOf(step.bytes)), "bytes"],
      ["answered with", `${step.code ?? ""} ${reason}`.trim()],
      ["as a Close frame", spaced(answer), "bytes"],
    ]),
  ];
}

function frameFacts(step) {
  const header = bytesOf(step.header);
  const forms = { 0: "the 7 bits hold it", 4: "the 7 bits hold 126, so the next 16 do", 16: "the 7 bits hold 127, so the next 64 do" };
  const pairs = [
    ["header", spaced(header), "bytes header-bytes"],
    ["payload length", `${count(step.length, "byte")}; ${forms[(step.extended ?? "").length]}`],
  ];
  if (step.key) pairs.push(["masking key", spaced(bytesOf(step.key)), "bytes"]);
  if (step.close) {
    pairs.push(["close code", `${step.close.code} ${step.close.name ?? ""}`.trim()]);
    pairs.push(["reason", step.close.reason ? `“${step.close.reason}”` : "none"]);
  }
  pairs.push(["at byte", `${number(step.offset)} of what the ${step.from} has sent`]);
  return factsOf(pairs);
}

/** Returns the fields of §5.2 with their bits. */
function fieldsOf(step, header) {
  const first = bitsOf(header[0]);
  const fields = [
    { label: "FIN", bits: first[0] },
    { label: "RSV1", bits: first[1] },
    { label: "RSV2", bits: first[2] },
    { label: "RSV3", bits: first[3] },
    { label: "opcode", bits: first.slice(4), value: `0x${(header[0] & 0xf).toString(16)} ${step.name}` },
  ];
  if (header.length < 2) return fields;
  const second = bitsOf(header[1]);
  fields.push({ label: "MASK", bits: second[0] });
  fields.push({ label: "payload length", bits: second.slice(1), value: number(parseInt(second.slice(1), 2)) });
  const extended = bytesOf(step.extended);
  if (extended.length > 0) {
    const bits = extended.map(bitsOf).join("");
    fields.push({ label: "extended payload length", bits, value: step.length === null ? "" : number(step.length) });
  }
  bytesOf(step.key).forEach((byte, at) => {
    fields.push({ label: `key ${at}`, bits: bitsOf(byte), value: hexOf(byte), kind: "key" });
  });
  bytesOf(step.masked ?? step.payload).slice(0, MAX_DIAGRAM_BYTES).forEach((byte, at) => {
    fields.push({ label: `data ${at}`, bits: bitsOf(byte), value: hexOf(byte), kind: `data ${step.from}` });
  });
  return fields;
}

/** Draws the picture of §5.2 with the bits filled in. A field can continue in the next row. */
function diagramOf(step, header) {
  const columns = (drawnColumns = columnsNow());
  const fields = fieldsOf(step, header);
  const diagram = make("div", { className: "diagram", attributes: { "aria-hidden": "true" } });
  diagram.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  let at = 0;
  for (const field of fields) {
    for (let from = 0; from < field.bits.length; ) {
      const length = Math.min(columns - (at % columns), field.bits.length - from);
      diagram.append(cellOf(field, from, length));
      from += length;
      at += length;
    }
  }
  const rest = (step.length ?? 0) - Math.min(bytesOf(step.masked ?? step.payload).length, MAX_DIAGRAM_BYTES);
  if (rest > 0) {
    const cell = make("div", { className: "cell rest" }, `${count(rest, "byte")} more${step.kind === "error" ? " announced" : ""}`);
    cell.style.gridColumn = `span ${columns - (at % columns)}`;
    diagram.append(cell);
  }
  const inWords = fields.map((it) => `${it.label} ${it.bits}${it.value ? `, ${it.value}` : ""}`).join("; ");
  return make("figure", null, rulerOf(columns), diagram, unseen(`The frame’s bits: ${inWords}.`));
}

function rulerOf(columns) {
  const ruler = make("div", { className: "ruler", attributes: { "aria-hidden": "true" } });
  ruler.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  for (let bit = 0; bit < columns; bit++) ruler.append(make("span", null, String(bit)));
  return ruler;
}

function cellOf(field, from, length) {
  const isFirst = from === 0;
  const bits = make("div", { className: "bits" });
  for (const bit of field.bits.slice(from, from + length)) {
    bits.append(make("span", { className: bit === "0" ? "zero" : "" }, bit));
  }
  const isBit = field.bits.length === 1;
  const cell = make(
    "div",
    { className: `cell ${isBit ? "bit" : ""} ${field.kind ?? ""}` },
    make("div", { className: "label" }, isFirst ? field.label : "continued"),
    bits,
    make("div", { className: "value" }, isFirst ? field.value ?? "" : ""),
  );
  cell.style.gridColumn = `span ${length}`;
  return cell;
}

// --- Payloads ------------------------------------------------------------------------------------------------------

function payloadOf(step) {
  const plain = bytesOf(step.payload).slice(0, MAX_SHOWN_BYTES);
  if (plain.length === 0) return null;
  const rest = step.length - plain.length;
  const more = rest > 0 ? make("p", { className: "aside" }, `${count(rest, "byte")} more, in the same way.`) : null;
  const tables = payloadTables(step, plain);
  if (!step.key) return titled("The payload, not masked: a server never masks (§5.1)", ...tables, more);
  const masked = bytesOf(step.masked)[0];
  const key = bytesOf(step.key)[0];
  const example = `${nibbles(masked)} ⊕ ${nibbles(key)} = ${nibbles(masked ^ key)}`;
  return titled(
    "The payload unmasked: each byte ⊕ the key’s byte of the same place, in turn (§5.3)",
    ...tables,
    more,
    make("p", { className: "aside example" }, "Byte 0, bit by bit: ", make("span", { className: "bytes" }, example)),
  );
}

/** Draws tables as wide as fits, one below the other. */
function payloadTables(step, plain) {
  const perTable = columnsNow() === 32 ? 16 : 8;
  const masked = bytesOf(step.masked);
  const key = bytesOf(step.key);
  const letters = lettersOf(plain);
  const tables = [];
  for (let from = 0; from < plain.length; from += perTable) {
    const places = plain.slice(from, from + perTable).map((_, at) => from + at);
    const rows = step.key
      ? [
          ["on the wire", "wire-row", places.map((at) => hexOf(masked[at]))],
          ["⊕ key", "key-row", places.map((at) => hexOf(key[at % 4]))],
          ["= payload", "plain-row", places.map((at) => hexOf(plain[at]))],
        ]
      : [["on the wire", "plain-row", places.map((at) => hexOf(plain[at]))]];
    tables.push(payloadTable(places, rows, letters));
  }
  return tables;
}

function payloadTable(places, rows, letters) {
  const cells = (values) => values.map((value) => make("td", null, value));
  const heading = (text) => make("th", { scope: "row" }, text);
  const table = make("table", { className: "bytes-table" }, make("tr", { className: "index" }, heading("byte"), ...cells(places.map(String))));
  for (const [name, className, values] of rows) table.append(make("tr", { className }, heading(name), ...cells(values)));
  const characters = make("tr", { className: "letters" }, heading("character"));
  for (let at = places[0]; at <= places.at(-1); ) {
    const span = Math.min(letters[at].length, places.at(-1) + 1 - at);
    characters.append(make("td", { colSpan: span }, letters[at].text));
    at += span;
  }
  table.append(characters);
  return table;
}

/** Returns for each byte the character that begins there, or the rest of the one before. */
function lettersOf(bytes) {
  const letters = [];
  for (const { text, length } of charactersOf(bytes)) {
    for (let left = length; left > 0; left--) letters.push({ text: left === length ? text : "…", length: left });
  }
  return letters;
}

// --- The opening handshake -----------------------------------------------------------------------------------------

function requestFigure(step) {
  return [
    make("div", null, titleOf(step, "Opening handshake: the request"), refusalOf(step)),
    make("pre", { className: "head-lines", tabIndex: 0, attributes: { role: "group", "aria-label": "Request head" } }, step.lines.join("\n")),
    step.accept ? titled("The accept key, worked out (§4.2.2)", derivationOf(step.accept)) : null,
    titled("What the server checks", checksOf(step.checks)),
  ];
}

function refusalOf(step) {
  if (!step.refused) return null;
  return make("p", { className: "rule broken" }, `Refused with ${step.refused.status}: ${step.refused.says}`);
}

function responseFigure(step) {
  return [
    titleOf(step, "Opening handshake: the response"),
    make("pre", { className: "head-lines", tabIndex: 0, attributes: { role: "group", "aria-label": "Response head" } }, step.lines.join("\n")),
    titled("What the client checks", checksOf(step.checks)),
  ];
}

function checksOf(checks) {
  const items = (checks ?? []).map(({ section, says, ok }) =>
    make(
      "li",
      { className: ok ? "" : "broken" },
      make("span", { className: "mark", attributes: { "aria-hidden": "true" } }, ok ? "✓" : "✗"),
      make("span", null, section.startsWith("§") ? sectionLink(section, null) : section, ` ${says}`, unseen(ok ? ": holds" : ": is broken")),
    ),
  );
  return make("ul", { className: "checks" }, ...items);
}

function derivationOf({ key, guid, sha1, accept }) {
  const stage = (text, value, className = "") =>
    make("li", null, text, make("span", { className: `is bytes ${className}` }, value));
  return make(
    "ol",
    { className: "derivation" },
    stage("The browser’s key, 16 random bytes in base64", key, "nonce"),
    stage("with the string appended that every server knows (§1.3)", key + guid),
    stage("SHA-1 of that, 20 bytes", spaced(bytesOf(sha1)), "sha1"),
    stage("and those in base64: the value of Sec-WebSocket-Accept", accept, "accept"),
  );
}

// --- Begin ---------------------------------------------------------------------------------------------------------

// On a narrow page the wire stays near the console.
if (matchMedia("(max-width: 46rem)").matches) {
  for (const group of document.querySelectorAll("details.group")) group.open = false;
}
openTrace();
