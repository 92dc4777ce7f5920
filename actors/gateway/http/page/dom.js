// Putting text and rows into the page.  Everything goes in as text: names, tags, keys and values are others' choice.

export const NONE = "–";

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Text with what cannot be seen, or turns the direction of what follows, written as \u{NN}. */
export const visible = (text) =>
  String(text).replace(HIDDEN, (char) => `\\u{${char.codePointAt(0).toString(16)}}`);

/** A new element with a class and a text. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== "") element.textContent = visible(text);
  return element;
}

/** Set the text of an element; one that stands there already is left alone, with whatever is selected in it. */
export function say(element, text) {
  const shown = text === null || text === undefined || text === "" ? NONE : visible(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/** The same, but an empty text is empty. */
export function sayOrEmpty(element, text) {
  const shown = visible(text ?? "");
  if (element.textContent !== shown) element.textContent = shown;
}

/** Set an attribute only when it changes, or remove it (null). */
export function set(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Make the children of `parent` those of `items`, in their order, keeping the element of each key where there is one:
 * so what has the focus keeps it.
 */
export function reconcile(parent, items, { key, build, update }) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(items.map(key));
  // What goes, goes first: else what stays would be moved, and an element that is moved loses the focus.
  for (const [id, element] of old) if (!wanted.has(id)) element.remove();
  items.forEach((item, position) => {
    const id = key(item);
    let element = old.get(id);
    if (element === undefined) {
      element = build(item);
      element.dataset.key = id;
    }
    if (parent.children[position] !== element) parent.insertBefore(element, parent.children[position] ?? null);
    update(element, item);
  });
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 12,345 */
export const count = (number) => (number === null || number === undefined ? NONE : whole.format(number));

/** Three digits at most, with k and M. */
export function short(number) {
  if (number >= 1e6) return `${digits(number / 1e6)}M`;
  return number >= 1e4 ? `${digits(number / 1e3)}k` : number >= 100 ? whole.format(number) : digits(number);
}

const digits = (number) => String(Number(number.toPrecision(3)));

/** Milliseconds as people say them. */
export function milliseconds(ms) {
  if (ms === null || ms === undefined) return NONE;
  return ms >= 1000 ? `${digits(ms / 1000)} s` : `${digits(ms)} ms`;
}

/** 3 min 12 s */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const left = Math.floor(seconds);
  const parts = [
    [Math.floor(left / 86400), "d"],
    [Math.floor(left / 3600) % 24, "h"],
    [Math.floor(left / 60) % 60, "min"],
    [left % 60, "s"],
  ];
  const shown = parts.filter(([amount]) => amount > 0).map(([amount, unit]) => `${amount} ${unit}`);
  return shown.slice(0, 2).join(" ") || "0 s";
}

/** 20:51:07 */
export const clock = (date) => date.toLocaleTimeString("en-GB");

/** "1 server", "2 servers" */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
