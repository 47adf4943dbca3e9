// The names of things that lists know by their identifiers; the identifier until the name is there.

import { at } from "./api.js";
import { link } from "./route.js";
import { connectionOf, connectorTitle, recordName, tenantName } from "./names.js";
import { html, useAnswer } from "./ui.js";

/** What `ask` answers, and `id` until then or where it cannot be had. */
const useName = (ask, on, id) => useAnswer(async () => (await ask()) ?? id, on).value ?? id;

export const useTenantName = (id) => useName(() => tenantName(id), ["tenant", id], id);

export function TenantName({ id }) {
  return useTenantName(id);
}

export const TenantLink = ({ id }) => html`<a href=${link`/tenants/${id}`}><${TenantName} id=${id} /></a>`;

export function ConnectionLink({ tenant, id }) {
  const name = useName(async () => (await connectionOf(tenant, id))?.title, ["connection", tenant, id], id);
  return html`<a href=${`#${at`/tenants/${tenant}/connections/${id}`}`}>${name}</a>`;
}

export function ConnectorName({ id }) {
  return useName(() => connectorTitle(id), ["connector", id], id);
}

/** A record by its kind as the API's paths call it. */
export function RecordName({ tenant, kind, id }) {
  return useName(() => recordName(tenant, kind, id), ["record", tenant, kind, id], id);
}
