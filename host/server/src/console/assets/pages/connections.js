// Connections: of one tenant, and of all for those who look after the platform.

import { useState } from "preact/hooks";

import { at } from "../api.js";
import { moment, setTimeZone, t } from "../i18n.js";
import { link } from "../route.js";
import { Answer, Badge, Count, Filters, html, List, Page, SearchField, Section, SelectField, StateBadge } from "../ui.js";
import { ConnectorName, TenantLink } from "../named.js";
import { useTenant } from "./tenants.js";

const STATES = ["on", "off", "paused"];

export function Tenant({ tenant, query, may }) {
  const found = useTenant(tenant);
  const add = found.value && may.manage && html`<a class="button primary" href=${link`/tenants/${tenant}/add`}>${t("connections.add")}</a>`;
  return html`<${Page} title=${found.value?.name ?? tenant} actions=${add}>
    <${Answer} of=${found}>${() => html`<${Section} title=${t("nav.connections")}>
      <${Connections} path=${at`/tenants/${tenant}/connections`} query=${query} />
    <//>`}<//>
  <//>`;
}

export function AllConnections({ query }) {
  setTimeZone(undefined);
  return html`<${Page} title=${t("nav.all_connections")}>
    <${Section} title=${t("connections.all")}><${Connections} path="/connections" query=${query} all /><//>
  <//>`;
}

function Connections({ path, query, all }) {
  const [wanted, setWanted] = useState({ q: query.q || "", state: STATES.includes(query.state) ? query.state : "" });
  return html`
    <${Filters} value=${wanted} on=${setWanted}>${(set) => html`
      <${SearchField} label=${t("search")} value=${wanted.q} on=${set("q")} />
      <${SelectField} label=${t("state")} value=${wanted.state} none=${t("any")} on=${set("state")} options=${STATES.map((one) => ({ value: one, label: t(`state.${one}`) }))} />
    `}<//>
    <${List} path=${path} query=${wanted} every=${5000} caption=${t("nav.connections")} keyOf=${(one) => `${one.tenant}/${one.id}`}
      empty=${wanted.q || wanted.state ? t("connections.none_such") : t("connections.none")} columns=${[
        { title: t("name"), cell: (one) => html`<a href=${link`/tenants/${one.tenant}/connections/${one.id}`}>${one.title || one.id}</a>` },
        ...(all ? [{ title: t("tenant"), cell: (one) => html`<${TenantLink} id=${one.tenant} />` }] : []),
        { title: t("connector"), cell: (one) => html`<${ConnectorName} id=${one.connector} /> ${one.version.version}` },
        { title: t("state"), cell: (one) => html`<${StateBadge} of=${one} />${one.paused_reason && html` ${one.paused_reason}`}${
            one.given_up_webhooks > 0 && html` <a class="badge bad" href=${link`/tenants/${one.tenant}/connections/${one.id}` + "/queue"}>${t("webhooks.given_up", { count: one.given_up_webhooks })}</a>`
          }${
            one.open_questions > 0 && html` <span class="badge warn">${t("question.waits")}</span>`
          }` },
        { title: t("last_run"), cell: (one) => (one.last_run ? html`${moment(one.last_run.started_at)} <${Badge} group="outcome" name=${one.last_run.outcome} />` : "–") },
        { title: t("failed_records"), kind: "number", cell: (one) => html`<${Count} of=${one.failed_records} />` },
        { title: t("dead_requests"), kind: "number", cell: (one) => html`<${Count} of=${one.dead} />` },
      ]} />`;
}
