// Adding a connection, step by step. The connection exists from the first step on, switched off, so
// every later step can be left and come back to.

import { useState } from "preact/hooks";

import { at, get, getAll, getWithTag, patch, post } from "../api.js";
import { own, t } from "../i18n.js";
import { go, link } from "../route.js";
import { addressMembers, alternatives, ListsOf, Members } from "../settings-form.js";
import { Act, Answer, AreaField, Badge, CheckField, Fieldset, Form, html, Page, ProblemNote, Said, Section, SelectField, TextField, useAnswer, useEvery } from "../ui.js";
import { Changes, Rejected } from "./run.js";
import { changesOf, Check, Credentials, storeTyped, useDraft, useSettings, useTyped, wordsOf } from "./connection-settings.js";
import { switchOn } from "./connection.js";
import { baseOf, missingOf, useConnection } from "./connection-frame.js";
import { useTenant } from "./tenants.js";

/** The tag of settings that nobody has saved yet. */
const FIRST = '"1"';

const STEPS = ["connector", "access", "settings", "preview", "on"];

/** The steps, of which those are ticked that are `done`. */
function Steps({ now, base, done: all = [] }) {
  return html`<nav class="steps" aria-label=${t("setup.steps")}><ol>${STEPS.map((step, index) => {
    const text = t(`setup.${step}`);
    const done = all.includes(step);
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
      <${Fieldset} label=${t("connector")} path="/connector" kind="bare" unseen>
        <div class="tiles">${connectors.map((one) => html`<label class="tile">
          <input type="radio" name="connector" value=${one.name} checked=${value.connector === one.name} onChange=${() => choose(one.name)} />
          <span><strong>${own(one.title) || one.name}</strong><span class="faint">${one.name} ${one.versions.find((version) => version.digest === one.current)?.version}</span></span>
        </label>`)}</div>
      <//>
      <${TextField} label=${t("setup.title")} hint=${t("setup.title_hint")} path="/title" value=${value.title} on=${(title) => setValue({ ...value, title })} placeholder=${own(chosen?.title)} />
      <${TextField} label=${t("id")} hint=${t("id.hint")} path="/id" value=${value.id} on=${(next) => setValue({ ...value, id: next })} placeholder=${value.connector} />
    <//>
  <//>`;
}

/** Whether settings have what the schema requires: each member that has to be there, and one of those of
 * which one is needed. */
function isComplete(schema, settings) {
  const has = (name) => settings[name] !== undefined;
  const one = alternatives(schema);
  return (schema.required || []).every(has) && (one.length === 0 || one.some(has));
}

/** The steps that are done, by what there is. */
async function stepsDone({ connection, manifest }) {
  const base = baseOf(connection);
  const [{ value: settings, etag }, previews] = await Promise.all([getWithTag(`${base}/settings`), get(`${base}/runs`, { mode: "preview", outcome: "done", limit: 1 })]);
  const done = {
    connector: true,
    access: connection.missing_credentials.length === 0,
    // Of a connector that needs none they are done once somebody has saved them.
    settings: isComplete(manifest.settings_schema, settings) && (Object.keys(settings).length > 0 || etag !== FIRST),
    preview: previews.items.length > 0,
    on: connection.state === "on",
  };
  return STEPS.filter((step) => done[step]);
}

export function SetUp({ tenant, connection, step, may }) {
  const of = useConnection({ tenant, connection });
  const done = useAnswer(async () => (of.value ? stepsDone(of.value) : []), [of.value?.connection, step]);
  const base = link`/tenants/${tenant}/connections/${connection}`;
  const Step = { access: AccessStep, settings: SettingsStep, preview: PreviewStep, on: OnStep }[step] || AccessStep;
  return html`<${Page} title=${t("setup.of", { name: of.value?.connection.title || connection })} crumbs=${[[of.value?.owner.name || tenant, link`/tenants/${tenant}`], [of.value?.connection.title || connection, base]]}
    nav=${html`<${Steps} now=${step} base=${base} done=${done.value} />`}>
    <${Answer} of=${of}>${(value) => html`<${Step} ...${value} may=${may} base=${base} again=${of.again} />`}<//>
  <//>`;
}

