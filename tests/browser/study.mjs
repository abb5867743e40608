// Does in a browser what a person does on the page of `wirehook study`, and holds what the page shows against bytes that
// are worked out here.
//
// This file knows the page's parts and RFC 6455's arithmetic. It refuses to know how the page does its work, but for the
// flood, for which a person's fingers are too slow.
//
//   node study.mjs URL BROWSER FOLDER    FOLDER has node_modules, and gets the screenshots

import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const [url, browserPath, folder] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");

const PATIENCE = 30_000;
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

// --- Checks ------------------------------------------------------------------------------------------------------

let passed = 0;
const failures = [];

function check(what, holds, found) {
  if (holds) {
    passed += 1;
    return;
  }
  failures.push(what);
  console.log(`not ok: ${what}${found === undefined ? "" : `\n    found ${JSON.stringify(found)}`}`);
}

const same = (what, found, expected) =>
  check(`${what}: expected ${JSON.stringify(expected)}`, JSON.stringify(found) === JSON.stringify(expected), found);

const hex = (bytes) => [...bytes].map((it) => it.toString(16).padStart(2, "0"));
const bits = (bytes) => [...bytes].map((it) => it.toString(2).padStart(8, "0")).join("");

// --- A page ------------------------------------------------------------------------------------------------------

/** Complaints of the browser, and requests to anywhere else than the server. */
const complaints = [];
const strayed = [];

async function open(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  const host = new URL(url).host;
  const watch = (asked) => new URL(asked).host === host || asked.startsWith("data:") || strayed.push(asked);
  page.on("request", (request) => watch(request.url()));
  page.on("websocket", (socket) => watch(socket.url()));
  await page.goto(url);
  await page.waitForSelector('#connect[aria-disabled="false"]');
  return page;
}

/** Waits until the last step is one whose row has this text, and returns how many steps there are. */
async function until(page, text) {
  await page.waitForFunction((it) => document.querySelector("#ladder > :last-child")?.textContent.includes(it), text);
  return page.locator(".step").count();
}

const rows = (page) => page.locator(".step").evaluateAll((all) => all.map((it) => it.textContent));

/** Chooses the step with this place, counted from the end if it is negative, and reads what is shown of it. */
async function detail(page, place) {
  const steps = page.locator(".step");
  const at = place < 0 ? (await steps.count()) + place : place;
  await steps.nth(at).click();
  return page.evaluate(() => {
    const figure = document.getElementById("figure");
    const text = (selector) => figure.querySelector(selector)?.textContent ?? null;
    const facts = Object.fromEntries(
      [...figure.querySelectorAll("dt")].map((it) => [it.textContent, it.nextElementSibling.textContent]),
    );
    const cells = (name) => [...figure.querySelectorAll(`tr.${name} td`)].map((it) => it.textContent);
    return {
      title: text("h3"),
      rule: text(".rule"),
      link: figure.querySelector(".rule a")?.getAttribute("href") ?? null,
      facts,
      bits: [...figure.querySelectorAll(".cell .bits > span")].map((it) => it.textContent).join(""),
      labels: [...figure.querySelectorAll(".cell .label")].map((it) => it.textContent),
      wire: cells("wire-row"),
      key: cells("key-row"),
      plain: cells("plain-row"),
      letters: cells("letters").join(""),
      more: text(".cell.rest"),
      head: text(".head-lines"),
      checks: [...figure.querySelectorAll(".checks li")].map((it) => it.textContent),
      derivation: [...figure.querySelectorAll(".derivation .is")].map((it) => it.textContent),
      state: document.querySelector(".states [aria-current]")?.dataset.state ?? null,
    };
  });
}

