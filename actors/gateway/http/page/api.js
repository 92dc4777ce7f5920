// Questions to the server that this page came from, and the three ways they can fail.

const TIMEOUT_MS = 3000;
const SERVER_TIMEOUT_S = 1.5; // Less than ours, so that a slow part of the server says so itself.
const TOKEN_KEY = "quorate-token";

/** The server does not answer at all. */
export class Gone extends Error {}

/** It answers that it cannot or will not; `status` is HTTP's. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let token = "";
try {
  token = sessionStorage.getItem(TOKEN_KEY) ?? "";
} catch {
  // The browser keeps nothing for this page: the token lasts as long as it does.
}

/** Send this token from now on, where the server wants one. */
export function useToken(given) {
  token = given;
  try {
    sessionStorage.setItem(TOKEN_KEY, given);
  } catch {
    // As above.
  }
}

/** The JSON that a path answers with.  `accepted`: statuses beside 200 whose body is an answer, too. */
export async function get(path, parameters = {}, accepted = []) {
  const query = new URLSearchParams({ timeout: SERVER_TIMEOUT_S, ...parameters });
  const response = await request(`${path}?${query}`, AbortSignal.timeout(TIMEOUT_MS));
  const body = await read(response);
  if (!response.ok && !accepted.includes(response.status)) {
    throw new Refused(response.status, body?.message ?? `${response.status} ${response.statusText}`);
  }
  return body;
}

/** Server-sent events of a path, until it ends or `signal` says so.  (EventSource could carry no token.) */
export async function* events(path, parameters, signal) {
  const response = await request(`${path}?${new URLSearchParams(parameters)}`, signal);
  if (!response.ok) {
    throw new Refused(response.status, (await read(response))?.message ?? response.statusText);
  }
  let rest = "";
  for await (const chunk of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
    const blocks = (rest + chunk).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").map((line) => line.split(/: ?(.*)/s, 2));
      yield Object.fromEntries(lines);
    }
  }
}

async function request(url, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    return await fetch(url, { headers, signal, cache: "no-store", redirect: "error" });
  } catch (error) {
    throw new Gone(error.message);
  }
}

async function read(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw new Gone(error.message);
  }
}

// Not every browser can iterate over a stream by itself.
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw new Gone(error.message);
  } finally {
    reader.cancel().catch(() => {});
  }
}
