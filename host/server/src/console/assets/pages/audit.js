import { at } from "../api.js";
import { moments, named, setTimeZone, t } from "../i18n.js";
import { link } from "../route.js";
import { html, List, Page, Section } from "../ui.js";
import { useTenant } from "./tenants.js";

export function Audit({ tenant }) {
  return tenant ? html`<${OfTenant} tenant=${tenant} />` : html`<${OfPlatform} />`;
}

function OfTenant({ tenant }) {
  useTenant(tenant);
  return html`<${Entries} path=${at`/tenants/${tenant}/audit`} crumbs=${[[tenant, link`/tenants/${tenant}`]]} />`;
}

function OfPlatform() {
  setTimeZone(undefined);
  return html`<${Entries} path="/audit" all />`;
}

function Entries({ path, crumbs, all }) {
  return html`<${Page} title=${t("nav.audit")} crumbs=${crumbs}>
    <${Section} title=${t("audit.title")} lead=${t("audit.lead")}>
      <${List} path=${path} caption=${t("nav.audit")} columns=${[
        { title: t("at"), cell: (one) => moments(one.at) },
        { title: t("audit.actor"), cell: (one) => one.actor },
        ...(all ? [{ title: t("tenant"), cell: (one) => (one.tenant ? html`<a href=${link`/tenants/${one.tenant}`}>${one.tenant}</a>` : "–") }] : []),
        { title: t("connection"), cell: (one) => (one.connection ? html`<a href=${link`/tenants/${one.tenant}/connections/${one.connection}`}>${one.connection}</a>` : "–") },
        { title: t("audit.action"), cell: (one) => named("did", one.action) },
        { title: t("audit.detail"), kind: "wide", cell: (one) => detail(one.detail) },
      ]} />
    <//>
  <//>`;
}

/** The members that say something, in the words of the API. */
function detail(value) {
  const given = Object.entries(value ?? {}).filter(([, member]) => member !== null && member !== undefined);
  if (!given.length) return "–";
  const text = (member) => (typeof member === "object" ? JSON.stringify(member) : String(member));
  return html`<dl class="changes">${given.map(([name, member]) => html`<div><dt>${name}</dt><dd>${text(member)}</dd></div>`)}</dl>`;
}
