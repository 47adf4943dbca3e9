import { useState } from "preact/hooks";

import { at, get, getAll, patch, post, remove } from "../api.js";
import { LANGUAGES, moment, setTimeZone, t, timeZone } from "../i18n.js";
import { go, link } from "../route.js";
import { Answer, Asks, Badge, Count, Form, html, List, Opens, Page, Section, SelectField, Table, TextField, useAnswer } from "../ui.js";

const ZONES = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : ["UTC"];

/** Loads a tenant, and sets the clocks of the pages under it. */
export function useTenant(tenant) {
  return useAnswer(async () => {
    const found = await get(at`/tenants/${tenant}`);
    setTimeZone(found.time_zone);
    return found;
  }, tenant);
}

export function Tenants() {
  setTimeZone(undefined);
  return html`<${Page} title=${t("nav.tenants")} actions=${html`<${Opens} label=${t("tenants.add")} kind="primary">${(close) => html`<${AddTenant} close=${close} />`}<//>`}>
    <${Section} title=${t("tenants.all")}>
      <${List} path="/tenants" caption=${t("nav.tenants")} empty=${t("tenants.none")} keyOf=${(one) => one.id} columns=${[
        { title: t("name"), cell: (one) => html`<a href=${link`/tenants/${one.id}`}>${one.name}</a>` },
        { title: t("id"), cell: (one) => html`<code>${one.id}</code>` },
        { title: t("time_zone"), cell: (one) => one.time_zone },
        { title: t("language"), cell: (one) => LANGUAGES[one.language] || one.language },
        { title: t("created_at"), cell: (one) => moment(one.created_at) },
      ]} />
    <//>
  <//>`;
}

function TenantFields({ value, on, fixed }) {
  const set = (name) => (text) => on({ ...value, [name]: text });
  return html`
    ${!fixed && html`<${TextField} label=${t("id")} hint=${t("id.hint")} path="/id" required value=${value.id} on=${set("id")} />`}
    <${TextField} label=${t("name")} path="/name" required value=${value.name} on=${set("name")} />
    <${SelectField} label=${t("time_zone")} path="/time_zone" value=${value.time_zone} on=${set("time_zone")}
      options=${[...new Set([value.time_zone, "UTC", ...ZONES])].map((zone) => ({ value: zone, label: zone }))} />
    <${SelectField} label=${t("language")} path="/language" value=${value.language} on=${set("language")}
      options=${Object.entries(LANGUAGES).map(([code, label]) => ({ value: code, label }))} />`;
}

function AddTenant({ close }) {
  const [value, setValue] = useState({ id: "", name: "", time_zone: timeZone(), language: document.documentElement.lang });
  const add = async () => {
    const made = await post("/tenants", value);
    close();
    go(link`/tenants/${made.id}`);
  };
  return html`<${Form} on=${add} submit=${t("tenants.add")} cancel=${close}><${TenantFields} value=${value} on=${setValue} /><//>`;
}

export function TenantSettings({ tenant, may }) {
  const found = useTenant(tenant);
  return html`<${Page} title=${t("nav.settings")} crumbs=${[[tenant, link`/tenants/${tenant}`]]}>
    <${Answer} of=${found}>${(one) => (may.platform ? html`<${ChangeTenant} tenant=${one} again=${found.again} />` : html`<${ShowTenant} tenant=${one} />`)}<//>
  <//>`;
}

const ShowTenant = ({ tenant }) => html`<${Section} title=${tenant.name}><p>${tenant.time_zone} · ${LANGUAGES[tenant.language] || tenant.language}</p><//>`;

function ChangeTenant({ tenant, again }) {
  const [value, setValue] = useState(tenant);
  const save = async () => {
    const { name, time_zone, language } = value;
    await patch(at`/tenants/${tenant.id}`, { name, time_zone, language });
    again();
  };
  const drop = async () => {
    await remove(at`/tenants/${tenant.id}`);
    go("#/tenants");
  };
  return html`<${Section} title=${tenant.name}>
      <${Form} on=${save} submit=${t("save")} done=${t("saved")}><${TenantFields} value=${value} on=${setValue} fixed /><//>
    <//>
    <${Section} title=${t("tenants.remove")} lead=${t("tenants.remove_lead")}>
      <${Asks} kind="danger" label=${t("tenants.remove")} question=${t("tenants.remove_question", { name: tenant.name })} on=${drop} done=${t("removed")} />
    <//>`;
}

/** Its connections. */
export function Tenant({ tenant, may }) {
  const found = useTenant(tenant);
  return html`<${Answer} of=${found}>${(one) => html`<${Connections} tenant=${one} may=${may} />`}<//>`;
}

function Connections({ tenant, may }) {
  const connections = useAnswer(() => getAll(at`/tenants/${tenant.id}/connections`), tenant.id);
  const add = may.manage && html`<a class="button primary" href=${link`/tenants/${tenant.id}/add`}>${t("connections.add")}</a>`;
  return html`<${Page} title=${tenant.name} actions=${add}>
    <${Section} title=${t("nav.connections")}>
      <${Answer} of=${connections}>${(items) =>
        items.length
          ? html`<${Table} caption=${t("nav.connections")} items=${items} keyOf=${(one) => one.id} columns=${[
              { title: t("name"), cell: (one) => html`<a href=${link`/tenants/${tenant.id}/connections/${one.id}`}>${one.title || one.id}</a>` },
              { title: t("connector"), cell: (one) => `${one.connector} ${one.version?.version ?? ""}` },
              { title: t("state"), cell: (one) => html`<${Badge} group="state" name=${one.running ? "running" : one.state} />` },
              { title: t("last_run"), cell: (one) => (one.last_run ? html`${moment(one.last_run.started_at)} <${Badge} group="outcome" name=${one.last_run.outcome} />` : "–") },
              { title: t("failed_records"), kind: "number", cell: (one) => html`<${Count} of=${one.failed_records} />` },
              { title: t("dead_requests"), kind: "number", cell: (one) => html`<${Count} of=${one.dead} />` },
            ]} />`
          : html`<p class="empty">${t("connections.none")}</p>`}<//>
    <//>
  <//>`;
}
