// The installed versions of connectors.

import { useEffect, useId, useRef, useState } from "preact/hooks";

import { at, get, getAll, post, put, remove } from "../api.js";
import { moment, own, setTimeZone, size, t } from "../i18n.js";
import { titleOf } from "../names.js";
import { TenantLink } from "../named.js";
import { go, link } from "../route.js";
import { Act, Answer, AreaField, Asks, asProblem, Badge, Facts, Filters, Form, html, List, Opens, Page, ProblemNote, Section, SelectField, StateBadge, TextField, useAnswer } from "../ui.js";

export function Components({ may }) {
  setTimeZone(undefined);
  return html`<${Page} title=${t("nav.components")} actions=${may.platform && html`<${Opens} label=${t("components.add")} kind="primary">${(close) => html`<${Install} close=${close} />`}<//>`}>
    <${Section} title=${t("components.all")} lead=${t("components.lead")}>
      <${List} path="/versions" caption=${t("nav.components")} keyOf=${(one) => one.digest} empty=${t("components.none")} columns=${[
        { title: t("connector"), cell: (one) => html`<a href=${link`/components/${one.digest}`}>${own(one.manifest?.title) || one.connector}</a>` },
        { title: t("version"), cell: (one) => one.version },
        { title: t("digest"), cell: (one) => html`<code>${one.digest.slice(0, 12)}</code>` },
        { title: t("components.size"), kind: "number", cell: (one) => size(one.size) },
        { title: t("components.signed_by"), cell: (one) => one.signed_by || "–" },
        { title: t("components.installed_at"), cell: (one) => moment(one.installed_at) },
      ]} />
    <//>
  <//>`;
}

/** A signature file has lines, a header has none. */
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

function Install({ close }) {
  const id = useId();
  const [file, setFile] = useState(null);
  const [source, setSource] = useState("");
  const [signature, setSignature] = useState("");
  const install = async () => {
    const made = await post("/versions", file || { source: source.trim() }, file && signature.trim() ? { "tenon-signature": base64(signature) } : {});
    close();
    go(link`/components/${made.digest}`);
  };
  return html`<${Form} on=${install} submit=${t("components.add")} cancel=${close}>
    <div class="field"><label for=${id}>${t("components.file")}</label>
      <p class="hint" id=${`${id}-hint`}>${t("components.file_hint")}</p>
      <input id=${id} type="file" accept=".wasm,application/wasm" aria-describedby=${`${id}-hint`} onChange=${(event) => setFile(event.target.files[0] || null)} /></div>
    ${!file && html`<${TextField} label=${t("components.source")} hint=${t("components.source_hint")} path="/source" value=${source} on=${setSource} placeholder="oci://registry.example/connectors/keycrm:1.2.0" />`}
    ${file && html`<${AreaField} label=${t("components.signature")} hint=${t("components.signature_hint")} value=${signature} on=${setSignature} />`}
  <//>`;
}

export function Component({ digest, may }) {
  setTimeZone(undefined);
  const of = useAnswer(() => get(at`/versions/${digest}`), digest);
  const version = of.value;
  return html`<${Page} title=${version ? `${own(version.manifest.title)} ${version.version}` : t("version")} crumbs=${[[t("nav.components"), "#/components"]]}>
    <${Answer} of=${of}>${(one) => html`<${Shown} version=${one} may=${may} />`}<//>
  <//>`;
}

function Shown({ version, may }) {
  const { manifest } = version;
  return html`
    <${Section} title=${t("components.what")}>
      <${Facts} of=${[
        [t("connector"), html`<code>${version.connector}</code>`],
        [t("version"), version.version],
        [t("components.size"), size(version.size)],
        [t("components.source"), version.source === "upload" ? t("components.uploaded") : version.source],
        [t("components.signed_by"), version.signed_by],
        [t("components.installed_at"), moment(version.installed_at)],
        [t("components.endpoints"), manifest.endpoints.map((endpoint) => html`<${Origin} of=${endpoint.origin} manifest=${manifest} /> `), "whole"],
        [t("jobs"), manifest.jobs.map((job) => own(job.title)).join(", "), "whole"],
        [t("digest"), html`<code>${version.digest}</code>`, "whole"],
      ]} />
      <details><summary>${t("components.imports")}</summary><ul class="plain">${version.imports.map((name) => html`<li><code>${name}</code></li>`)}</ul></details>
    <//>
    ${may.platform && html`<${Hosts} connector=${version.connector} />
    <${Upgrade} version=${version} />
    <${Section} title=${t("components.remove")} lead=${t("components.remove_lead")}>
      <${Asks} kind="danger" label=${t("components.remove")} question=${t("components.remove_question", { version: version.version })} done=${t("removed")}
        on=${async () => {
          await remove(at`/versions/${version.digest}`);
          go("#/components");
        }} />
    <//>`}`;
}

/** Where a connector goes: an address, or the setting that has it and what that is where nobody changes it. */
function Origin({ of, manifest }) {
  const name = of.match(/\{settings\.(\w+)\}/)?.[1];
  const schema = name && manifest.settings_schema.properties?.[name];
  if (!schema) return html`<code>${of}</code>`;
  const said = t("components.as_in_settings", { name: titleOf(schema, name) });
  return html`${schema.default && html`<code>${of.replace(`{settings.${name}}`, schema.default)}</code> `}<span class="faint">${said}</span>`;
}

/** Where the connections of a connector may go, whatever their settings say. */
function Hosts({ connector }) {
  const found = useAnswer(async () => (await getAll("/connectors")).find((one) => one.name === connector)?.hosts ?? [], connector);
  return html`<${Section} title=${t("components.hosts")} lead=${t("components.hosts_lead")}>
    <${Answer} of=${found}>${(hosts) => html`<${HostsForm} connector=${connector} hosts=${hosts} again=${found.again} />`}<//>
  <//>`;
}

