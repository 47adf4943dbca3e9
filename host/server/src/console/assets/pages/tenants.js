import { useId, useState } from "preact/hooks";

import { at, get, patch, post, remove } from "../api.js";
import { LANGUAGES, moment, setTimeZone, t, timeZone } from "../i18n.js";
import { go, link } from "../route.js";
import { Answer, Asks, Filters, Form, html, Labelled, List, NumberField, Opens, Page, SearchField, Section, SelectField, TextField, useAnswer, useCalm, useKept } from "../ui.js";

const ZONES = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : ["UTC"];

const CURRENCIES = Intl.supportedValuesOf ? Intl.supportedValuesOf("currency") : ["EUR", "RUB", "UAH", "USD"];

/** Loads a tenant, and sets the clocks of the pages under it. */
export function useTenant(tenant) {
  return useAnswer(() => get(at`/tenants/${tenant}`), tenant, (found) => setTimeZone(found.time_zone));
}

export function Tenants({ query, me, may }) {
  // To a token of one tenant the others are not there.
  return me.tenant ? html`<${OwnTenant} tenant=${me.tenant} />` : html`<${AllTenants} ...${{ query, may }} />`;
}

function OwnTenant({ tenant }) {
  const found = useTenant(tenant);
  return html`<${Page} title=${t("nav.tenants")}>
    <${Section} title=${t("tenant")}><${Answer} of=${found}>${(one) => html`<p><a href=${link`/tenants/${one.id}`}>${one.name}</a></p>`}<//><//>
  <//>`;
}

function AllTenants({ query, may }) {
  setTimeZone(undefined);
  const [wanted, setWanted] = useState({ q: query.q || "" });
  return html`<${Page} title=${t("nav.tenants")} actions=${may.platform && html`<${Opens} label=${t("tenants.add")} kind="primary">${(close) => html`<${AddTenant} close=${close} />`}<//>`}>
    <${Section} title=${t("tenants.all")}>
      <${Filters} value=${wanted} on=${setWanted}>${(set) => html`<${SearchField} label=${t("search")} value=${wanted.q} on=${set("q")} />`}<//>
      <${List} path="/tenants" query=${wanted} caption=${t("nav.tenants")} empty=${t("tenants.none")} keyOf=${(one) => one.id} columns=${[
        { title: t("name"), cell: (one) => html`<a href=${link`/tenants/${one.id}`}>${one.name}</a>` },
        { title: t("id"), cell: (one) => html`<code>${one.id}</code>` },
        { title: t("time_zone"), cell: (one) => one.time_zone },
        { title: t("language"), cell: (one) => LANGUAGES[one.language] || one.language },
        { title: t("currency"), cell: (one) => one.currency },
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
      options=${Object.entries(LANGUAGES).map(([code, label]) => ({ value: code, label }))} />
    <${SelectField} label=${t("currency")} hint=${t("currency.hint")} path="/currency" value=${value.currency} on=${set("currency")}
      options=${[...new Set([value.currency, ...CURRENCIES])].map((code) => ({ value: code, label: code }))} />
    ${fixed && html`<${NumberField} label=${t("tenants.keep_days")} hint=${t("tenants.keep_days_hint")} path="/keep_days" value=${value.keep_days} on=${set("keep_days")} />
    <${NumberField} label=${t("tenants.keep_log_lines")} hint=${t("tenants.keep_log_lines_hint")} path="/keep_log_lines" value=${value.keep_log_lines} on=${set("keep_log_lines")} />`}`;
}

function AddTenant({ close }) {
  const [value, setValue] = useState({ id: "", name: "", time_zone: timeZone(), language: document.documentElement.lang, currency: "UAH" });
  const add = async () => {
    const made = await post("/tenants", value);
    close();
    go(link`/tenants/${made.id}`);
  };
  return html`<${Form} on=${add} submit=${t("tenants.add")} cancel=${close}><${TenantFields} value=${value} on=${setValue} /><//>`;
}

export function TenantSettings({ tenant, may }) {
  const found = useTenant(tenant);
  return html`<${Page} title=${t("nav.settings")} crumbs=${[[found.value?.name || tenant, link`/tenants/${tenant}`]]}>
    <${Answer} of=${found}>${(one) => (may.platform ? html`<${ChangeTenant} tenant=${one} again=${found.again} />` : html`<${ShowTenant} tenant=${one} />`)}<//>
  <//>`;
}

const ShowTenant = ({ tenant }) => html`<${Section} title=${tenant.name}><p>${tenant.time_zone} · ${LANGUAGES[tenant.language] || tenant.language} · ${tenant.currency}</p><//>`;

function ChangeTenant({ tenant, again }) {
  const [value, setValue] = useState(tenant);
  const save = async () => {
    const { name, time_zone, language, currency, keep_days, keep_log_lines } = value;
    await patch(at`/tenants/${tenant.id}`, { name, time_zone, language, currency, keep_days, keep_log_lines });
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

/** One of the tenants: those are offered whose name or identifier holds what is typed, and the one that is
 * chosen is named. */
export function TenantField({ label, hint, path, required, value, on }) {
  const id = useId();
  const sought = useCalm(value).trim();
  const found = useAnswer(() => get("/tenants", { q: sought, limit: 20 }), sought);
  const offered = useKept(found.value)?.items ?? [];
  const chosen = value && offered.find((one) => one.id === value);
  return html`<${Labelled} ...${{ label, hint, path, required }}>${(attributes) => html`
    <input ...${attributes} type="text" list=${id} autocomplete="off" spellcheck=${false} value=${value} placeholder=${t("settings.type")}
      onInput=${(event) => on(event.target.value)} />
    <datalist id=${id}>${offered.map((one) => html`<option key=${one.id} value=${one.id}>${one.name}</option>`)}</datalist>
    <p class="hint" role="status">${chosen ? chosen.name : value && value === sought && found.value ? t("tenants.no_such") : ""}</p>`}<//>`;
}
