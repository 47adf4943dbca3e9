// Records of the embedded ERP, so that a line of the log can be followed to what it is about.

import { useState } from "preact/hooks";

import { at, get } from "../api.js";
import { t } from "../i18n.js";
import { go, link } from "../route.js";
import { Answer, html, List, Page, Section, SelectField, TextField, useAnswer } from "../ui.js";
import { Filters } from "./connection-lists.js";
import { useTenant } from "./tenants.js";

const KINDS = [
  "orders", "products", "partners", "stock", "categories", "organizations", "warehouses", "price-types", "currencies", "units", "users",
  "accounts", "order-stages", "order-sources", "agreements", "cancel-reasons", "delivery-services", "product-fields", "order-fields",
];

/** What people know a record by, whatever its kind. */
const COLUMNS = ["number", "name", "title", "product", "warehouse", "quantity", "total", "currency", "stage", "phone", "email", "origin"];

export function Records({ tenant, kind = "orders", query }) {
  const of = useTenant(tenant);
  const [wanted, setWanted] = useState({ key: query.key || "" });
  const cell = (value) => (value !== null && typeof value === "object" ? "…" : String(value ?? "–"));
  const path = at`/tenants/${tenant}/records/${kind}`;
  const shape = useAnswer(() => get(path, { limit: 50 }), path);
  const sample = shape.value?.items || [];
  const names = COLUMNS.filter((name) => sample.some((record) => record[name] !== undefined && typeof record[name] !== "object")).slice(0, 5);
  return html`<${Page} title=${t("nav.records")} crumbs=${[[tenant, link`/tenants/${tenant}`]]}>
    <${Answer} of=${of}>${() => html`<${Section} title=${t(`kind.${kind}`)} lead=${t("records.lead")}>
      <${Filters} value=${wanted} on=${setWanted}>${(set) => html`
        <${SelectField} label=${t("kind")} value=${kind} on=${(next) => go(link`/tenants/${tenant}/records/${next}`)} options=${KINDS.map((one) => ({ value: one, label: t(`kind.${one}`) }))} />
        <${TextField} label=${t("records.key")} type="search" value=${wanted.key} on=${set("key")} />
      `}<//>
      <${Answer} of=${shape}>${() => html`<${List} path=${path} query=${wanted} caption=${t(`kind.${kind}`)} empty=${t("records.none")} columns=${[
        { title: t("records.key"), cell: (record) => (record.key ? html`<a href=${link`/tenants/${tenant}/records/${kind}/${record.key}`}>${record.key}</a>` : "–") },
        ...names.map((name) => ({ title: t(`field.${name}`), cell: (record) => cell(record[name]) })),
      ]} />`}<//>
    <//>`}<//>
  <//>`;
}

export function Record({ tenant, kind, record }) {
  const found = useAnswer(() => get(at`/tenants/${tenant}/records/${kind}`, { key: record }), [tenant, kind, record]);
  return html`<${Page} title=${`${t(`kind.${kind}`)}: ${record}`} crumbs=${[
    [tenant, link`/tenants/${tenant}`],
    [t("nav.records"), link`/tenants/${tenant}/records/${kind}`],
  ]}>
    <${Answer} of=${found}>${(page) => html`<${Section} title=${t("record")} actions=${html`<a href=${link`/tenants/${tenant}/log` + `?${new URLSearchParams({ record })}`}>${t("records.log")}</a>`}>
      ${page.items.length ? html`<${Tree} of=${page.items[0]} />` : html`<p class="empty">${t("records.none")}</p>`}
    <//>`}<//>
  <//>`;
}

function Tree({ of }) {
  if (of === null || of === undefined || of === "") return html`<span class="faint">–</span>`;
  if (Array.isArray(of)) return of.length ? html`<ol class="tree">${of.map((one) => html`<li><${Tree} of=${one} /></li>`)}</ol>` : html`<span class="faint">–</span>`;
  if (typeof of === "object") return html`<dl class="facts tree">${Object.entries(of).map(([name, value]) => html`<div><dt>${name}</dt><dd><${Tree} of=${value} /></dd></div>`)}</dl>`;
  return String(of);
}
