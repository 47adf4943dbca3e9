// Texts, numbers and times in the language of who reads them. A catalogue is text/<language>.json:
// a text with {placeholders}, or one text per plural form of {count}.

import { browser } from "./memory.js";

export const LANGUAGES = { en: "English", uk: "Українська", ru: "Русский" };
const STORED = "tenon.language";

let current = "en";
let chosen = browser.read(STORED) !== null;
let zone;
let texts = {};
let plurals = new Intl.PluralRules("en");
const catalogues = {};

export const language = () => current;

/** The chosen language, else the first of the browser's that there is. */
export function preferredLanguage() {
  const wanted = [browser.read(STORED), ...navigator.languages].filter(Boolean);
  return wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in LANGUAGES) || "en";
}

export async function speak(wanted) {
  if (!catalogues[wanted]) {
    const file = new URL(`text/${wanted}.json`, document.baseURI);
    catalogues[wanted] = await (await fetch(file)).json();
  }
  current = wanted;
  texts = catalogues[wanted];
  plurals = new Intl.PluralRules(wanted);
  document.documentElement.lang = wanted;
}

export async function choose(wanted) {
  await speak(wanted);
  chosen = true;
  browser.write(STORED, wanted);
}

/** Speaks the language of a tenant to its people, unless they chose one. */
export async function suggest(wanted) {
  if (!chosen && wanted !== current && wanted in LANGUAGES) await speak(wanted);
}

export function t(key, values = {}) {
  let text = texts[key];
  if (text === undefined) return key;
  if (typeof text === "object") text = text[plurals.select(values.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : String(value ?? "");
  });
}

/** The text of a value that the server names; the name itself when it is newer than this console. */
export function named(group, name) {
  const key = `${group}.${name}`;
  return key in texts ? texts[key] : name;
}

/** One of a connector's texts, which come in all languages. */
export function own(text) {
  if (text === null || typeof text !== "object") return text ?? "";
  return text[current] ?? text.en ?? Object.values(text)[0] ?? "";
}

/** A number or a decimal in a text, with all its digits. */
export const number = (value) => new Intl.NumberFormat(current, { maximumFractionDigits: 20 }).format(value);

/** An amount in a currency, also in one that the browser does not know. */
export function money(amount, currency) {
  try {
    return new Intl.NumberFormat(current, { style: "currency", currency, maximumFractionDigits: 20 }).format(amount);
  } catch {
    return `${number(amount)} ${currency}`;
  }
}

export const size = (bytes) =>
  bytes < 1e6
    ? new Intl.NumberFormat(current, { style: "unit", unit: "kilobyte", maximumFractionDigits: 0 }).format(bytes / 1e3)
    : new Intl.NumberFormat(current, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 }).format(bytes / 1e6);

/** Times are shown as the tenant's clocks show them; without a tenant, as this machine's do. */
export function setTimeZone(name) {
  try {
    new Intl.DateTimeFormat(current, { timeZone: name });
    zone = name;
  } catch {
    zone = undefined;
  }
}

export const timeZone = () => zone || Intl.DateTimeFormat().resolvedOptions().timeZone;

export function moment(instant) {
  if (!instant) return "–";
  return new Intl.DateTimeFormat(current, { dateStyle: "medium", timeStyle: "short", timeZone: zone }).format(new Date(instant));
}

export function moments(instant) {
  return new Intl.DateTimeFormat(current, { dateStyle: "medium", timeStyle: "medium", timeZone: zone }).format(new Date(instant));
}

export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const [value, unit] =
    seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [Math.round(seconds / 60), "minute"] : [Math.round(seconds / 3600), "hour"];
  return new Intl.NumberFormat(current, { style: "unit", unit, unitDisplay: "long" }).format(value);
}

export const either = (words) => new Intl.ListFormat(current, { type: "disjunction" }).format(words);

export const list = (words) => new Intl.ListFormat(current, { type: "conjunction" }).format(words);
