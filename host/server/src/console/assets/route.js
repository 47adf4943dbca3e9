// Which page is open stands behind the # of the address, in the words of the API's paths.

import { at } from "./api.js";

/** The address of a page: link`/tenants/${tenant}`. */
export const link = (texts, ...parts) => `#${at(texts, ...parts)}`;

let wanted = null;

/** Leads to a page, as a consequence of what was done here. */
export const go = (address) => {
  wanted = address;
  location.hash = address;
};

/** Whether the page was opened by `go`, until it is shown. */
export const wasLed = () => wanted === location.hash;

/** It is shown. */
export const landed = () => {
  wanted = null;
};

export function here() {
  const [path, query] = (location.hash.slice(1) || "/").split("?");
  return { path, query: Object.fromEntries(new URLSearchParams(query || "")) };
}

/** Keeps filters in the address without a step in the history. */
export function keepQuery(query) {
  const given = Object.entries(query).filter(([, value]) => value);
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  history.replaceState(null, "", `#${here().path}${search}`);
}

/** The first pattern that fits, with its parts: "/tenants/:tenant". */
export function match(patterns, path) {
  const given = path.split("/").filter(Boolean);
  for (const [pattern, page] of patterns) {
    const wanted = pattern.split("/").filter(Boolean);
    if (wanted.length !== given.length) continue;
    const parts = {};
    const fits = wanted.every((part, index) => {
      if (!part.startsWith(":")) return part === given[index];
      try {
        parts[part.slice(1)] = decodeURIComponent(given[index]);
        return true;
      } catch {
        return false;
      }
    });
    if (fits) return { page, parts };
  }
  return null;
}
