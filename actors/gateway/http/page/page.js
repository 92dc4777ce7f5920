// The page: what is asked how often, and the verdict on it all.

import { showActors } from "./actors.js";
import { Gone, Refused, get, useToken } from "./api.js";
import { byId, clock, count, counted, duration, make, milliseconds, reconcile, say, sayOrEmpty, set } from "./dom.js";
import { add as addEvent, fetchEvents } from "./events.js";
import { reloadKeys, startKeys } from "./keys.js";
import { sample, sampleNothing } from "./rates.js";
import { ailing, livingVoters, refreshStories, showMembers, showPeers } from "./servers.js";

const PERIOD_MS = 1000;
const HIDDEN_PERIOD_MS = 10_000;

const pause = byId("pause");
let isPaused = false;
let answeredAt = new Date();
let gone = null; // Since when there is no answer.
let server = "the server";
let wake = () => {};

async function run() {
  for (;;) {
    if (!isPaused) await look().catch(showFault);
    const period = document.hidden ? HIDDEN_PERIOD_MS : PERIOD_MS;
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, period);
    });
  }
}

/** Ask for everything once.  The first questions decide whether there is a server at all, and whether it tells us. */
async function look() {
  let health;
  let status;
  try {
    // Anybody may ask how it is, but not for the rest where tokens are needed.
    health = await get("health", {}, [503]);
    status = await part(get("v1/status"));
  } catch (error) {
    if (error instanceof Gone) showGone();
    else showRefusal(error);
    return;
  }
  showBack();
  const [requests] = await Promise.all([
    part(get("v1/requests")),
    part(get("v1/members")).then((rows) => rows && showMembers(rows)),
    part(get("v1/raft/peers")).then((rows) => rows && showPeers(rows)),
    part(Promise.all([get("v1/actors"), get("v1/actors/mailboxes")])).then((both) => both && showActors(...both)),
    part(fetchEvents()),
    part(refreshStories()),
  ]);
  showHealth(health);
  if (status) showStatus(status, requests);
  if (status && requests) sample(status, requests);
  showVerdict(health, status);
}

/** An answer, or null from a part of the server that has none now: what it said last stays. */
async function part(asked) {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Gone || (error instanceof Refused && !wantsToken(error))) return null;
    throw error;
  }
}

const wantsToken = (error) => error.status === 401 || error.status === 403;

// --- what it all means ---

function showVerdict(health, status) {
  const failing = health.checks.filter((check) => !check.ok);
  const ill = ailing();
  const { alive, voters } = livingVoters();
  const needed = Math.floor(voters / 2) + 1;
  if (status && !status.quorum) {
    const why = `${alive} of ${counted(voters, "voter")} ${alive === 1 ? "is" : "are"} alive, ${needed} must be`;
    notice("bad", "No quorum", `${why}: no writes and no linearizable reads until then.`);
  } else if (!health.healthy) {
    notice("bad", "Unhealthy", sentence(failing));
  } else if (!health.ready) {
    notice("warn", "Not ready", sentence(failing));
  } else if (ill.length) {
    const who = ill.map((member) => `${member.name} is ${member.status}`).join(", ");
    notice("warn", "Degraded", `${who}. ${spare(alive - needed)}`);
  } else {
    notice("ok", "Healthy", `${status?.leader ?? "A leader"} leads in term ${count(status?.term)}. ${spare(alive - needed)}`);
  }
}

const sentence = (checks) => `${checks.map((check) => check.detail).join("; ")}.`;

const spare = (number) => `${number > 0 ? counted(number, "further voter") : "No further voter"} may fail.`;

function showGone() {
  sampleNothing();
  if (!gone) {
    gone = answeredAt;
    addEvent("gone", `no answer from ${server}`, new Date());
    notice("gone", `No answer from ${server}`, `since ${clock(gone)}. Shown is what it said last; it is asked again every second.`);
    document.body.dataset.state = "gone";
  }
  sayOrEmpty(byId("since"), `${duration((Date.now() - gone) / 1000)} so far.`);
}

function showBack() {
  answeredAt = new Date();
  byId("token-form").hidden = true;
  if (gone) {
    addEvent("back", `${server} answers again after ${duration((answeredAt - gone) / 1000)}`, answeredAt);
    gone = null;
    reloadKeys();
  }
  document.body.dataset.state = "live";
  sayOrEmpty(byId("since"), "");
}

/** It is there, and answers no: it wants a token, or something is wrong with it. */
function showRefusal(error) {
  sampleNothing();
  answeredAt = new Date();
  const forToken = wantsToken(error);
  byId("token-form").hidden = !forToken;
  notice(forToken ? "warn" : "bad", forToken ? "A token is needed" : `${server} answers with an error`, `${error.message}.`);
  document.body.dataset.state = "refused";
}

/** What no answer should lead to: it is said, and the next look may go better. */
function showFault(error) {
  console.error(error);
  notice("bad", "This page has failed", `${error.message}.`);
}

function notice(level, title, text) {
  byId("notice").dataset.level = level;
  sayOrEmpty(byId("verdict-title"), title);
  sayOrEmpty(byId("verdict-text"), text);
  document.title = `${title} · ${server === "the server" ? "Quorate" : server}`;
}

// --- this server ---

function showStatus(status, requests) {
  server = status.node;
  sayOrEmpty(byId("node"), status.node);
  sayOrEmpty(byId("address"), status.address);
  const behind = status.commit_index - status.applied_index;
  const members = Object.entries(status.members).map(([state, number]) => `${number} ${state}`);
  const voters = status.voters.length;
  const facts = {
    role: status.role,
    leader: status.leader || "none",
    term: count(status.term),
    voters: `${voters}, majority ${Math.floor(voters / 2) + 1}${status.standbys.length ? `, ${counted(status.standbys.length, "standby")}` : ""}`,
    commit: count(status.commit_index),
    applied: behind > 0 ? `${count(status.applied_index)} (${count(behind)} behind)` : count(status.applied_index),
    members: members.join(", "),
    loop: `${milliseconds(Math.round(status.loop_lag_s * 10_000) / 10)} late`,
    progress: requests ? count(requests.in_progress) : null,
    uptime: duration(status.uptime_s),
    version: status.version,
    cluster: status.cluster_id || "none yet",
  };
  for (const [name, text] of Object.entries(facts)) say(document.querySelector(`[data-of="${name}"]`), text);
}

function showHealth(health) {
  const passed = health.checks.filter((check) => check.ok).length;
  sayOrEmpty(byId("checks-title"), `${passed} of ${counted(health.checks.length, "check")} pass`);
  reconcile(byId("checks-list"), health.checks, {
    key: (check) => check.name,
    build: () => {
      const item = make("li");
      item.append(make("strong"), " ", make("span"));
      return item;
    },
    update: (item, check) => {
      set(item, "data-ok", String(check.ok));
      say(item.children[0], check.name);
      say(item.children[1], check.detail);
    },
  });
}

// --- what the user says ---

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  set(pause, "aria-pressed", String(isPaused));
  sayOrEmpty(pause, isPaused ? "Go on" : "Pause");
  if (!isPaused) wake();
});

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(byId("token").value);
  byId("token").value = "";
  wake();
  reloadKeys();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) wake();
});

startKeys();
void run();
