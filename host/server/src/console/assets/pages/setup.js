// Adding a connection, step by step. The connection exists from the first step on, switched off, so
// every later step can be left and come back to.

import { useState } from "preact/hooks";

import { at, get, getAll, getWithTag, patch, post, put } from "../api.js";
import { own, t } from "../i18n.js";
import { go, link } from "../route.js";
import { addressMembers, ListsOf, Members } from "../settings-form.js";
import { Act, Answer, AreaField, Badge, CheckField, Form, html, Page, ProblemNote, Section, SelectField, TextField, useAnswer, useEvery } from "../ui.js";
import { Changes } from "./run.js";
import { Check, Credentials, useSettings } from "./connection-settings.js";
import { useConnection } from "./connection-frame.js";
import { useTenant } from "./tenants.js";

const STEPS = ["connector", "access", "settings", "preview", "on"];

function Steps({ now, base }) {
  const place = STEPS.indexOf(now);
  return html`<nav class="steps" aria-label=${t("setup.steps")}><ol>${STEPS.map((step, index) => {
    const text = t(`setup.${step}`);
    const done = index < place;
    return html`<li class=${done ? "done" : ""} aria-current=${step === now ? "step" : undefined}>${
      base && index > 0 && step !== now ? html`<a href=${`${base}/set-up/${step}`}>${text}</a>` : html`<span>${text}</span>`
    }${done && html`<span class="unseen"> ${t("setup.done")}</span>`}</li>`;
  })}</ol></nav>`;
}

export function AddConnection({ tenant, may }) {
  const of = useTenant(tenant);
  const connectors = useAnswer(() => getAll("/connectors"), "connectors");
  return html`<${Page} title=${t("connections.add")} crumbs=${[[of.value?.name || tenant, link`/tenants/${tenant}`]]} nav=${html`<${Steps} now="connector" />`}>
    <${Answer} of=${connectors}>${(all) =>
      all.length
        ? html`<${Choose} tenant=${tenant} connectors=${all} />`
        : html`<p class="empty">${t("setup.no_connectors")} ${may.platform && html`<a href="#/components">${t("nav.components")}</a>`}</p>`}<//>
  <//>`;
}

function Choose({ tenant, connectors }) {
  const [value, setValue] = useState({ connector: connectors.length === 1 ? connectors[0].name : "", id: "", title: "" });
  const choose = (name) => setValue({ ...value, connector: name });
  const chosen = connectors.find((one) => one.name === value.connector);
  const id = value.id || value.connector;
  const add = async () => {
    const made = await post(at`/tenants/${tenant}/connections`, { id, connector: value.connector, title: value.title || own(chosen?.title) || id });
    go(link`/tenants/${tenant}/connections/${made.id}/set-up/access`);
  };
  return html`<${Section} title=${t("setup.connector")} lead=${t("setup.connector_lead")}>
    <${Form} on=${add} submit=${t("setup.next")}>
      <fieldset class="field bare" data-path="/connector"><legend class="unseen">${t("connector")}</legend>
        <div class="tiles">${connectors.map((one) => html`<label class="tile">
          <input type="radio" name="connector" value=${one.name} checked=${value.connector === one.name} onChange=${() => choose(one.name)} />
          <span><strong>${own(one.title) || one.name}</strong><span class="faint">${one.name} ${one.versions.find((version) => version.digest === one.current)?.version}</span></span>
        </label>`)}</div>
      </fieldset>
      <${TextField} label=${t("setup.title")} hint=${t("setup.title_hint")} path="/title" value=${value.title} on=${(title) => setValue({ ...value, title })} placeholder=${own(chosen?.title)} />
      <${TextField} label=${t("id")} hint=${t("id.hint")} path="/id" value=${value.id} on=${(next) => setValue({ ...value, id: next })} placeholder=${value.connector} />
    <//>
  <//>`;
}

export function SetUp({ tenant, connection, step, may }) {
  const of = useConnection({ tenant, connection });
  const base = link`/tenants/${tenant}/connections/${connection}`;
  const Step = { access: AccessStep, settings: SettingsStep, preview: PreviewStep, on: OnStep }[step] || AccessStep;
  return html`<${Page} title=${t("setup.of", { name: of.value?.connection.title || connection })} crumbs=${[[tenant, link`/tenants/${tenant}`]]} nav=${html`<${Steps} now=${step} base=${base} />`}>
    <${Answer} of=${of}>${(value) => html`<${Step} ...${value} may=${may} base=${base} again=${of.again} />`}<//>
  <//>`;
}

function AccessStep({ connection, manifest, may, base, again }) {
  const [account, setAccount] = useState(null);
  return html`
    <${Address} ...${{ connection, manifest, again }} />
    <${Section} title=${t("access.credentials")} lead=${t("access.lead")}><${Credentials} ...${{ connection, manifest, may, again }} /><//>
    <${Section} title=${t("access.check")} lead=${t("access.check_lead")}>
      <${Check} connection=${connection} tell=${setAccount} />
    <//>
    <div class="actions"><a class=${account === null ? "button" : "button primary"} href=${`${base}/set-up/settings`}>${t("setup.next")}</a></div>`;
}

/** Where the counterpart is, for those who do not use its usual address. */
function Address({ connection, manifest, again }) {
  const path = at`/tenants/${connection.tenant}/connections/${connection.id}`;
  const stored = useSettings(path);
  const only = addressMembers(manifest);
  if (!only.length) return null;
  return html`<details class="card"><summary>${t("setup.address")}</summary>
    <p class="hint">${t("setup.address_hint")}</p>
    <${Answer} of=${stored}>${(answer) => html`<${AddressForm} key=${JSON.stringify([answer.etag, connection.grants, connection.no_budget])} ...${{ connection, manifest, path, only }} stored=${answer} again=${() => {
      stored.again();
      again();
    }} />`}<//>
  </details>`;
}

