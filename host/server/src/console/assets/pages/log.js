// What runs logged, of one connection or of all in a tenant.

import { useState } from "preact/hooks";

import { at } from "../api.js";
import { moments, t } from "../i18n.js";
import { link } from "../route.js";
import { Answer, Badge, Filters, html, List, Page, Said, SearchField, Section, SelectField } from "../ui.js";
import { ConnectionLink } from "../named.js";
import { ConnectionPage, useConnection } from "./connection-frame.js";
import { useTenant } from "./tenants.js";

export function Log(props) {
  return props.connection ? html`<${OfConnection} ...${props} />` : html`<${OfTenant} ...${props} />`;
}

function OfConnection({ tenant, connection, query }) {
  const of = useConnection({ tenant, connection });
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${t("tab.log")}>${() =>
    html`<${Lines} path=${at`/tenants/${tenant}/connections/${connection}/log`} tenant=${tenant} connection=${connection} query=${query} />`}<//>`;
}

function OfTenant({ tenant, query }) {
  const of = useTenant(tenant);
  return html`<${Page} title=${t("nav.log")} crumbs=${[[of.value?.name || tenant, link`/tenants/${tenant}`]]}>
    <${Answer} of=${of}>${() => html`<${Lines} path=${at`/tenants/${tenant}/log`} tenant=${tenant} query=${query} />`}<//>
  <//>`;
}

function Lines({ path, tenant, connection, query }) {
  const [wanted, setWanted] = useState({ record: query.record || "", level: query.level || "", run: query.run || "" });
  const of = (line) => line.connection || connection;
  return html`<${Section} title=${t("log.lines")} lead=${t("log.lead")}>
    <${Filters} value=${wanted} on=${setWanted}>${(set) => html`
      <${SelectField} label=${t("level")} value=${wanted.level} none=${t("any")} on=${set("level")} options=${["info", "warn", "error"].map((one) => ({ value: one, label: t(`level.${one}`) }))} />
      <${SearchField} label=${t("record")} value=${wanted.record} on=${set("record")} />
      ${wanted.run && html`<div class="field"><span class="label">${t("log.run")}</span><button type="button" onClick=${() => set("run")("")}>${t("log.all_runs")}</button></div>`}
    `}<//>
    <${List} path=${path} query=${wanted} every=${5000} caption=${t("log.lines")} empty=${t("log.none")} columns=${[
      { title: t("at"), cell: (line) => (line.run ? html`<a href=${link`/tenants/${tenant}/connections/${of(line)}/runs/${line.run}`}>${moments(line.at)}</a>` : moments(line.at)) },
      ...(connection ? [] : [{ title: t("connection"), cell: (line) => html`<${ConnectionLink} tenant=${tenant} id=${line.connection} />` }]),
      { title: t("level"), cell: (line) => html`<${Badge} group="level" name=${line.level} />` },
      { title: t("message"), kind: "wide", cell: (line) => html`<${Said} text=${line.message} why=${line.why} base=${at`/tenants/${tenant}/connections/${of(line)}`} />` },
      { title: t("record"), cell: (line) => (line.record ? html`<${RecordLink} tenant=${tenant} record=${line.record} />` : "–") },
    ]} />
  <//>`;
}

/** Goes to all that was logged about the record. A line does not say of which kind it is. */
const RecordLink = ({ tenant, record }) => html`<a href=${link`/tenants/${tenant}/log` + `?${new URLSearchParams({ record })}`}><code>${record}</code></a>`;
