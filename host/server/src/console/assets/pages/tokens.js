import { useState } from "preact/hooks";

import { at, post, remove } from "../api.js";
import { moment, list, setTimeZone, t } from "../i18n.js";
import { TenantLink } from "../named.js";
import { TenantField } from "./tenants.js";
import { Asks, CheckField, Fieldset, Form, html, List, Opens, Page, Secret, Section, TextField } from "../ui.js";

const SCOPES = ["read", "operate", "manage", "platform"];

export function Tokens() {
  setTimeZone(undefined);
  const [turn, setTurn] = useState(0);
  const again = () => setTurn((before) => before + 1);
  return html`<${Page} title=${t("nav.tokens")} actions=${html`<${Opens} label=${t("tokens.add")} kind="primary">${(close) => html`<${Add} close=${close} again=${again} />`}<//>`}>
    <${Section} title=${t("tokens.all")} lead=${t("tokens.lead")}>
      <${List} path="/tokens" turn=${turn} caption=${t("nav.tokens")} keyOf=${(one) => one.id} columns=${[
        { title: t("name"), cell: (one) => one.name },
        { title: t("tenant"), cell: (one) => (one.tenant ? html`<${TenantLink} id=${one.tenant} />` : t("tokens.platform")) },
        { title: t("tokens.scopes"), cell: (one) => list(one.scopes.map((scope) => t(`scope.${scope}`))) },
        { title: t("tokens.expires_at"), cell: (one) => (one.expires_at ? html`${moment(one.expires_at)}${new Date(one.expires_at) <= new Date() && html` <span class="badge bad">${t("tokens.expired")}</span>`}` : t("tokens.never")) },
        { title: t("tokens.last_used_at"), cell: (one) => moment(one.last_used_at) },
        { title: "", kind: "buttons", cell: (one) => html`<${Asks} kind="quiet" label=${t("tokens.revoke")} question=${t("tokens.revoke_question", { name: one.name })} detail=${t("tokens.revoke_detail")}
          done=${t("removed")} on=${async () => {
            await remove(at`/tokens/${one.id}`);
            again();
          }} />` },
      ]} />
    <//>
  <//>`;
}

function Add({ close, again }) {
  const [value, setValue] = useState({ name: "", tenant: "", scopes: ["read"], expires: "" });
  const [secret, setSecret] = useState(null);
  const set = (name) => (given) => setValue({ ...value, [name]: given });
  const add = async () => {
    const made = await post("/tokens", {
      name: value.name,
      tenant: value.tenant.trim() || null,
      scopes: value.scopes,
      expires_at: value.expires ? new Date(`${value.expires}T23:59:59`).toISOString() : null,
    });
    setSecret(made.secret);
    again();
  };
  if (secret) return html`<${Secret} label=${t("tokens.secret")} value=${secret} />`;
  return html`<${Form} on=${add} submit=${t("tokens.add")} cancel=${close}>
    <${TextField} label=${t("name")} hint=${t("tokens.name_hint")} path="/name" required value=${value.name} on=${set("name")} />
    <${TenantField} label=${t("tenant")} hint=${t("tokens.tenant_hint")} path="/tenant" value=${value.tenant} on=${set("tenant")} />
    <${Fieldset} label=${t("tokens.scopes")} path="/scopes">
      ${SCOPES.map((scope) => html`<${CheckField} label=${t(`scope.${scope}`)} hint=${t(`scope_hint.${scope}`)} checked=${value.scopes.includes(scope)}
        on=${(ticked) => set("scopes")(SCOPES.filter((one) => (one === scope ? ticked : value.scopes.includes(one))))} />`)}
    <//>
    <${TextField} label=${t("tokens.expires_at")} hint=${t("tokens.expires_hint")} type="date" path="/expires_at" value=${value.expires} on=${set("expires")} />
  <//>`;
}
