// Everything the console knows it asks /v1 for, with the bearer token of its session.

import { embedded } from "./embedding.js";
import { language } from "./i18n.js";
import { tab } from "./memory.js";

const ROOT = new URL("../v1", document.baseURI).href.replace(/\/$/, "");
const STORED = "tenon.token";

let token = null;
const refused = new Set();
const ended = new Set();
let answered = () => {};

/** What the server says is wrong, or that it cannot be reached (status 0). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || body.code || String(status));
    this.status = status;
    this.code = body.code || null;
    this.title = body.title || null;
    this.detail = body.detail || null;
    this.why = body.why || null;
    this.errors = Array.isArray(body.errors) ? body.errors : [];
  }

  /** What is wrong with one member, named by its JSON pointer. */
  at(path) {
    return this.errors.filter((error) => error.path === path);
  }
}

/** The token outlives a reload of this tab, and nothing else. In a frame it does not: there the
 * platform says each time who sits before it. */
export function resumeSession() {
  token = embedded ? null : tab.read(STORED);
  return token !== null;
}

export function beginSession(given) {
  token = given;
  if (!embedded) tab.write(STORED, given);
}

/** Whether a token makes another session: it is not the present one, and the server took it so far. */
export const isNews = (given) => given !== token && !refused.has(given);

/** `because` is the problem that ended it; none when the person signed out. */
export function endSession(because) {
  token = null;
  tab.forget(STORED);
  ended.forEach((tell) => tell(because || null));
}

export function onSessionEnd(tell) {
  ended.add(tell);
  return () => ended.delete(tell);
}

/** `tell` hears of each answer of the server. */
export const onAnswer = (tell) => {
  answered = tell;
};

/** A path whose inserted parts are encoded: at`/tenants/${tenant}`. */
export function at(texts, ...parts) {
  return texts.reduce((path, text, index) => path + encodeURIComponent(parts[index - 1]) + text);
}

function withQuery(path, query) {
  const given = Object.entries(query || {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

function repeatKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function send(method, path, { query, body, headers } = {}) {
  const request = {
    method,
    cache: "no-store",
    credentials: "omit",
    headers: { accept: "application/json", "accept-language": language(), ...headers },
  };
  const sent = token;
  if (sent) request.headers.authorization = `Bearer ${sent}`;
  if (body instanceof Blob) {
    request.headers["content-type"] = "application/wasm";
    request.body = body;
  } else if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  // A write whose answer was lost is asked again under the same key, so that it happens once.
  if (method !== "GET") request.headers["idempotency-key"] = repeatKey();
  const target = ROOT + withQuery(path, query);
  let answer;
  try {
    answer = await fetch(target, request).catch(() => fetch(target, request));
  } catch {
    throw new Problem(0, { code: "unreachable" });
  }
  answered();
  const text = await answer.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    throw new Problem(answer.status, { code: "not_json" });
  }
  if (answer.ok) return { value, etag: answer.headers.get("etag") };
  const problem = new Problem(answer.status, value || {});
  if (answer.status === 401 && sent) {
    refused.add(sent);
    // The answer may be one to the session before.
    if (sent === token) endSession(problem);
  }
  throw problem;
}

export const get = async (path, query) => (await send("GET", path, { query })).value;
export const getWithTag = (path) => send("GET", path);
export const post = async (path, body, headers) => (await send("POST", path, { body, headers })).value;
export const put = async (path, body) => (await send("PUT", path, { body })).value;
/** Replaces what was read with this tag. */
export const putWithTag = (path, body, tag) => send("PUT", path, { body, headers: { "if-match": tag } });
export const patch = async (path, body) => (await send("PATCH", path, { body })).value;
export const remove = async (path, query) => (await send("DELETE", path, { query })).value;

/** All items of a short list. */
export async function getAll(path, query) {
  const items = [];
  let after;
  do {
    const page = await get(path, { limit: 100, ...query, after });
    items.push(...page.items);
    after = page.next;
  } while (after && items.length < 2000);
  return items;
}
