// What is held for maintenance: everything, a connector or a tenant.

import { useState } from "preact/hooks";

import { get, getAll, put, remove } from "../api.js";
import { moment, own, setTimeZone, t } from "../i18n.js";
import { connectorTitle, tenantName } from "../names.js";
import { Answer, Asks, Form, html, Opens, Page, Section, SelectField, TextField, useAnswer, useEvery } from "../ui.js";
import { actorText } from "./audit.js";
import { TenantField } from "./tenants.js";

const SCOPES = ["all", "connector", "tenant"];

/** What is held, for people. */
function What({ of }) {
  const named = useAnswer(() => (of.scope === "tenant" ? tenantName(of.name) : of.scope === "connector" ? connectorTitle(of.name) : Promise.resolve(null)), [of.scope, of.name]);
  return of.name ? t(`maintenance.of_${of.scope}`, { name: named.value ?? of.name }) : t("maintenance.of_all");
}

export function Maintenance() {
  setTimeZone(undefined);
  const found = useAnswer(() => get("/maintenance"), "maintenance");
  useEvery(5000, found.again);
  const begin = html`<${Opens} label=${t("maintenance.begin")} kind="primary">${(close) => html`<${Begin} close=${close} again=${found.again} />`}<//>`;
  return html`<${Page} title=${t("nav.maintenance")} actions=${begin}>
    <${Section} title=${t("maintenance.title")} lead=${t("maintenance.lead")}>
      <${Answer} of=${found}>${({ items }) => (items.length ? items.map((one) => html`<${Held} key=${`${one.scope} ${one.name}`} one=${one} again=${found.again} />`) : html`<p class="faint">${t("maintenance.none")}</p>`)}<//>
    <//>
  <//>`;
}

function Held({ one, again }) {
  const end = async () => {
    await remove("/maintenance", { scope: one.scope, name: one.name });
    again();
  };
  return html`<div class="note warn">
    <p><strong><${What} of=${one} /></strong>${one.note && html` · ${one.note}`}</p>
    <p class="faint">${t("maintenance.since", { time: moment(one.since), actor: actorText(one.actor) })}</p>
    <${Asks} label=${t("maintenance.end")} question=${t("maintenance.end_question")} detail=${t("maintenance.end_detail")} on=${end} done=${t("maintenance.ended")} />
  </div>`;
}

function Begin({ close, again }) {
  const [value, setValue] = useState({ scope: "all", name: "", note: "" });
  const connectors = useAnswer(() => getAll("/connectors"), "connectors");
  const set = (name) => (given) => setValue({ ...value, [name]: given, ...(name === "scope" && { name: "" }) });
  const begin = async () => {
    const name = value.scope === "all" ? undefined : value.name.trim();
    await put("/maintenance", { scope: value.scope, name, note: value.note.trim() });
    close();
    again();
  };
  return html`<${Form} on=${begin} submit=${t("maintenance.begin")} cancel=${close} done=${t("maintenance.begun")}>
    <${SelectField} label=${t("maintenance.scope")} path="/scope" value=${value.scope} on=${set("scope")} options=${SCOPES.map((one) => ({ value: one, label: t(`maintenance.scope.${one}`) }))} />
    ${value.scope === "connector" && html`<${SelectField} label=${t("connector")} path="/name" required value=${value.name} on=${set("name")} none=${t("settings.none")}
      options=${(connectors.value || []).map((one) => ({ value: one.name, label: own(one.title) || one.name }))} />`}
    ${value.scope === "tenant" && html`<${TenantField} label=${t("tenant")} path="/name" required value=${value.name} on=${set("name")} />`}
    <${TextField} label=${t("maintenance.note")} hint=${t("maintenance.note_hint")} path="/note" value=${value.note} on=${set("note")} />
  <//>`;
}