function AccessStep({ connection, manifest, may, base, again }) {
  const [account, setAccount] = useState(null);
  const typed = useTyped();
  const next = async () => {
    await storeTyped(typed);
    location.hash = `${base}/set-up/settings`;
  };
  return html`
    <${Address} ...${{ connection, manifest, may, again }} />
    <${Section} title=${t("access.credentials")} lead=${t("access.lead")}><${Credentials} ...${{ connection, manifest, may, again, typed }} /><//>
    <${Section} title=${t("access.check")} lead=${t("access.check_lead")}>
      <${Check} connection=${connection} typed=${typed} tell=${setAccount} />
    <//>
    <div class="actions"><${Act} kind=${account === null ? "" : "primary"} on=${next}>${t("setup.next")}<//></div>`;
}

/** Where the counterpart is, for those who do not use its usual address. */
function Address({ connection, manifest, may, again }) {
  const path = baseOf(connection);
  const stored = useSettings(path);
  const only = addressMembers(manifest);
  if (!only.length) return null;
  return html`<details class="card"><summary>${t("setup.address")}</summary>
    <p class="hint">${t("setup.address_hint")}</p>
    <${Answer} of=${stored}>${(answer) => html`<${AddressForm} ...${{ connection, manifest, path, only, may, again }} stored=${answer} />`}<//>
  </details>`;
}

function AddressForm({ connection, manifest, path, only, may, stored, again }) {
  const draft = useDraft(path, stored);
  const [grants, setGrants] = useState(connection.grants.join("\n"));
  const [noBudget, setNoBudget] = useState(connection.no_budget);
  const save = async () => {
    const change = changesOf(connection, { grants: wordsOf(grants), no_budget: noBudget });
    if (Object.keys(change).length > 0) await patch(path, change);
    await draft.save();
    again();
  };
  return html`<${ListsOf} tenant=${connection.tenant} connection=${connection.id}><${Form} on=${save} submit=${t("setup.address_save")} done=${t("saved")} remedy=${draft.remedy}>
    <${Members} key=${draft.turn} schema=${manifest.settings_schema} value=${draft.value} on=${draft.setValue} only=${only} />
    ${may.platform && html`
      <${AreaField} label=${t("frame.grants")} hint=${t("frame.grants_hint")} path="/grants" value=${grants} on=${setGrants} rows=${2} />
      <${CheckField} label=${t("frame.no_budget")} hint=${t("frame.no_budget_hint")} path="/no_budget" checked=${noBudget} on=${setNoBudget} />`}
  <//><//>`;
}

function SettingsStep({ connection, manifest, base }) {
  const path = baseOf(connection);
  const stored = useSettings(path);
  return html`<${Answer} of=${stored}>${(answer) => html`<${Section} title=${t("settings.title")}>
    <${ListsOf} tenant=${connection.tenant} connection=${connection.id}><${SettingsFields} ...${{ manifest, path, base, answer }} /><//>
  <//>`}<//>`;
}

function SettingsFields({ manifest, path, base, answer }) {
  const draft = useDraft(path, answer);
  const save = async () => {
    await draft.save();
    go(`${base}/set-up/preview`);
  };
  return html`<${Form} on=${save} submit=${t("setup.next")} remedy=${draft.remedy}>
    <${Members} key=${draft.turn} schema=${manifest.settings_schema} value=${draft.value} on=${draft.setValue} without=${addressMembers(manifest)} />
  <//>`;
}