/** Holds a frame of the client against the payload that was sent in it. */
async function checkClientFrame(page, place, { first, lengthBytes, payload }) {
  const shown = await detail(page, place);
  const what = `the client's frame of ${payload.length} bytes`;
  const header = (shown.facts.header ?? "").split(" ").map((it) => parseInt(it, 16));
  const key = header.slice(-4);
  same(`${what}: its header`, header.slice(0, -4), [first, ...lengthBytes]);
  same(`${what}: its masking key`, shown.facts["masking key"], hex(key).join(" "));
  // §5.3: "octet i of the transformed data is the XOR of octet i of the original data with octet at index i modulo 4".
  const masked = payload.map((byte, i) => byte ^ key[i % 4]);
  const some = Math.min(32, payload.length);
  same(`${what}: masked`, shown.wire, hex(masked.slice(0, some)));
  same(`${what}: the key in turn`, shown.key, hex(payload.slice(0, some).map((_, i) => key[i % 4])));
  same(`${what}: unmasked`, shown.plain, hex(payload.slice(0, some)));
  same(`${what}: bit by bit`, shown.bits, bits([...header, ...masked.slice(0, 8)]));
  check(`${what}: the diagram says how much more there is`, (shown.more !== null) === payload.length > 8, shown.more);
  check(`${what}: its rule is linked`, /^\/rfc6455#s[\d.]+-\d+$/.test(shown.link ?? ""), shown.link);
  return shown;
}

async function connect(page, subprotocol = "") {
  await page.selectOption("#subprotocol", subprotocol);
  await page.click("#connect");
  await page.waitForSelector('#text-form button[aria-disabled="false"]');
  return until(page, "101 Switching Protocols");
}

const send = (page, form) => page.click(`${form} button`);
const lastEvent = (page) => page.locator("#events li").last().textContent();
const eventually = (page, text) =>
  page
    .waitForFunction((it) => document.querySelector("#events").textContent.includes(it), text)
    .catch(async () => check(`the browser says: ${text}`, false, await page.locator("#events li").allTextContents()));

// --- What is done there --------------------------------------------------------------------------------------------

/** The whole way with Tab, Enter, letters and arrows only. */
async function useTheKeyboardOnly(page) {
  const tabTo = async (id) => {
    for (let presses = 0; presses < 40; presses++) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((it) => document.activeElement.id === it, id)) return;
    }
    throw new Error(`Tab does not lead to ${id}`);
  };
  await page.keyboard.press("Tab");
  same("the first stop is the way around the console", await page.evaluate(() => document.activeElement.className), "skip");
  await tabTo("subprotocol");
  await tabTo("connect");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  check("focus can be seen", outline !== "none", outline);
  await page.keyboard.press("Enter");
  await until(page, "101");
  same("focus stays where it was", await page.evaluate(() => document.activeElement.id), "connect");
  await tabTo("text");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("by keyboard");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll(".step").length === 4);
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.classList.contains("step"))) break;
  }
  const focused = () => page.evaluate(() => [document.activeElement.dataset.kind, document.querySelector("#figure h3").textContent]);
  same("one Tab for all steps", (await focused())[0], "frame");
  await page.keyboard.press("Home");
  check("Home goes to the first", (await focused())[1].includes("the request"), await focused());
  await page.keyboard.press("ArrowDown");
  check("an arrow to the next", (await focused())[1].includes("the response"), await focused());
  await page.waitForFunction(() => document.getElementById("announcement").textContent.includes("by keyboard"));
}

/** Opens URLs with the characters that the URL standard leaves as they are: no browser may be refused for them. */
async function openUnencodedUrls(page) {
  const found = await page.evaluate(async () => {
    const query = "a[]={b|c}^`\\&d=%zz&e=100%";
    const statusOf = async (target) => (await fetch(target)).status;
    const opens = (target) =>
      new Promise((done) => {
        const socket = new WebSocket(`ws://${location.host}${target}`);
        socket.onopen = () => done(true) || socket.close();
        socket.onerror = () => done(false);
      });
    return {
      search: new URL(`/?${query}`, location.href).search,
      pageWithQuery: await statusOf(`/?${query}`),
      socketWithQuery: await opens(`/trace?${query}`),
    };
  });
  same("the browser leaves a query as it is", found.search, "?a[]={b|c}^`\\&d=%zz&e=100%");
  same("a page with such a query", found.pageWithQuery, 200);
  same("a WebSocket with such a query opens", found.socketWithQuery, true);
}

