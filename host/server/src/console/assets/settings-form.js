// The form of a connector's settings, made from the JSON Schema in its manifest.
//
// `x-titles` and `x-descriptions` are texts by language. Values that somebody else knows are chosen
// from a list: `x-options` from the counterpart, `x-directory` and `x-record` from the platform. Of
// more records than people look through, those are offered that hold what is typed. Where a list cannot
// be had, the value is typed.

import { createContext } from "preact";
import { useContext, useId, useMemo, useRef, useState } from "preact/hooks";

import { at, get } from "./api.js";
import { own, t } from "./i18n.js";
import { titleOf } from "./names.js";
import { CheckField, Fieldset, html, Labelled, problemText, useAnswer, useCalm, useKept } from "./ui.js";

const Lists = createContext(null);

/** Kinds of records by the name a schema gives them. */
const RECORDS = { partner: "partners", product: "products", category: "categories", order: "orders", warehouse: "warehouses" };

/** Most records that are a list to choose from, and most that are offered while one is typed. */
const LISTED = 200;
const OFFERED = 20;

/** Asks for each list once per form. */
export function ListsOf({ tenant, connection, children }) {
  const lists = useMemo(() => {
    const asked = new Map();
    const records = async (kind, query) => {
      const page = await get(at`/tenants/${tenant}/records/${kind}`, query);
      const items = page.items.map((record) => ({ value: record.key, label: record.name || record.title || record.number || record.key }));
      return { items, more: Boolean(page.next) };
    };
    const ask = {
      options: (name) => get(at`/tenants/${tenant}/connections/${connection}/choices/${name}`),
      records: (kind) => records(kind, { limit: LISTED }),
    };
    return {
      all: (source, name) => {
        const key = `${source} ${name}`;
        if (!asked.has(key)) {
          const list = ask[source](name);
          asked.set(key, list);
          // What failed once may be there the next time.
          list.catch(() => asked.delete(key));
        }
        return asked.get(key);
      },
      search: async (kind, q) => (await records(kind, { q, limit: OFFERED })).items,
    };
  }, [tenant, connection]);
  return html`<${Lists.Provider} value=${lists}>${children}<//>`;
}

/** {items, more, problem, again, name}: `name` is that of the list, where the schema names one, and
 * `more` tells that there are more records than a list has. */
function useList(schema) {
  const lists = useContext(Lists);
  const source = schema["x-options"] ? "options" : "records";
  const name = schema["x-options"] || schema["x-directory"] || RECORDS[schema["x-record"]] || schema["x-record"];
  const { value, problem, again } = useAnswer(async () => (name ? lists.all(source, name) : {}), [source, name]);
  return { ...value, problem, again, name };
}

/** What is said of a list that is not there. */
const NoList = ({ of }) => html`
  ${of.name && !of.items && !of.problem && html`<p class="hint" role="status">${t("loading")}</p>`}
  ${of.problem && html`<p class="hint">${t("settings.no_list", { reason: problemText(of.problem).replace(/\.$/, "") })}
    ${" "}<button type="button" class="quiet" onClick=${of.again}>${t("again")}</button></p>`}`;

/** A record of the platform, by its key. */
export const RecordField = ({ label, kind, path, value, on }) => html`<${Labelled} label=${label} path=${path} required>${(attributes) =>
  html`<${Value} schema=${{ "x-record": kind }} value=${value || undefined} on=${(key) => on(key ?? "")} attributes=${attributes} />`}<//>`;


const description = (schema) => own(schema["x-descriptions"]) || schema.description;
const types = (schema) => [schema.type].flat().filter(Boolean);
const pointer = (path, name) => `${path}/${String(name).replace(/~/g, "~0").replace(/\//g, "~1")}`;

/** A date is typed into a calendar where the pattern takes one and the value is none yet, or is one. */
function isDate(schema, value) {
  if (schema.format === "date") return true;
  if (!schema.pattern || (value && !/^\d{4}-\d{2}-\d{2}$/.test(value))) return false;
  const pattern = new RegExp(schema.pattern, "u");
  return pattern.test("2026-01-31") && !pattern.test("a") && !pattern.test("1");
}

/** Names of members of which exactly one is given: a `oneOf` whose branches only require one each. */
export function alternatives(schema) {
  const names = (schema.oneOf || []).map((branch) =>
    Object.keys(branch).length === 1 && branch.required?.length === 1 ? branch.required[0] : null,
  );
  return names.length > 1 && !names.includes(null) ? names : [];
}

/** Members of the settings that the addresses of the counterpart are made of. */
export function addressMembers(manifest) {
  const names = manifest.endpoints.flatMap((endpoint) => [...endpoint.origin.matchAll(/\{settings\.(\w+)\}/g)].map((found) => found[1]));
  return [...new Set(names)].filter((name) => manifest.settings_schema.properties?.[name]);
}

