// The table of servers: gossip's word on each, Raft's, and the reasons of both.

import { Gone, get } from "./api.js";
import { NONE, byId, count, duration, make, milliseconds, reconcile, say, sayOrEmpty, set, visible } from "./dom.js";

const COLUMNS = ["server", "state", "role", "lag", "match", "rtt", "reason", "why"];
const LAG_SEEN = 100; // A few entries are on their way at any time.
const NUMBERS = new Set(["lag", "match", "rtt"]);
const WIDE = new Set(["match", "rtt", "reason"]);

const body = byId("servers-table").tBodies[0];
const head = byId("servers-table").tHead.rows[0];
const open = new Map(); // Names whose story is shown, each with what is known of it.

let members = [];
let peers = [];

export function showMembers(rows) {
  members = rows;
  draw();
}

export function showPeers(rows) {
  peers = rows;
  draw();
}

/** How many voters are alive, and of how many, as far as this server knows. */
export function livingVoters() {
  const alive = new Set(members.filter((member) => member.status === "alive").map((member) => member.id));
  const voters = peers.filter((peer) => peer.voter);
  return { alive: voters.filter((voter) => alive.has(voter.id)).length, voters: voters.length };
}

/** The members that are not as they should be. */
export const ailing = () => members.filter((member) => member.status === "failed" || member.status === "suspect");

/** Ask again for the stories that are open. */
export async function refreshStories() {
  await Promise.all([...open.keys()].map(load));
}

function draw() {
  const byServer = new Map(peers.map((peer) => [peer.id, { peer }]));
  for (const member of members) byServer.set(member.id, { ...byServer.get(member.id), member });
  const servers = [...byServer].map(([id, { member, peer }]) => ({ id, member, peer, ...(member ?? peer), role: role(member, peer) }));
  servers.sort((one, other) => (one.name < other.name ? -1 : Number(one.name > other.name)) || (one.id < other.id ? -1 : 1));
  const rows = servers.flatMap((server) => [server, ...(open.has(server.name) ? [{ ...server, isStory: true }] : [])]);
  reconcile(body, rows, {
    key: (row) => (row.isStory ? `story of ${row.id}` : row.id),
    build: (row) => (row.isStory ? buildStory() : buildServer(row)),
    update: (element, row) => (row.isStory ? updateStory(element, row) : updateServer(element, row)),
  });
}

const role = (member, peer) => peer?.role ?? member?.role ?? null;

function buildServer(server) {
  const row = make("tr");
  for (const column of COLUMNS) {
    const classes = [`c-${column}`, NUMBERS.has(column) ? "num" : "", WIDE.has(column) ? "wide" : ""];
    const cell = make(column === "server" ? "th" : "td", classes.filter(Boolean).join(" "));
    if (column === "server") cell.scope = "row";
    row.append(cell);
  }
  const [name, , , , , , , why] = row.cells;
  // The blanks are for those who hear or copy the row.
  name.append(make("span", "name"), " ", make("span", "here", "this server"), " ", make("span", "mono quiet address"), " ", make("span", "tags"));
  const button = make("button", "", "Why?");
  button.type = "button";
  button.addEventListener("click", () => toggle(row.dataset.name));
  why.append(button);
  row.cells[1].append(make("span", "state"), " ", make("span", "quiet for"));
  row.cells[6].append(make("span", "clamped"));
  row.dataset.name = server.name;
  return row;
}

function updateServer(row, server) {
  const { member, peer } = server;
  const [name, state, raft, lag, match, rtt, reason, why] = row.cells;
  row.dataset.name = server.name;
  say(name.children[0], server.name);
  name.children[1].hidden = !member?.local;
  say(name.children[2], server.address);
  updateTags(name.children[3], member?.tags ?? {});
  const status = member?.status ?? "unknown";
  set(row, "data-status", status);
  say(state.children[0], status);
  sayOrEmpty(state.children[1], member && member.status_age_s >= 1 ? `for ${duration(member.status_age_s)}` : "");
  say(raft, server.role === "none" ? "not in Raft" : peer && !peer.voter && server.role !== "standby" ? `${server.role}, no vote` : server.role);
  set(raft, "data-role", server.role ?? "");
  say(lag, peer?.snapshot ? arriving(peer.snapshot) : count(peer?.lag));
  set(lag, "data-behind", peer?.lag >= LAG_SEEN ? "yes" : "no");
  say(match, count(peer?.match_index));
  say(rtt, member?.local ? NONE : milliseconds(member?.rtt_ms));
  say(reason.children[0], peer?.reason);
  set(reason, "title", peer?.reason ? visible(peer.reason) : null);
  const button = why.children[0];
  button.disabled = !member;
  set(button, "aria-expanded", String(open.has(server.name)));
  set(button, "aria-label", `Why is ${visible(server.name)} ${status}?`);
}

const arriving = (snapshot) => `snapshot ${Math.round((100 * snapshot.chunks) / snapshot.chunks_total)} %`;

function updateTags(place, tags) {
  const pairs = Object.entries(tags);
  place.hidden = pairs.length === 0;
  reconcile(place, pairs, {
    key: ([key]) => key,
    build: () => make("span", "tag"),
    update: (element, [key, value]) => say(element, `${key}=${value}`),
  });
}

// --- why ---

function toggle(name) {
  if (open.delete(name)) {
    draw();
    return;
  }
  open.set(name, null);
  draw();
  void load(name);
}

async function load(name) {
  try {
    open.set(name, await get("v1/members", { why: name }));
  } catch (error) {
    if (error instanceof Gone) return; // The page says so where it says everything.
    open.set(name, { refused: error.message });
  }
  draw();
}

function buildStory() {
  const row = make("tr", "story");
  const cell = make("td");
  cell.append(make("p"), make("ol"));
  row.append(cell);
  return row;
}

function updateStory(row, server) {
  const [said, list] = row.cells[0].children;
  // A narrow window hides columns, and a cell over more of them than there are would make new ones.
  row.cells[0].colSpan = [...head.cells].filter((cell) => cell.offsetParent !== null).length;
  const story = open.get(server.name);
  const steps = story?.why ?? [];
  const leader = server.peer?.reason ? ` The leader: ${server.peer.reason}.` : "";
  if (!story) sayOrEmpty(said, "Asking …");
  else if (story.refused) sayOrEmpty(said, story.refused);
  else if (!steps.length) sayOrEmpty(said, `${server.name} has been ${story.member.status} since this server knows it.${leader}`);
  else sayOrEmpty(said, `What this server saw, oldest first.${leader}`);
  reconcile(list, steps.map((step, position) => ({ ...step, position })), {
    key: (step) => String(step.position),
    build: () => {
      const item = make("li");
      item.append(make("span", "quiet when"), make("strong"), make("span"));
      return item;
    },
    update: (item, step) => {
      const [when, event, detail] = item.children;
      say(when, `${duration(step.age_s)} ago`);
      say(event, step.event);
      sayOrEmpty(detail, [step.by && `by ${step.by}`, step.detail].filter(Boolean).join(": "));
    },
  });
}