function AddressForm({ connection, manifest, path, only, stored, again }) {
  const [value, setValue] = useState(stored.value);
  const [grants, setGrants] = useState((connection.grants || []).join("\n"));
  const [noBudget, setNoBudget] = useState(connection.no_budget);
  const save = async () => {
    await patch(path, { grants: grants.split(/\s+/).filter(Boolean), no_budget: noBudget });
    await put(`${path}/settings`, value, { "if-match": stored.etag });
    again();
  };
  return html`<${ListsOf} tenant=${connection.tenant} connection=${connection.id}><${Form} on=${save} submit=${t("setup.address_save")} done=${t("saved")}>
    <${Members} schema=${manifest.settings_schema} value=${value} on=${setValue} only=${only} />
    <${AreaField} label=${t("frame.grants")} hint=${t("frame.grants_hint")} path="/grants" value=${grants} on=${setGrants} rows=${2} />
    <${CheckField} label=${t("frame.no_budget")} hint=${t("frame.no_budget_hint")} path="/no_budget" checked=${noBudget} on=${setNoBudget} />
  <//><//>`;
}

function SettingsStep({ connection, manifest, base }) {
  const path = at`/tenants/${connection.tenant}/connections/${connection.id}`;
  const stored = useAnswer(() => getWithTag(`${path}/settings`), path);
  return html`<${Answer} of=${stored}>${(answer) => html`<${Section} title=${t("settings.title")}>
    <${ListsOf} tenant=${connection.tenant} connection=${connection.id}><${SettingsFields} key=${answer.etag} ...${{ manifest, path, base, answer }} /><//>
  <//>`}<//>`;
}

function SettingsFields({ manifest, path, base, answer }) {
  const [value, setValue] = useState(answer.value);
  const save = async () => {
    await put(`${path}/settings`, value, { "if-match": answer.etag });
    go(`${base}/set-up/preview`);
  };
  return html`<${Form} on=${save} submit=${t("setup.next")}><${Members} schema=${manifest.settings_schema} value=${value} on=${setValue} without=${addressMembers(manifest)} /><//>`;
}

function PreviewStep({ connection, manifest, base }) {
  const path = at`/tenants/${connection.tenant}/connections/${connection.id}`;
  const [job, setJob] = useState(manifest.jobs.find((one) => one.schedule)?.id || manifest.jobs[0]?.id);
  const [asked, setAsked] = useState(null);
  const begin = async () => {
    const before = (await get(`${path}/runs`, { limit: 1 })).items[0]?.id ?? "";
    await post(`${path}/jobs/${encodeURIComponent(job)}/run`, { preview: true });
    setAsked({ job, before });
  };
  return html`<${Section} title=${t("setup.preview")} lead=${t("setup.preview_lead")}>
      <${Form} on=${begin} submit=${t("setup.preview_begin")}>
        <${SelectField} label=${t("job")} value=${job} on=${setJob} options=${manifest.jobs.map((one) => ({ value: one.id, label: own(one.title) }))} />
      <//>
      ${asked && html`<${Preview} key=${asked.before} path=${path} asked=${asked} />`}
    <//>
    <div class="actions"><a class="button primary" href=${`${base}/set-up/on`}>${t("setup.next")}</a></div>`;
}

/** Follows the preview that was asked for: at once where the connection is off, else in its turn. */
function Preview({ path, asked }) {
  const found = useAnswer(async () => {
    const { items } = await get(`${path}/runs`, { job: asked.job, limit: 10 });
    // Names of runs sort by their start.
    return { run: items.find((one) => one.preview && one.id > asked.before) };
  }, asked);
  const { run } = found.value || {};
  useEvery(run?.finished_at ? 0 : 1000, found.again);
  if (found.problem) return html`<${ProblemNote} problem=${found.problem} again=${found.again} />`;
  if (!run) return html`<p role="status">${t("setup.preview_waiting")}</p>`;
  if (!run.finished_at) return html`<p role="status">${t("setup.preview_running")}</p><progress aria-label=${t("progress.label")}></progress>`;
  return html`<div role="status" class=${run.outcome === "done" ? "note good" : "note bad"}>
      <p><${Badge} group="outcome" name=${run.outcome} /> ${t("setup.preview_result", { created: run.created, updated: run.updated, unchanged: run.unchanged, failed: run.failed })} ${run.error}</p></div>
    <${Changes} path=${`${path}/runs/${encodeURIComponent(run.id)}/changes`} turn=${0} />`;
}

function OnStep({ connection, base, again }) {
  const path = at`/tenants/${connection.tenant}/connections/${connection.id}`;
  const enable = async () => {
    await post(`${path}/enable`);
    again();
    go(base);
  };
  const missing = (connection.missing_credentials || []).map((names) => [names].flat().join(" / "));
  return html`<${Section} title=${t("setup.on")} lead=${t("setup.on_lead")}>
    ${missing.length > 0 && html`<div class="note warn"><p>${t("state.missing", { names: missing.join(", ") })} <a href=${`${base}/set-up/access`}>${t("setup.access")}</a></p></div>`}
    <div class="actions start"><${Act} kind="primary" on=${enable} done=${t("setup.is_on")}>${t("setup.switch_on")}<//>
      <a class="button quiet" href=${base}>${t("setup.later")}</a></div>
  <//>`;
}