/** The members of an object; `only` and `without` take a part of them. */
export function Members({ schema, value, on, path = "", only, without = [] }) {
  const required = new Set(schema.required || []);
  const choice = alternatives(schema);
  const names = Object.keys(schema.properties || {}).filter((name) => (!only || only.includes(name)) && !without.includes(name));
  const set = (name, member) => {
    const next = { ...value };
    if (member === undefined) delete next[name];
    else next[name] = member;
    on(next);
  };
  const single = names.filter((name) => !choice.includes(name));
  return html`
    ${choice.some((name) => names.includes(name)) && html`<${Alternatives} ...${{ schema, value, on, path }} names=${choice} />`}
    ${single.map(
      (name) =>
        html`<${Member} key=${name} name=${name} schema=${schema.properties[name]} value=${value[name]} path=${pointer(path, name)}
          required=${required.has(name)} on=${(member) => set(name, member)} />`,
    )}`;
}

function Alternatives({ schema, value, on, path, names }) {
  const group = useId();
  const [chosen, setChosen] = useState(() => names.find((name) => value[name] !== undefined) || null);
  const choose = (name) => {
    setChosen(name);
    const next = { ...value };
    names.forEach((other) => other !== name && delete next[other]);
    on(next);
  };
  return html`<fieldset class="field group">
    <legend>${t("settings.one_of")}</legend>
    <div class="choices">${names.map(
      (name) => html`<div class="check">
        <input type="radio" name=${group} id=${`${group}-${name}`} checked=${chosen === name} onChange=${() => choose(name)} />
        <label for=${`${group}-${name}`}>${titleOf(schema.properties[name], name)}</label>
      </div>`,
    )}</div>
    ${chosen &&
    html`<${Member} key=${chosen} name=${chosen} schema=${schema.properties[chosen]} value=${value[chosen]} path=${pointer(path, chosen)} required
      on=${(member) => on({ ...value, [chosen]: member })} />`}
  </fieldset>`;
}

function Member(props) {
  const { schema } = props;
  const [type] = types(schema);
  if (type === "boolean") return html`<${Tick} ...${props} />`;
  if (type === "array") return schema.items?.type === "object" ? html`<${Rows} ...${props} />` : html`<${Several} ...${props} />`;
  if (type === "object") return schema.properties ? html`<${Group} ...${props} />` : html`<${Mapping} ...${props} />`;
  return html`<${Labelled} label=${titleOf(schema, props.name)} hint=${description(schema)} path=${props.path} required=${props.required}>${(attributes) =>
    html`<${Value} schema=${schema} value=${props.value} on=${props.on} attributes=${attributes} />`}<//>`;
}

const Tick = ({ schema, name, value, path, on }) =>
  html`<${CheckField} label=${titleOf(schema, name)} hint=${description(schema)} path=${path} checked=${value ?? schema.default ?? false} on=${on} />`;

const Group = ({ schema, name, value, path, on }) =>
  html`<${Fieldset} label=${titleOf(schema, name)} hint=${description(schema)} path=${path}>
    <div class="columns"><${Members} schema=${schema} value=${value ?? {}} path=${path} on=${on} /></div>
  <//>`;

/** One scalar: chosen where there is a list, typed otherwise. An emptied one is taken out. */
function Value({ schema, value, on, attributes }) {
  const list = useList(schema);
  const kinds = types(schema);
  const onlyNumber = kinds.includes("integer") || kinds.includes("number") ? !kinds.includes("string") : false;
  const give = (text) => on(text === "" ? undefined : onlyNumber && Number.isFinite(Number(text)) ? Number(text) : text);
  const options = schema.enum ? schema.enum.map((one) => ({ value: one, label: own(schema["x-enum-titles"]?.[one]) || String(one) })) : list.items;
  if (list.more) return html`<${Typed} kind=${list.name} value=${value} on=${on} attributes=${attributes} />`;
  if (options) {
    const shown = value ?? schema.default ?? "";
    const known = options.some((option) => String(option.value) === String(shown));
    return html`<select ...${attributes} onChange=${(event) => give(event.target.value)}>
      ${(schema.default === undefined || shown === "") && html`<option value="" selected=${shown === ""}>${t("settings.none")}</option>`}
      ${!known && shown !== "" && html`<option value=${shown} selected>${shown}</option>`}
      ${options.map((option) => html`<option value=${option.value} selected=${String(option.value) === String(shown)}>${option.label}</option>`)}
    </select>`;
  }
  const type = onlyNumber ? "number" : isDate(schema, value) ? "date" : "text";
  return html`<input ...${attributes} type=${type} value=${value ?? ""} min=${schema.minimum} max=${schema.maximum}
      placeholder=${schema.default ?? ""} onInput=${(event) => give(event.target.value)} />
    <${NoList} of=${list} />`;
}

/** The key of one of many records: those are offered that hold what is typed, and the one with the key
 * is named. */
function Typed({ kind, value = "", on, attributes }) {
  const lists = useContext(Lists);
  const id = useId();
  const sought = useCalm(value).trim();
  const found = useAnswer(() => lists.search(kind, sought), [kind, sought]);
  const offered = useKept(found.value) || [];
  const chosen = value && offered.find((one) => one.value === value);
  return html`<input ...${attributes} type="text" list=${id} autocomplete="off" spellcheck=${false} value=${value} placeholder=${t("settings.type")}
      onInput=${(event) => on(event.target.value || undefined)} />
    <datalist id=${id}>${offered.map((one) => html`<option key=${one.value} value=${one.value}>${one.label}</option>`)}</datalist>
    <p class="hint" role="status">${chosen ? chosen.label : value && value === sought && found.value ? t("settings.no_record") : ""}</p>`;
}

