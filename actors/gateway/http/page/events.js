// What happens in the cluster, as this server hears it, latest first.

import { get } from "./api.js";
import { byId, clock, counted, make } from "./dom.js";

const KEPT = 200;
const list = byId("events-list");
let cursor = "";

/** Fetch what came since the last time. */
export async function fetchEvents() {
  const page = await get("v1/events", { cursor });
  cursor = page.cursor;
  if (page.dropped) add("page", `${counted(page.dropped, "event")} came too fast to be kept`, new Date());
  for (const event of page.entries) add(event.event, described(event), new Date(event.time));
}

/** One more line, with the time (Date) at which it happened; its day is in the tooltip. */
export function add(kind, text, at) {
  const item = make("li");
  item.dataset.kind = /failed|refused|demote|gone/.test(kind) ? "bad" : "plain";
  const time = make("span", "quiet when", clock(at));
  time.title = at.toLocaleString("en-GB");
  const line = make("span", "what");
  line.append(make("strong", "", kind), " ", make("span", "", text));
  item.append(time, line);
  list.prepend(item);
  while (list.children.length > KEPT) list.lastElementChild.remove();
  byId("events-none").hidden = true;
}

function described(event) {
  const payload = event.payload ?? (event.payload_base64 ? `(base64) ${event.payload_base64}` : "");
  if (event.event === "user") return [event.name, payload].filter(Boolean).join(" ");
  if (event.event === "query") return [event.name, `from ${event.from}`, payload].filter(Boolean).join(" ");
  return [event.member?.name, event.reason ?? event.member?.address].filter(Boolean).join(" ");
}
