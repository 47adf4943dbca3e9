// Records of the embedded ERP: what exchanges made of them. Each leads to what was logged about it;
// there is no way back, because a line of the log names a record without its kind.

import { useState } from "preact/hooks";

import { at, get } from "../api.js";
import { moment, money, named, number, t } from "../i18n.js";
import { RecordName } from "../named.js";
import { go, link } from "../route.js";
import { Answer, Filters, html, List, Page, SearchField, Section, SelectField, useAnswer } from "../ui.js";
import { useTenant } from "./tenants.js";

const KINDS = [
  "orders", "products", "partners", "stock", "categories", "organizations", "warehouses", "price-types", "currencies", "units", "users",
  "accounts", "order-stages", "order-sources", "agreements", "cancel-reasons", "delivery-services", "product-fields", "order-fields",
];

/** The fields that fit a row; of the other kinds, which are directories, those of an entry. */
const COLUMNS = {
  orders: ["key", "number", "created_at", "stage", "partner", "lines", "total"],
  products: ["key", "kind", "sku", "name", "unit", "variants"],
  partners: ["key", "role", "name", "phones", "emails", "balance"],
  stock: ["product", "product_variant", "warehouse", "on_hand", "reserved", "available"],
  categories: ["key", "name", "parent"],
};
const ENTRY = ["key", "name", "code", "origin"];

const NUMBERS = ["lines", "total", "variants", "balance", "on_hand", "reserved", "available"];

/** How a field is shown that is more than a text. */
const SHOWN = {
  created_at: moment,
  lines: (lines) => number(lines.length),
  total: (total, order) => money(total, order.currency),
  kind: (kind) => named("product_kind", kind),
  variants: (variants) => number(variants.length),
  role: (role) => named("role", role),
  phones: (phones) => phones.join(", "),
  emails: (emails) => emails.join(", "),
  balance: ({ amount, currency }) => money(amount, currency),
  on_hand: number,
  reserved: number,
  available: number,
};

/** The kinds of records that fields name by their keys. */
const NAMED = {
  stage: "order-stages",
  source: "order-sources",
  partner: "partners",
  product: "products",
  warehouse: "warehouses",
  parent: "categories",
  category: "categories",
  organization: "organizations",
  manager: "users",
  author: "users",
  agreement: "agreements",
  account: "accounts",
  service: "delivery-services",
  cancel_reason: "cancel-reasons",
};

const recordLink = (tenant, field, key) =>
  html`<a href=${link`/tenants/${tenant}/records/${NAMED[field]}/${key}`}><${RecordName} tenant=${tenant} kind=${NAMED[field]} id=${key} /></a>`;

function cell(record, name, tenant) {
  const value = record[name];
  if (value === null || value === undefined || value.length === 0) return "–";
  if (NAMED[name]) return recordLink(tenant, name, value);
  return SHOWN[name] ? SHOWN[name](value, record) : value;
}

export function Records({ tenant, kind = "orders", query }) {
  const of = useTenant(tenant);
  const [wanted, setWanted] = useState({ q: query.q || "" });
  const columns = (COLUMNS[kind] || ENTRY).map((name) => ({
    title: t(`field.${name}`),
    kind: NUMBERS.includes(name) ? "number" : undefined,
    cell: (record) => (name === "key" ? html`<a href=${link`/tenants/${tenant}/records/${kind}/${record.key}`}>${record.key}</a>` : cell(record, name, tenant)),
  }));
  return html`<${Page} title=${t("nav.records")} crumbs=${[[of.value?.name || tenant, link`/tenants/${tenant}`]]}>
    <${Answer} of=${of}>${() => html`<${Section} title=${t(`kind.${kind}`)} lead=${t("records.lead")}>
      <${Filters} value=${wanted} on=${setWanted}>${(set) => html`
        <${SelectField} label=${t("kind")} value=${kind} on=${(next) => go(link`/tenants/${tenant}/records/${next}`)} options=${KINDS.map((one) => ({ value: one, label: t(`kind.${one}`) }))} />
        <${SearchField} label=${t("search")} value=${wanted.q} on=${set("q")} />
      `}<//>
      <${List} path=${at`/tenants/${tenant}/records/${kind}`} query=${wanted} caption=${t(`kind.${kind}`)} empty=${t("records.none")} columns=${columns} />
    <//>`}<//>
  <//>`;
}

export function Record({ tenant, kind, record }) {
  const found = useAnswer(() => get(at`/tenants/${tenant}/records/${kind}`, { key: record }), [tenant, kind, record]);
  const of = useTenant(tenant);
  return html`<${Page} title=${`${t(`kind.${kind}`)}: ${record}`} crumbs=${[
    [of.value?.name || tenant, link`/tenants/${tenant}`],
    [t("nav.records"), link`/tenants/${tenant}/records/${kind}`],
  ]}>
    <${Answer} of=${found}>${(page) => html`<${Section} title=${t("record")} actions=${html`<a href=${link`/tenants/${tenant}/log` + `?${new URLSearchParams({ record })}`}>${t("records.log")}</a>`}>
      ${page.items.length ? html`<${Tree} of=${page.items[0]} tenant=${tenant} />` : html`<p class="empty">${t("records.none")}</p>`}
    <//>`}<//>
  <//>`;
}

function Tree({ of, tenant }) {
  if (of === null || of === undefined || of === "") return html`<span class="faint">–</span>`;
  if (Array.isArray(of)) return of.length ? html`<ol class="tree">${of.map((one) => html`<li><${Tree} of=${one} tenant=${tenant} /></li>`)}</ol>` : html`<span class="faint">–</span>`;
  if (typeof of === "object") return html`<dl class="facts tree">${Object.entries(of).map(([name, value]) => html`<div><dt>${named("field", name)}</dt><dd>${NAMED[name] && typeof value === "string" ? recordLink(tenant, name, value) : html`<${Tree} of=${value} tenant=${tenant} />`}</dd></div>`)}</dl>`;
  if (typeof of === "boolean") return t(of ? "yes" : "no");
  return String(of);
}
