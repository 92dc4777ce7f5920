// A minute of some figures as lines.  What is drawn and how; where the figures come from is rates.js.

import { byId, make, sayOrEmpty, set, visible } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WINDOW_MS = 60_000;
const HEIGHT = 132;
const LEFT = 46;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 18;
const STEPS = 2; // Lines above the axis.

export class Chart {
  /** `lines`: [name, ...]; `format`: a figure as text; `floor`: the least full scale. */
  constructor(id, lines, { format, floor }) {
    this.lines = lines.map((name) => ({ name }));
    this.format = format;
    this.floor = floor;
    this.samples = [];
    const figure = byId(id);
    this.title = figure.querySelector("h2").textContent;
    this.plot = figure.querySelector(".plot");
    this.svg = this.plot.appendChild(draw("svg", { role: "img", height: HEIGHT }));
    this.grid = Array.from({ length: STEPS + 1 }, () => ({
      line: this.svg.appendChild(draw("line", { class: "grid" })),
      label: this.svg.appendChild(draw("text", { class: "tick", "text-anchor": "end" })),
    }));
    this.ago = this.svg.appendChild(draw("text", { class: "tick", y: HEIGHT - 3, x: LEFT }));
    this.ago.textContent = "60 s ago";
    this.now = this.svg.appendChild(draw("text", { class: "tick", y: HEIGHT - 3, "text-anchor": "end" }));
    this.now.textContent = "now";
    this.lines.forEach((line, index) => {
      line.path = this.svg.appendChild(draw("path", { class: `line line-${index}` }));
      const item = make("li", `key key-${index}`);
      line.figure = make("span", "figure");
      item.append(make("span", "", line.name), " ", line.figure);
      figure.querySelector(".legend").append(item);
    });
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** Another sample, a figure a line; null where there is none. */
  add(figures) {
    const now = performance.now();
    this.samples.push({ at: now, figures });
    while (this.samples.length && this.samples[0].at < now - WINDOW_MS - 2_000) this.samples.shift();
    this.draw();
  }

  draw() {
    const width = Math.floor(this.plot.clientWidth);
    if (!width) return;
    set(this.svg, "width", String(width));
    const now = this.samples.at(-1)?.at ?? performance.now();
    const full = fullScale(Math.max(this.floor, ...this.samples.flatMap((sample) => sample.figures.map(Number))));
    const x = (at) => LEFT + (width - LEFT - RIGHT) * (1 - (now - at) / WINDOW_MS);
    const y = (figure) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - figure / full);
    this.grid.forEach(({ line, label }, step) => {
      const level = (full * step) / STEPS;
      const at = y(level).toFixed(1);
      for (const [name, value] of Object.entries({ x1: LEFT, x2: width - RIGHT, y1: at, y2: at })) set(line, name, String(value));
      set(label, "x", String(LEFT - 6));
      set(label, "y", String(Number(at) + 4));
      sayOrEmpty(label, this.format(level));
    });
    set(this.now, "x", String(width - RIGHT));
    const inside = this.samples.filter((sample) => sample.at >= now - WINDOW_MS);
    this.lines.forEach((line, index) => {
      set(line.path, "d", path(inside.map(({ at, figures }) => [x(at), figures[index] === null ? null : y(figures[index])])));
      const last = this.samples.at(-1)?.figures[index] ?? null;
      sayOrEmpty(line.figure, last === null ? "–" : this.format(last));
    });
    const said = this.lines.map((line) => `${line.name} ${line.figure.textContent}`).join(", ");
    set(this.svg, "aria-label", visible(`${this.title}: ${said}`));
  }
}

// One point alone would be no line: it gets a length that can be seen.
function path(points) {
  let text = "";
  let isDown = false;
  points.forEach(([x, y], position) => {
    if (y === null) {
      isDown = false;
      return;
    }
    text += `${isDown ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`;
    if (!isDown && (points[position + 1]?.[1] ?? null) === null) text += "h2";
    isDown = true;
  });
  return text;
}

/** The next of 1, 2, 4, 10 … that is not less. */
function fullScale(figure) {
  const unit = 10 ** Math.floor(Math.log10(figure));
  return unit * [1, 2, 4, 10].find((factor) => factor * unit >= figure * 0.999_999);
}

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