/** A set of scalars: boxes to tick where there is a list, one per line otherwise. */
function Several({ schema, name, value, path, on }) {
  const list = useList(schema.items || {});
  const given = value ?? schema.default ?? [];
  const id = useId();
  const { items } = list;
  if (items && !list.more) {
    const all = [...items, ...given.filter((one) => !items.some((item) => String(item.value) === String(one))).map((one) => ({ value: one, label: String(one) }))];
    const toggle = (item, ticked) => on(ticked ? [...given, item.value] : given.filter((one) => String(one) !== String(item.value)));
    return html`<${Fieldset} label=${titleOf(schema, name)} hint=${description(schema)} path=${path}>
      <div class="choices">${all.map(
        (item) => html`<div class="check">
          <input type="checkbox" id=${`${id}-${item.value}`} checked=${given.some((one) => String(one) === String(item.value))}
            onChange=${(event) => toggle(item, event.target.checked)} />
          <label for=${`${id}-${item.value}`}>${item.label}</label>
        </div>`,
      )}</div>
    <//>`;
  }
  const numbers = types(schema.items || {}).every((type) => type === "integer" || type === "number") && types(schema.items || {}).length > 0;
  const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => (numbers ? Number(line) : line));
  return html`<${Labelled} label=${titleOf(schema, name)} hint=${[description(schema), t("settings.per_line")].filter(Boolean).join(". ")} path=${path}>${(attributes) => html`
    <textarea ...${attributes} rows="3" value=${given.join("\n")} onChange=${(event) => on(lines(event.target.value))}></textarea>
    <${NoList} of=${list} />`}<//>`;
}

/** A table of objects, such as price lists and the stores behind them. */
function Rows({ schema, name, value, path, on }) {
  const rows = value ?? schema.default ?? [];
  const change = (index, row) => on(rows.map((before, place) => (place === index ? row : before)));
  const add = useRef();
  const drop = (index) => {
    on(rows.filter((_, place) => place !== index));
    add.current.focus();
  };
  return html`<${Fieldset} label=${titleOf(schema, name)} hint=${description(schema)} path=${path}>
    ${rows.map(
      (row, index) => html`<div class="row" role="group" aria-label=${t("settings.row", { number: index + 1 })}>
        <div class="columns"><${Members} schema=${schema.items} value=${row} path=${pointer(path, index)} on=${(next) => change(index, next)} /></div>
        <button type="button" class="quiet" data-changes aria-label=${t("settings.remove_row", { number: index + 1 })}
          onClick=${() => drop(index)}>${t("remove")}</button>
      </div>`,
    )}
    <button type="button" data-changes ref=${add} onClick=${() => on([...rows, {}])}>${t("settings.add_row")}</button>
  <//>`;
}

/** Whose a value is. */
const side = (schema) => (schema["x-options"] ? t("settings.there") : t("settings.here"));

/** An object of free names: a table of pairs, such as statuses and their stages. */
function Mapping({ schema, name, value, path, on }) {
  // Pairs are kept as rows here, because a row without a name is no member yet.
  const [rows, setRows] = useState(() => Object.entries(value ?? schema.default ?? {}));
  const change = (next) => {
    setRows(next);
    on(Object.fromEntries(next.filter(([from, to]) => from !== "" && to !== undefined)));
  };
  const from = { type: "string", ...schema.propertyNames };
  const to = typeof schema.additionalProperties === "object" ? schema.additionalProperties : { type: "string" };
  const edit = (index, pair) => change(rows.map((before, place) => (place === index ? pair : before)));
  const add = useRef();
  const drop = (index) => {
    change(rows.filter((_, place) => place !== index));
    add.current.focus();
  };
  return html`<${Fieldset} label=${titleOf(schema, name)} hint=${description(schema)} path=${path}>
    ${rows.map(
      ([left, right], index) => html`<div class="row" role="group" aria-label=${t("settings.row", { number: index + 1 })}>
        <div class="columns">
          <${Labelled} label=${titleOf(from, side(from))}>${(attributes) =>
            html`<${Value} schema=${from} value=${left || undefined} attributes=${attributes} on=${(next) => edit(index, [String(next ?? ""), right])} />`}<//>
          <${Labelled} label=${titleOf(to, side(to))} path=${left ? pointer(path, left) : undefined}>${(attributes) =>
            html`<${Value} schema=${to} value=${right} attributes=${attributes} on=${(next) => edit(index, [left, next])} />`}<//>
        </div>
        <button type="button" class="quiet" data-changes aria-label=${t("settings.remove_row", { number: index + 1 })}
          onClick=${() => drop(index)}>${t("remove")}</button>
      </div>`,
    )}
    <button type="button" ref=${add} onClick=${() => setRows([...rows, ["", undefined]])}>${t("settings.add_row")}</button>
  <//>`;
}