function HostsForm({ connector, hosts, again }) {
  const [value, setValue] = useState(hosts.join("\n"));
  const save = async () => {
    const lines = value.split("\n").map((line) => line.trim()).filter(Boolean);
    await put(at`/connectors/${connector}/hosts`, { hosts: lines.length > 0 ? lines : null });
    again();
  };
  return html`<${Form} on=${save} submit=${t("save")} done=${t("saved")}>
    <${AreaField} label=${t("components.hosts_allowed")} hint=${t("components.hosts_hint")} path="/hosts" value=${value} on=${setValue} />
  <//>`;
}

/** Connections that one request moves: few enough that its answer does not keep anybody waiting. */
const BATCH = 100;

const nameOf = (connection) => ({ tenant: connection.tenant, connection: connection.id });
const keyOf = (name) => `${name.tenant}/${name.connection}`;

/** The connections of the connector by the version that they run, and moving them to this one. */
function Upgrade({ version }) {
  const { digest, connector } = version;
  const [from, setFrom] = useState("");
  const [ticked, setTicked] = useState(new Map());
  const [turn, setTurn] = useState(0);
  const [work, setWork] = useState(null);
  const left = useRef(false);
  useEffect(
    () => () => {
      left.current = true;
    },
    [],
  );
  const versions = useAnswer(async () => (await getAll("/connectors")).find((one) => one.name === connector)?.versions ?? [], connector);
  const tick = (name, on) => {
    const next = new Map(ticked);
    if (on) next.set(keyOf(name), name);
    else next.delete(keyOf(name));
    setTicked(next);
  };

  /** Moves connections batch by batch, as long as the page is open. */
  const move = async (names) => {
    const state = { total: names.length, done: 0, upgraded: 0, failed: [], ended: false, problem: null };
    const tell = (news) => left.current || setWork({ ...Object.assign(state, news) });
    tell({});
    try {
      while (state.done < names.length && !left.current) {
        const batch = names.slice(state.done, state.done + BATCH);
        const answer = await post(at`/versions/${digest}/upgrade`, { connections: batch });
        tell({ done: state.done + batch.length, upgraded: state.upgraded + answer.upgraded, failed: [...state.failed, ...answer.failed] });
      }
      tell({ ended: true });
    } catch (error) {
      tell({ ended: true, problem: asProblem(error) });
    }
    setTicked(new Map());
    setTurn((before) => before + 1);
  };
  const all = async () => {
    const names = [];
    let after;
    do {
      const page = await get("/connections", { connector, limit: 500, after });
      names.push(...page.items.filter((one) => one.version.digest !== digest).map(nameOf));
      after = page.next;
    } while (after);
    move(names);
  };
  const busy = work !== null && !work.ended;
  return html`<${Section} title=${t("components.upgrade")} lead=${t("components.upgrade_lead")}>
    <${Filters} value=${{ from }} on=${(next) => setFrom(next.from)}>${(set) => html`
      <${SelectField} label=${t("version")} value=${from} none=${t("any")} on=${set("from")}
        options=${(versions.value || []).map((one) => ({ value: one.digest, label: `${one.version} ${one.digest.slice(0, 12)}` }))} />
    `}<//>
    <${List} path="/connections" query=${{ connector, digest: from }} turn=${turn} caption=${t("nav.connections")} keyOf=${(one) => keyOf(nameOf(one))} empty=${t("connections.none_such")} columns=${[
      { title: t("components.choose"), cell: (one) =>
        one.version.digest === digest
          ? html`<${Badge} group="versions" name="pinned" />`
          : html`<input type="checkbox" aria-label=${keyOf(nameOf(one))} checked=${ticked.has(keyOf(nameOf(one)))} onChange=${(event) => tick(nameOf(one), event.target.checked)} />` },
      { title: t("name"), cell: (one) => html`<a href=${link`/tenants/${one.tenant}/connections/${one.id}`}>${one.title}</a>` },
      { title: t("tenant"), cell: (one) => html`<${TenantLink} id=${one.tenant} />` },
      { title: t("version"), cell: (one) => html`${one.version.version} <code>${one.version.digest.slice(0, 12)}</code>` },
      { title: t("state"), cell: (one) => html`<${StateBadge} of=${one} />` },
    ]} />
    ${!busy && html`<div class="actions">
      <${Act} disabled=${ticked.size === 0} on=${async () => {
        // Goes on after the press, with its progress below.
        move([...ticked.values()]);
      }}>${t("components.upgrade_some", { count: ticked.size })}<//>
      <${Asks} label=${t("components.upgrade_all")} question=${t("components.upgrade_question", { connector, version: version.version })} on=${all} />
    </div>`}
    ${work && html`<${Progress} of=${work} />`}
  <//>`;
}

function Progress({ of }) {
  const words = t("progress.of", { done: of.done, total: of.total });
  const left = of.failed.length > 0 && ` ${t("components.not_upgraded", { count: of.failed.length })}`;
  return html`<div class="note" role="status">
      <p>${!of.ended && `${t("components.upgrading")} `}${words} · ${t("components.upgraded", { count: of.upgraded })}${left}</p>
      ${!of.ended && html`<progress aria-label=${t("progress.label")} max=${of.total} value=${of.done}></progress>`}
    </div>
    ${of.problem && html`<${ProblemNote} problem=${of.problem} />`}
    ${of.failed.length > 0 && html`<div class="note bad"><ul>${of.failed.map(
      (one) => html`<li><a href=${link`/tenants/${one.tenant}/connections/${one.connection}`}>${keyOf(one)}</a>: ${one.reason}</li>`,
    )}</ul></div>`}`;
}