async function seeTheHandshake(page, accepted) {
  await connect(page, "echo.v2");
  const request = await detail(page, 0);
  const key = request.head.match(/^Sec-WebSocket-Key: (.*)$/m)[1];
  const sha1 = createHash("sha1").update(key + GUID).digest();
  const accept = sha1.toString("base64");
  same("the accept key, step by step", request.derivation, [key, key + GUID, hex(sha1).join(" "), accept]);
  check("the rules of a request are ticked off", request.checks.length > 5 && request.checks.every((it) => it.includes("✓")), request.checks);
  same("before the response", request.state, "connecting");
  const response = await detail(page, 1);
  check("the response has the accept key", response.head.includes(`Sec-WebSocket-Accept: ${accept}`), response.head);
  check("the response has the subprotocol", response.head.includes("Sec-WebSocket-Protocol: echo.v2"), response.head);
  check("the rules of a response are ticked off", response.checks.length > 2 && response.checks.every((it) => it.includes("✓")), response.checks);
  same("after it", response.state, "open");
  same("what the browser itself has received", accepted.at(-1), accept);
  await eventually(page, "open, speaking echo.v2");
}

async function sendMessages(page) {
  await page.fill("#text", "Hello");
  await send(page, "#text-form");
  await page.waitForFunction(() => document.querySelectorAll(".step").length === 4);
  const hello = [...Buffer.from("Hello")];
  const shown = await checkClientFrame(page, 2, { first: 0x81, lengthBytes: [0x85], payload: hello });
  same("the fields of §5.2", shown.labels.slice(0, 7), ["FIN", "RSV1", "RSV2", "RSV3", "opcode", "MASK", "payload length"]);
  same("Hello in letters", shown.letters, "Hello");
  same("its rule", shown.rule?.split(" ")[0].replace(/\(.*/, ""), "§5.6");
  const echo = await detail(page, 3);
  same("the echo's header", echo.facts.header, "81 05");
  same("the echo's bits", echo.bits, bits([0x81, 0x05, ...hello]));
  same("a server has no key", [echo.key, echo.facts["masking key"]], [[], undefined]);

  await page.fill("#binary", "00 ff 80 7f");
  await send(page, "#binary-form");
  await until(page, "binary");
  await page.waitForFunction(() => document.querySelectorAll(".step").length === 6);
  await checkClientFrame(page, 4, { first: 0x82, lengthBytes: [0x84], payload: [0x00, 0xff, 0x80, 0x7f] });
  await page.fill("#binary", "0");
  await send(page, "#binary-form");
  check("half a byte is refused", (await page.textContent("#binary-wrong")).includes("Two hex digits"));

  const digits = (length) => [...Buffer.from("0123456789".repeat(7000).slice(0, length))];
  await page.selectOption("#large", "126");
  await send(page, "#large-form");
  await page.waitForFunction(() => document.querySelectorAll(".step").length === 8);
  await checkClientFrame(page, 6, { first: 0x81, lengthBytes: [0xfe, 0x00, 0x7e], payload: digits(126) });
  await page.selectOption("#large", "70000");
  await send(page, "#large-form");
  await page.waitForFunction(() => document.querySelectorAll(".step").length === 10);
  const lengthBytes = [0xff, 0, 0, 0, 0, 0, 0x01, 0x11, 0x70];
  await checkClientFrame(page, 8, { first: 0x81, lengthBytes, payload: digits(70_000) });
  const answer = await detail(page, 9);
  same("the echo of it", answer.facts.header, hex([0x81, 0x7f, 0, 0, 0, 0, 0, 0x01, 0x11, 0x70]).join(" "));

  // U+202E reverses the text after it.
  const markup = "<img src=x onerror=alert(1)> grüße 𝄞 \u202eturned";
  await page.fill("#text", markup);
  await send(page, "#text-form");
  await page.waitForFunction(() => document.querySelectorAll(".step").length === 12);
  same("markup is text", (await detail(page, 10)).plain, hex(Buffer.from(markup)).slice(0, 32));
  check("and becomes nothing else", (await page.locator("img").count()) === 0 && (await rows(page))[10].includes(markup.replace("\u202e", "\\u{202e}")), (await rows(page))[10]);
  await eventually(page, `grüße 𝄞 \\u{202e}turned”, ${[...markup].length} characters`);
}

async function haveTheServerAct(page) {
  await page.fill("#ping", "are you there?");
  await send(page, "#ping-form");
  await until(page, "pong");
  const [ping, pong] = [await detail(page, -2), await detail(page, -1)];
  same("the ping", [ping.facts.header, ping.rule?.slice(0, 6)], ["89 0e", "§5.5.2"]);
  same("the pong repeats it", pong.plain, hex(Buffer.from("are you there?")));

  await page.fill("#fragment-len", "2");
  await page.check("#in-fragments");
  await page.fill("#text", "Hello");
  const before = await page.locator(".step").count();
  // The command and the message use two connections; the pong of a later ping says that the command has arrived.
  await send(page, "#ping-form");
  await page.waitForFunction((it) => document.querySelectorAll(".step").length === it, before + 2);
  await send(page, "#text-form");
  await page.waitForFunction((it) => document.querySelectorAll(".step").length === it, before + 6);
  const headers = [];
  for (const place of [-3, -2, -1]) headers.push((await detail(page, place)).facts.header);
  same("the answer in fragments", headers, ["01 02", "00 02", "80 01"]);
  await eventually(page, "message: text “Hello”");
  await page.uncheck("#in-fragments");

  await page.uncheck("#echo");
  await send(page, "#ping-form");
  await until(page, "pong");
  const quiet = await page.locator(".step").count();
  await send(page, "#text-form");
  await send(page, "#ping-form");
  await page.waitForFunction((it) => document.querySelectorAll(".step").length === it, quiet + 3);
  check("no echo if none is wanted", !(await rows(page)).slice(quiet).some((it) => it.includes("server: text")));
  await page.check("#echo");
}

async function fail(page, code, section) {
  await page.click(`[data-code="${code}"]`);
  await until(page, "TCP has ended");
  const [close, answer, gone] = [await detail(page, -3), await detail(page, -2), await detail(page, -1)];
  check(`fails with ${code}`, close.facts["close code"].startsWith(`${code} `) && close.facts.reason.includes(section), close.facts);
  same(`the states of failing with ${code}`, [close.state, answer.state, gone.state], ["closing", "closed", "closed"]);
  await eventually(page, `close ${code}`);
}

async function endInEveryWay(page) {
  await fail(page, 1002, "§5.2");
  await connect(page);
  await fail(page, 1007, "§8.1");
  await connect(page);
  await fail(page, 1009, "§10.4");

  await connect(page);
  await page.fill("#close-code", "1001");
  await send(page, "#close-form");
  check("what the browser refuses is told", (await page.textContent("#close-wrong")).startsWith("The browser refuses"));
  await page.fill("#close-code", "1000");
  await page.fill("#close-reason", "done");
  await send(page, "#close-form");
  await until(page, "TCP has ended");
  const [close, answer] = [await detail(page, -3), await detail(page, -2)];
  same("the client's Close", [close.facts["close code"].slice(0, 4), close.facts.reason, close.state], ["1000", "“done”", "closing"]);
  same("the server's", [answer.facts["close code"].slice(0, 4), answer.state], ["1000", "closed"]);
  await eventually(page, "close 1000, clean");

  await connect(page);
  await page.fill("#close-code", "4321");
  await page.click('[data-command="close"]');
  await until(page, "TCP has ended");
  const theirs = await detail(page, -3);
  same("the server closes", [theirs.facts["close code"].slice(0, 4), theirs.title.endsWith("server to client")], ["4321", true]);

  await connect(page);
  await page.click('[data-command="vanish"]');
  await until(page, "TCP has ended");
  check("nothing is said before the server vanishes", (await rows(page)).at(-2).includes("101"), (await rows(page)).at(-2));
  await eventually(page, "close 1006, not clean");

  // §10.4: one byte over the limit, and a rule is broken in earnest.
  await connect(page);
  await page.selectOption("#large", { index: 2 });
  await send(page, "#large-form");
  await page.waitForSelector(".step.wrong");
  const broken = page.locator(".step").locator("xpath=self::*[contains(@class,'wrong')]");
  await broken.first().click();
  const shown = await page.textContent("#figure");
  check("a message over the limit is a broken rule", shown.includes("§10.4") && shown.includes("1009"), shown);
  await eventually(page, "close 1009");
}

async function seeNothingOfOthers(other) {
  same("the other page has seen nothing", await rows(other), []);
  await connect(other);
  same("and now its own alone", (await rows(other)).length, 2);
  check("it has a token of its own", (await detail(other, 0)).head.includes("/session/"));
}

/** More than a person sends, at once. */
async function flood(page) {
  await page.check("#follow");
  await connect(page);
  await page.evaluate(() => {
    for (let at = 0; at < 1500; at++) session.socket.send(`message ${at}`);
  });
  await eventually(page, "message 1499");
  // A page that is too slow is not told every step. Then it is sent more, until it has had enough of them.
  for (let more = 0; more < 20 && (await page.isHidden("#older")); more++) {
    await page.evaluate((more) => {
      for (let at = 0; at < 100; at++) session.socket.send(`more ${more}.${at}`);
    }, more);
    await eventually(page, `more ${more}.99`);
  }
  const [kept, nodes] = await page.evaluate(() => [document.querySelectorAll(".step").length, document.querySelectorAll("*").length]);
  check("a thousand steps are kept", kept === 1000, kept);
  check("and not more of the page than they need", nodes < 9000, nodes);
  // Still at hand: each of these would wait in vain for a page that is busy with its list.
  await detail(page, 500);
  await page.fill("#text", "still at hand");
  await send(page, "#text-form");
  await until(page, "still at hand");
  await page.click("#clear");
  same("and can be cleared", await rows(page), []);
}

async function refuseASubprotocol(page) {
  const before = complaints.length;
  await page.selectOption("#subprotocol", "unheard-of");
  await page.click("#connect");
  await until(page, "TCP has ended");
  await eventually(page, "error");
  // Chromium complains aloud of a server that chooses none of what it offers; so it is meant to be seen.
  complaints.splice(before);
}

// --- For every test ---------------------------------------------------------------------------------------------------

async function checkNames(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  const needNames = ["button", "textbox", "checkbox", "combobox", "spinbutton", "link", "option", "listbox", "region", "list", "DisclosureTriangle"];
  const controls = nodes.filter((it) => !it.ignored && needNames.includes(it.role?.value) && it.role.value !== "list");
  const nameless = controls.filter((it) => !it.name?.value?.trim()).map((it) => it.role.value);
  check("there are controls", controls.length > 20, controls.length);
  same("every control has a name", nameless, []);
  const roles = new Set(nodes.map((it) => it.role?.value));
  for (const role of ["banner", "main", "status", "listbox"]) check(`there is a ${role}`, roles.has(role), [...roles]);
  const levels = await page.evaluate(() => [...document.querySelectorAll("h1,h2,h3,h4")].map((it) => Number(it.tagName[1])));
  check("headings leave no level out", levels[0] === 1 && levels.every((level, at) => at === 0 || level <= levels[at - 1] + 1), levels);
}

/** WCAG 2.2 §1.4.3: 4.5 to 1 for text. Buttons that can't be used now are exempt. */
async function checkContrast(page, scheme) {
  const poor = await page.evaluate(() => {
    const channels = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((it) => ((it /= 255) <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
      for (let it = element; it; it = it.parentElement) {
        const color = channels(getComputedStyle(it).backgroundColor);
        if (color.length === 3 || color[3] === 1) return color;
      }
      return [255, 255, 255];
    };
    const found = new Set();
    for (const element of document.querySelectorAll("body *")) {
      const hasText = [...element.childNodes].some((it) => it.nodeType === 3 && it.data.trim()) || element.matches("input,select");
      if (!hasText || element.closest('[aria-disabled="true"], .unseen, .skip, script, style, option') || !element.offsetParent) continue;
      const [a, b] = [channels(getComputedStyle(element).color), behind(element)].map(luminance).sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < 4.5) found.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
    }
    return [...found];
  });
  same(`contrast of text, ${scheme}`, poor, []);
}

// --- Pictures --------------------------------------------------------------------------------------------------------

async function takePictures(browser) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [width, height] of [[1600, 1060], [400, 860]]) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
      const page = await open(context);
      await connect(page, "echo.v2");
      await send(page, "#text-form");
      await page.waitForFunction(() => document.querySelectorAll(".step").length === 4);
      await send(page, "#binary-form");
      await page.waitForFunction(() => document.querySelectorAll(".step").length === 6);
      for (const group of await page.locator("details.group").all()) await group.evaluate((it) => (it.open = true));
      await send(page, "#ping-form");
      await until(page, "pong");
      if (width < 500) {
        for (const group of await page.locator("details.group").all()) await group.evaluate((it) => (it.open = false));
      }
      await detail(page, 0);
      await picture(page, `handshake-${colorScheme}-${width}`);
      await detail(page, 2);
      await page.mouse.move(0, 0);
      await page.evaluate(() => document.activeElement.blur());
      await picture(page, `study-${colorScheme}-${width}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      check(`nothing sticks out at ${width} pixels`, overflow <= 0, overflow);
      const still = await page.evaluate(() => getComputedStyle(document.querySelector(".step")).transitionDuration);
      same("nothing moves for who wants it still", still, "0s");
      await checkContrast(page, colorScheme);
      await lookAtTheRules(page, `rules-${colorScheme}-${width}`);
      await context.close();
    }
  }
}

/** The row that a rule links to. */
async function lookAtTheRules(page, name) {
  const [rules] = await Promise.all([page.context().waitForEvent("page"), page.click("#figure .rule a")]);
  await rules.waitForLoadState();
  const target = await rules.evaluate(() => document.querySelector(":target")?.textContent ?? null);
  check("the rule's link leads to its row", target?.includes("UTF-8"), [rules.url(), target]);
  const overflow = await rules.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check("nothing sticks out of the rules", overflow <= 0, overflow);
  await rules.screenshot({ path: `${folder}/${name}.png` });
}

async function picture(page, name) {
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

// --- All of it -------------------------------------------------------------------------------------------------------

const browser = await chromium.launch({ executablePath: browserPath, args: FLAGS });
try {
  const context = await browser.newContext({ viewport: { width: 1600, height: 1000 } });
  const other = await open(context);
  const page = await open(context);
  await useTheKeyboardOnly(page);
  await page.close();

  const second = await open(context);
  const accepted = [];
  const devtools = await context.newCDPSession(second);
  await devtools.send("Network.enable");
  devtools.on("Network.webSocketHandshakeResponseReceived", ({ response }) => {
    const name = Object.keys(response.headers).find((it) => it.toLowerCase() === "sec-websocket-accept");
    accepted.push(response.headers[name]);
  });
  await openUnencodedUrls(second);
  await seeTheHandshake(second, accepted);
  await sendMessages(second);
  await haveTheServerAct(second);
  await checkNames(second);
  await endInEveryWay(second);
  await refuseASubprotocol(second);
  await seeNothingOfOthers(other);
  await flood(second);
  await takePictures(browser);
  same("the browser has nothing to complain about", complaints, []);
  same("nothing was asked of anybody else", strayed, []);
} finally {
  await browser.close();
}
console.log(`browser: ${passed} checks passed, ${failures.length} failed; pictures in ${folder}`);
process.exit(failures.length === 0 ? 0 : 1);
