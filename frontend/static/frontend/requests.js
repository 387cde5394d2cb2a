// Requests of the labeler's page. They never throw: status 0 is "no connection", 401 "signed out".

const page = document.getElementById("labeling") ?? document.querySelector("[data-session-url]");
const TIMEOUT_MS = 20_000;
let csrfToken = page?.dataset.csrf ?? "";

export const addresses = page?.dataset ?? {};

/** POST a form's fields; the reply is JSON or nothing. A stale token is renewed once, if the same user is signed in. */
export async function post(url, fields, { keepalive = false } = {}) {
  const reply = await send(url, fields, keepalive);
  if (reply.status !== 403 || reply.body || keepalive) return reply;
  const session = await renewSession();
  return session.status === 200 ? send(url, fields, keepalive) : session;
}

export async function get(url) {
  return request(url, { headers: { "X-Fragment": "1" } });
}

/** For the last moment of a page: form fields that the browser delivers after it has gone. */
export function beacon(url, fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...fields, csrfmiddlewaretoken: csrfToken })) form.append(name, value);
  return navigator.sendBeacon(url, form);
}

function send(url, fields, keepalive) {
  const body = new URLSearchParams({ ...fields, user: addresses.user });
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken };
  return request(url, { method: "POST", body, headers, keepalive });
}

async function renewSession() {
  const session = await request(addresses.sessionUrl, { headers: { Accept: "application/json" } });
  if (session.status !== 200) return session;
  if (String(session.body.user) !== addresses.user) return { status: 403, body: { kind: "wrong-user" }, text: "" };
  csrfToken = session.body.csrf;
  return session;
}

async function request(url, options) {
  try {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const reply = await fetch(url, { redirect: "manual", credentials: "same-origin", signal: timeout, ...options });
    if (reply.type === "opaqueredirect") return { status: 401, body: null, text: "" };
    const text = await reply.text();
    const isJson = /json/.test(reply.headers.get("Content-Type") ?? "");
    return { status: reply.status, body: isJson ? JSON.parse(text) : null, text };
  } catch {
    return { status: 0, body: null, text: "" };
  }
}

/** A key that no other answer has. crypto.randomUUID() exists on secure pages only. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
