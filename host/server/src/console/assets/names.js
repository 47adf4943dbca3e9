// What things are called: tenants, connections, connectors, records, and what the manifest of the
// connection that is shown calls its settings and credentials. The server names them by identifiers.

import { at, get, getAll } from "./api.js";
import { own, t } from "./i18n.js";

// ---- of the connection that is shown

let manifest = null;

/** From now on settings and credentials are those of this manifest. */
export const speakOf = (given) => {
  manifest = given;
};

/** What a schema calls a value. */
export const titleOf = (schema, name) => own(schema["x-titles"]) || schema.title || name;

export const credentialTitle = (name, of = manifest) => own(of?.credentials.find((one) => one.name === name)?.title) || name;

export const credentialTitles = (names, of = manifest) => names.map((name) => credentialTitle(name, of)).join(" / ");

/** The title of a setting, by its JSON pointer or its dotted path; null where the schema has none. */
export function settingTitle(path, of = manifest) {
  const names = path.split(/[/.]/).filter(Boolean);
  let schema = of?.settings_schema;
  const titles = [];
  for (const name of names) {
    const isRow = /^\d+$/.test(name) && schema?.items;
    schema = isRow ? schema.items : schema?.properties?.[name] ?? (typeof schema?.additionalProperties === "object" ? schema.additionalProperties : null);
    if (!schema) return null;
    titles.push(isRow ? t("settings.row", { number: Number(name) + 1 }) : titleOf(schema, name));
  }
  return titles.length ? titles.join(" – ") : null;
}

/** A text of the server, in which settings and credentials that stand in \`backticks\` get their titles. */
export function worded(text) {
  if (!manifest) return text;
  return String(text ?? "").replace(/`([\w./-]+)`/g, (all, name) => {
    const title = manifest.credentials.some((one) => one.name === name) ? credentialTitle(name) : settingTitle(name);
    return title ? t("quoted", { text: title }) : all;
  });
}

// ---- of the others, as long as a page is open

let known = new Map();
let seesAll = false;

/** Whether whoever looks sees all tenants. */
export const see = (all) => {
  seesAll = all;
  known = new Map();
};

/** Another page is opened: names may have changed since. */
export const forgetNames = () => {
  known = new Map();
  manifest = null;
};

function once(key, ask) {
  if (!known.has(key)) {
    const asked = ask();
    known.set(key, asked);
    const now = known;
    asked.catch(() => now.delete(key));
  }
  return known.get(key);
}

const byId = (items, name) => new Map(items.map((one) => [one.id ?? one.name ?? one.key, name(one)]));

/** Most that are asked for at once; of those beyond, each is asked for by itself. */
const MANY = 500;

/** The name of a tenant. */
export const tenantName = async (id) => {
  const some = seesAll && (await once("tenants", async () => byId((await get("/tenants", { limit: MANY })).items, (one) => one.name)));
  return (some && some.get(id)) ?? (await once(`tenant ${id}`, async () => (await get(at`/tenants/${id}`)).name));
};

const connections = (tenant) => once(`connections ${tenant}`, async () => new Map((await getAll(at`/tenants/${tenant}/connections`)).map((one) => [one.id, one])));

/** The connection with its title and version. */
export const connectionOf = async (tenant, id) => (await connections(tenant)).get(id) ?? null;

export const connectorTitle = async (name) =>
  (await once("connectors", async () => byId(await getAll("/connectors"), (one) => own(one.title)))).get(name) || name;

/** The name of a record of the platform, by its kind as the API's paths call it. */
export const recordName = async (tenant, kind, key) => {
  const path = at`/tenants/${tenant}/records/${kind}`;
  const name = (one) => one.name || one.title || one.number || one.key;
  const some = await once(`records ${path}`, async () => byId((await get(path, { limit: MANY })).items.map((one) => ({ key: one.key, of: one })), ({ of }) => name(of)));
  return some.get(key) ?? (await once(`record ${path} ${key}`, async () => (await get(path, { key })).items.map(name)[0] ?? key));
};

const manifests = new Map();

/** A digest names one manifest for ever, so it is asked for once. */
export function manifestOf(digest) {
  if (!manifests.has(digest)) {
    const asked = get(at`/versions/${digest}`).then((version) => version.manifest);
    manifests.set(digest, asked);
    asked.catch(() => manifests.delete(digest));
  }
  return manifests.get(digest);
}
