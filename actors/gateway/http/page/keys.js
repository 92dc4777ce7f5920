// Browsing the store: a page of keys under a prefix, and one value.  Reads are stale ones: they need no leader.

import { Gone, Refused, events, get } from "./api.js";
import { byId, count, counted, make, reconcile, say, sayOrEmpty, set, visible } from "./dom.js";

const PAGE = 50;
const PREVIEW_CHARS = 120;
const VALUE_CHARS_MAX = 200_000; // More of one value would only make the browser slow.
const TYPING_MS = 200;
const RELOAD_MS = 2_000;
const AGAIN_MS = 5_000;

const prefix = byId("prefix");
const table = byId("keys-table");
const body = table.tBodies[0];
const first = byId("keys-first");
const next = byId("keys-next");

let start = "";
let following = ""; // Where the next page starts, "" if this is the last.
let chosen = null;
let asked = 0; // Counts loads: of answers that overtake each other only the last one's is shown.
let typing = 0;
let reloading = 0;
let watcher = null;

/** Load the first page, and again whenever something under the prefix changes while the page is looked at. */
export function startKeys() {
  prefix.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => begin(""), TYPING_MS);
  });
  first.addEventListener("click", () => begin(""));
  next.addEventListener("click", () => begin(following));
  byId("prefix").addEventListener("keydown", fromPrefix);
  body.addEventListener("keydown", among);
  document.addEventListener("visibilitychange", watch);
  begin("");
}

/** The server is back, or has a token: load again what is shown. */
export function reloadKeys() {
  void load();
  watch();
}

function begin(from) {
  start = from;
  void load();
  watch();
}

async function load() {
  asked += 1;
  const mine = asked;
  try {
    const page = await get("v1/kv", { prefix: prefix.value, start, limit: PAGE, consistency: "stale" });
    if (mine === asked) show(page);
  } catch (error) {
    if (mine !== asked || error instanceof Gone) return;
    sayOrEmpty(byId("keys-said"), error.message);
  }
}

function show(page) {
  following = page.next ?? "";
  // A button that is switched off loses the focus, and so does a key that goes: it moves to where the new keys are.
  const focus = document.activeElement;
  const wasHere = focus === first || focus === next || body.contains(focus);
  first.disabled = start === "";
  next.disabled = following === "";
  const range = page.items.length ? `${counted(page.items.length, "key")}${following ? ", and more" : ""}` : "No keys here";
  sayOrEmpty(byId("keys-said"), `${range} · revision ${count(page.revision)}`);
  reconcile(body, page.items, {
    key: (item) => item.key,
    build,
    update: (row, item) => {
      say(row.cells[0].firstElementChild, item.key);
      sayOrEmpty(row.cells[1], preview(item));
      say(row.cells[2], count(item.revision));
      set(row.cells[0].firstElementChild, "aria-pressed", String(item.key === chosen));
    },
  });
  rove(buttons().includes(document.activeElement) ? document.activeElement : buttons().find((button) => button.tabIndex === 0));
  if (wasHere && document.activeElement === document.body) (buttons()[0] ?? prefix).focus();
  const same = page.items.find((item) => item.key === chosen);
  if (same) showValue(same);
  else if (chosen !== null) void choose(chosen);
}

function build(item) {
  const row = make("tr");
  const head = make("th", "mono");
  head.scope = "row";
  const button = make("button", "link");
  button.type = "button";
  button.tabIndex = -1;
  button.addEventListener("click", () => void choose(item.key));
  head.append(button);
  row.append(head, make("td", "mono quiet"), make("td", "num"));
  return row;
}

const preview = (item) =>
  (item.value?.slice(0, PREVIEW_CHARS) ?? `(base64) ${item.value_base64.slice(0, PREVIEW_CHARS)}`).replace(/\s*\n\s*/g, " ⏎ ");

// --- one value ---

async function choose(key) {
  chosen = key;
  for (const row of body.rows) set(row.cells[0].firstElementChild, "aria-pressed", String(row.dataset.key === key));
  try {
    // A path may not hold "." or ".." alone: a browser would walk along them, however they are written.
    const found = /^\.{1,2}$/.test(key)
      ? (await get("v1/kv", { prefix: key, limit: 1, consistency: "stale" })).items[0]
      : await get(`v1/kv/${key.split("/").map(encodeURIComponent).join("%2F")}`, { consistency: "stale" });
    if (key === chosen) showValue(found);
  } catch (error) {
    if (key !== chosen || error instanceof Gone) return;
    showValue({ key, missing: error instanceof Refused && error.status === 404 ? "There is no such key any more." : error.message });
  }
}

function showValue(found) {
  say(byId("value-key"), found.key);
  const place = byId("value-text");
  place.hidden = Boolean(found.missing);
  if (found.missing) {
    sayOrEmpty(byId("value-about"), found.missing);
    return;
  }
  const text = found.value ?? found.value_base64;
  const size = found.value === undefined ? Math.floor((text.length * 3) / 4) - (text.match(/=/g)?.length ?? 0) : new Blob([text]).size;
  const kind = found.value === undefined ? " · no UTF-8 text, shown as base64" : "";
  const cut = text.length > VALUE_CHARS_MAX ? " · cut" : "";
  sayOrEmpty(byId("value-about"), `${counted(size, "byte")} · revision ${count(found.revision)}${kind}${cut}`);
  const shown = readable(text.slice(0, VALUE_CHARS_MAX));
  if (place.textContent !== shown) place.textContent = shown;
}

// Lines and tabs are how values are meant to be read; nothing else that is not seen is.
const readable = (text) => text.split(/(?<=[\n\t])/).map((part) => visible(part.replace(/[\n\t]$/, "")) + (/[\n\t]$/.exec(part)?.[0] ?? "")).join("");

// --- by keyboard: the list is one stop of the tab order, arrows go through it ---

const buttons = () => [...body.querySelectorAll("button")];

function rove(to) {
  const all = buttons();
  const target = to ?? all[0];
  for (const button of all) button.tabIndex = button === target ? 0 : -1;
}

function fromPrefix(event) {
  if (event.key !== "ArrowDown" || !buttons().length) return;
  event.preventDefault();
  const target = buttons().find((button) => button.tabIndex === 0) ?? buttons()[0];
  rove(target);
  target.focus();
}

function among(event) {
  const all = buttons();
  const position = all.indexOf(document.activeElement);
  if (position < 0) return;
  const steps = { ArrowDown: position + 1, ArrowUp: position - 1, Home: 0, End: all.length - 1 };
  if (event.key === "Escape" || (event.key === "ArrowUp" && position === 0)) prefix.focus();
  else if (event.key === "PageDown" && !next.disabled) begin(following);
  else if (event.key in steps) {
    const target = all[Math.min(steps[event.key], all.length - 1)];
    rove(target);
    target.focus();
  } else return;
  event.preventDefault();
}

// --- live ---

function watch() {
  watcher?.abort();
  watcher = null;
  if (document.hidden) return;
  watcher = new AbortController();
  void follow(watcher.signal);
}

async function follow(signal) {
  while (!signal.aborted) {
    try {
      for await (const event of events("v1/watch", { prefix: prefix.value }, signal)) {
        if (event.event === "update") reloadSoon();
      }
    } catch (error) {
      // Without keys, or without the right to see them, there is nothing to follow.
      if (error instanceof Refused && error.status < 503 && error.status !== 429) return;
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    if (!signal.aborted) void load();
  }
}

function reloadSoon() {
  if (reloading) return;
  reloading = setTimeout(() => {
    reloading = 0;
    void load();
  }, RELOAD_MS);
}
