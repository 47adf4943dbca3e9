// What all pages of one connection have in common: its name, its state, the way to the other pages.

import { at, get } from "../api.js";
import { setTimeZone, t } from "../i18n.js";
import { credentialTitles, manifestOf, speakOf } from "../names.js";
import { here, link } from "../route.js";
import { Answer, html, Page, StateBadge, useAnswer } from "../ui.js";

/** Where a connection is in the API, and in the console behind the `#`. */
export const baseOf = (connection) => at`/tenants/${connection.tenant}/connections/${connection.id}`;

/** The credentials that are missing, of each group one; empty when none is. */
export const missingOf = (connection, manifest) => connection.missing_credentials.map((names) => credentialTitles(names, manifest)).join(", ");

/** The connection, its tenant and the manifest of its version. */
export function useConnection({ tenant, connection }) {
  const ask = async () => {
    const [owner, found] = await Promise.all([get(at`/tenants/${tenant}`), get(at`/tenants/${tenant}/connections/${connection}`)]);
    return { owner, connection: found, manifest: await manifestOf(found.version.digest) };
  };
  return useAnswer(ask, [tenant, connection], ({ owner, manifest }) => {
    setTimeZone(owner.time_zone);
    speakOf(manifest);
  });
}

const PLACES = ["", "runs", "queue", "failed", "log", "bindings", "settings", "access", "schedule", "versions"];

export function Tabs({ tenant, connection, counts = {} }) {
  const base = link`/tenants/${tenant}/connections/${connection}`;
  const now = `#${here().path}`;
  return html`<nav class="tabs" aria-label=${t("nav.connection")}><ul>${PLACES.map((place) => {
    const address = place ? `${base}/${place}` : base;
    const current = now === address ? "page" : place && now.startsWith(`${address}/`) ? "true" : undefined;
    return html`<li><a href=${address} aria-current=${current}>${t(`tab.${place || "overview"}`)}${
      counts[place] > 0 && html`${" "}<span class="badge bad">${counts[place]}</span>`
    }</a></li>`;
  })}</ul></nav>`;
}

/** A page of a connection; `children` is a function of what `useConnection` has. */
export function ConnectionPage({ tenant, connection, title, of, children }) {
  const crumbs = [[of.value?.owner.name || tenant, link`/tenants/${tenant}`], [of.value?.connection.title || connection, link`/tenants/${tenant}/connections/${connection}`]];
  const shown = of.value?.connection;
  return html`<${Page} title=${title} crumbs=${crumbs} badge=${shown && html`<${StateBadge} of=${shown} />`}
    nav=${html`<${Tabs} tenant=${tenant} connection=${connection} counts=${{ failed: shown?.failed_records, queue: shown && shown.dead + shown.given_up_webhooks }} />`}>
    <${Answer} of=${of}>${children}<//>
  <//>`;
}