function PreviewStep({ connection, manifest, base }) {
  const path = baseOf(connection);
  const [job, setJob] = useState(manifest.jobs.find((one) => one.schedule)?.id || manifest.jobs[0]?.id);
  const [asked, setAsked] = useState(null);
  const begin = async () => setAsked(await post(`${path}/jobs/${encodeURIComponent(job)}/run`, { mode: "preview" }));
  return html`<${Section} title=${t("setup.preview")} lead=${t("setup.preview_lead")}>
      <${Form} light on=${begin} submit=${t("setup.preview_begin")}>
        <${SelectField} label=${t("job")} value=${job} on=${setJob} options=${manifest.jobs.map((one) => ({ value: one.id, label: own(one.title) }))} />
      <//>
      ${asked && html`<${Preview} key=${asked.run ?? asked.request} path=${path} asked=${asked} />`}
    <//>
    <div class="actions"><a class="button primary" href=${`${base}/set-up/on`}>${t("setup.next")}</a></div>`;
}

/** What became of a preview: its run, or the request that it still is; neither when it came to nothing. */
async function outcomeOf(path, asked) {
  const missing = (problem) => {
    if (problem.status === 404) return null;
    throw problem;
  };
  if (asked.run) return { run: await get(`${path}/runs/${asked.run}`).catch(missing) };
  // In this order: a request that is gone has its run by then.
  const request = await get(`${path}/requests/${asked.request}`).catch(missing);
  const { items } = await get(`${path}/runs`, { mode: "preview", limit: 20 });
  const run = items.find((one) => one.request === asked.request);
  return { request, run: run ? await get(`${path}/runs/${run.id}`) : null };
}

/** Longest time that a run which has begun may take to be listed. */
const LISTED_IN = 20000;

/** Follows the preview that was asked for: at once where the connection is off, else in its turn. */
function Preview({ path, asked }) {
  const [since] = useState(() => performance.now());
  const found = useAnswer(() => outcomeOf(path, asked), asked);
  const { run, request } = found.value || {};
  const gone = found.value && !run && !request && (!asked.run || performance.now() - since > LISTED_IN);
  const given = !run && request?.state === "dead";
  useEvery(run?.finished_at || gone || given ? 0 : 1000, found.again);
  if (found.problem) return html`<${ProblemNote} problem=${found.problem} again=${found.again} />`;
  if (gone) return html`<div class="note bad" role="alert"><p>${t("setup.preview_gone")}</p></div>`;
  if (given) return html`<div class="note bad" role="alert"><${Said} text=${request.error} why=${request.why} base=${path} /></div>`;
  if (!run) return html`<p role="status">${t("setup.preview_waiting")} <a href=${`#${path}/queue`}>${t("tab.queue")}</a></p>`;
  const link = html`<a href=${`#${path}/runs/${run.id}`}>${t("progress.run")}</a>`;
  if (!run.finished_at) return html`<p role="status">${t("setup.preview_running")} ${link}</p><progress aria-label=${t("progress.label")}></progress>`;
  return html`<div role="status" class=${run.outcome === "done" ? "note good" : "note bad"}>
      <p><${Badge} group="outcome" name=${run.outcome} /> ${t("setup.preview_result", { created: run.created, updated: run.updated, unchanged: run.unchanged, failed: run.failed })} ${run.error && html`<${Said} text=${run.error} why=${run.why} base=${path} />`} ${link}</p></div>
    ${run.records.length > 0 && html`<h3>${t("run.rejected")}</h3><${Rejected} run=${run} base=${path} />`}
    <h3>${t("run.would_change")}</h3>
    <${Changes} path=${`${path}/runs/${run.id}/changes`} looked />`;
}

function OnStep({ connection, manifest, base, again }) {
  const path = baseOf(connection);
  const enable = async () => {
    const isOn = await switchOn(path);
    again();
    go(base);
    return isOn;
  };
  const missing = missingOf(connection, manifest);
  return html`<${Section} title=${t("setup.on")} lead=${t("setup.on_lead")}>
    ${missing && html`<div class="note warn"><p>${t("state.missing", { names: missing })} <a href=${`${base}/set-up/access`}>${t("setup.access")}</a></p></div>`}
    <div class="actions start"><${Act} kind="primary" on=${enable} done=${t("setup.is_on")}>${t("setup.switch_on")}<//>
      <a class="button quiet" href=${base}>${t("setup.later")}</a></div>
  <//>`;
}
