// From counters that only grow to what happened in between: rates, and quantiles of durations.

import { Chart } from "./chart.js";
import { milliseconds, short } from "./dom.js";

const throughput = new Chart("throughput", ["writes here", "reads here", "log entries, cluster"], { format: short, floor: 10 });
const latency = new Chart("latency", ["write p50", "write p99", "read p99"], { format: milliseconds, floor: 1 });

let before = null;

/** Two looks in a row, of one run of a server, give a sample of each chart. */
export function sample(status, requests) {
  const look = { at: performance.now(), run: `${status.id} ${status.boot}`, applied: status.applied_index, requests };
  if (before && before.run === look.run) {
    const perSecond = (more) => (1000 * Math.max(0, more)) / (look.at - before.at);
    const { writes, reads } = requests;
    const old = before.requests;
    // A gateway that was restarted counts anew.
    const isNew = writes.commands < old.writes.commands || reads.commands < old.reads.commands;
    const rate = (kind) => (isNew ? null : perSecond(requests[kind].commands - old[kind].commands));
    const quantile = (kind, q) => (isNew ? null : quantileOf(difference(requests[kind], old[kind]), requests.bounds_s, q));
    throughput.add([rate("writes"), rate("reads"), perSecond(look.applied - before.applied)]);
    latency.add([quantile("writes", 0.5), quantile("writes", 0.99), quantile("reads", 0.99)]);
  }
  before = look;
}

/** A gap: nothing is known of this moment. */
export function sampleNothing() {
  before = null;
  throughput.add([null, null, null]);
  latency.add([null, null, null]);
}

const difference = (now, then) => now.buckets.map((amount, index) => amount - then.buckets[index]);

/** In ms, interpolated within its bucket; null when there was nothing. */
function quantileOf(buckets, bounds, q) {
  const total = buckets.reduce((sum, amount) => sum + amount, 0);
  if (!total) return null;
  let left = q * total;
  const index = buckets.findIndex((amount) => {
    left -= amount;
    return left <= 0 && amount > 0;
  });
  const low = index ? bounds[index - 1] : 0;
  const high = bounds[index] ?? low;
  return 1000 * (high + (left / buckets[index]) * (high - low));
}
