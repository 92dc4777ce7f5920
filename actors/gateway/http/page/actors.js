// The table of actors: state, restarts, and how full their mailboxes are.

import { byId, count, make, reconcile, say, set, short } from "./dom.js";

const body = byId("actors-table").tBodies[0];
const COLUMNS = 7;
const WIDE = new Set([4, 5]);
const seen = new Map(); // Name -> what an actor had handled, and when, for its rate.

export function showActors(actors, mailboxes) {
  const boxes = new Map(mailboxes.map((box) => [box.name, box]));
  reconcile(body, actors, {
    key: (actor) => actor.name,
    build,
    update: (row, actor) => update(row, actor, boxes.get(actor.name)),
  });
}

function build() {
  const row = make("tr");
  for (let column = 0; column < COLUMNS; column += 1) {
    const cell = make(column ? "td" : "th", [column > 1 ? "num" : "", WIDE.has(column) ? "wide" : ""].join(" ").trim());
    if (!column) cell.scope = "row";
    row.append(cell);
  }
  row.cells[1].append(make("span", "state"), make("span", "quiet error"));
  return row;
}

function update(row, actor, box) {
  const [name, state, restarts, depth, most, refused, rate] = row.cells;
  say(name, actor.name);
  set(row, "data-status", actor.state === "running" ? "alive" : "failed");
  say(state.children[0], actor.state);
  state.children[1].hidden = !actor.last_error;
  say(state.children[1], actor.last_error);
  say(restarts, count(actor.restarts));
  set(restarts, "data-some", actor.restarts > 0 ? "yes" : "no");
  say(depth, count(box?.depth ?? actor.mailbox));
  if (box) set(depth, "title", `of at most ${count(box.limit)}`);
  say(most, count(box?.depth_max));
  say(refused, count(box?.refused));
  set(refused, "data-some", box?.refused > 0 ? "yes" : "no");
  say(rate, perSecond(actor));
}

function perSecond(actor) {
  const now = performance.now();
  const before = seen.get(actor.name);
  seen.set(actor.name, { incarnation: actor.incarnation, handled: actor.handled, at: now });
  if (!before || before.incarnation !== actor.incarnation || now <= before.at) return null;
  return short(Math.round((1000 * (actor.handled - before.handled)) / (now - before.at)));
}
