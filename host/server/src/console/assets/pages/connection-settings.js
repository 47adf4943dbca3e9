// What an admin decides about a connection: settings, credentials, schedule, version.

import { useEffect, useRef, useState } from "preact/hooks";

import { at, get, getAll, getWithTag, patch, post, put, putWithTag, remove } from "../api.js";
import { moment, own, t } from "../i18n.js";
import { go, here, link } from "../route.js";
import { PRESETS, scheduleText } from "../schedule.js";
import { addressMembers, ListsOf, Members } from "../settings-form.js";
import { Act, Answer, AreaField, Asks, Badge, CheckField, Facts, Fieldset, Form, html, Said, Secret, Section, SelectField, Table, TextField, useAnswer, useEvery } from "../ui.js";
import { baseOf, ConnectionPage, useConnection } from "./connection-frame.js";

// ---- settings

/** The stored settings with the tag that a change of them has to name. */
export const useSettings = (base) => useAnswer(() => getWithTag(`${base}/settings`), base);

const differs = (one, other) => JSON.stringify(one) !== JSON.stringify(other);

/** What is in `value` and differs from `before`. */
export const changesOf = (before, value) => Object.fromEntries(Object.entries(value).filter(([name, member]) => differs(member, before[name])));

/**
 * Settings that are being changed. When somebody else stored others meanwhile, `remedy` offers to load
 * those, and what was changed here stays. Fields are drawn anew when `turn` differs.
 */
export function useDraft(base, read) {
  const [stored, setStored] = useState(read);
  const [value, setValue] = useState(read.value);
  const [turn, setTurn] = useState(0);
  const save = async () => setStored(await putWithTag(`${base}/settings`, value, stored.etag));
  const load = async () => {
    const present = await getWithTag(`${base}/settings`);
    const gone = Object.keys(stored.value).filter((name) => !(name in value));
    const kept = Object.entries(present.value).filter(([name]) => !gone.includes(name));
    setValue({ ...Object.fromEntries(kept), ...changesOf(stored.value, value) });
    setStored(present);
    setTurn(turn + 1);
  };
  const remedy = (problem, close) =>
    problem.status === 412 && html`<${Act} done=${t("settings.loaded")} on=${() => load().then(close)}>${t("settings.load")}<//>`;
  return { value, setValue, save, remedy, turn };
}

export function Settings({ tenant, connection, may }) {
  const of = useConnection({ tenant, connection });
  const stored = useSettings(at`/tenants/${tenant}/connections/${connection}`);
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${t("tab.settings")}>${(value) => html`
    <${Answer} of=${stored}>${(answer) => html`
      <${Section} title=${t("settings.title")}>
        <${ListsOf} tenant=${tenant} connection=${connection}>
          <${SettingsForm} ...${value} stored=${answer} may=${may} />
        <//>
      <//>`}<//>
    ${may.manage && html`<${Frame} ...${value} may=${may} again=${of.again} /><${Removal} connection=${value.connection} />`}
  `}<//>`;
}

/** Goes to the field that the address names, once it is drawn. */
function useNamedField() {
  useEffect(() => {
    const { field } = here().query;
    const wanted = field && document.querySelector(`[data-path="${CSS.escape(field)}"]`);
    wanted?.scrollIntoView({ block: "center" });
    wanted?.focus();
  }, []);
}

function SettingsForm({ connection, manifest, stored, may }) {
  useNamedField();
  const draft = useDraft(baseOf(connection), stored);
  const address = addressMembers(manifest);
  const members = { schema: manifest.settings_schema, value: draft.value, on: draft.setValue };
  const fields = html`<${Members} key=${`members ${draft.turn}`} ...${members} without=${address} />
    ${address.length > 0 && html`<details key="address"><summary>${t("setup.address")}</summary><${Members} key=${draft.turn} ...${members} only=${address} /></details>`}`;
  if (!may.manage) return html`<${ReadOnly}>${fields}<//>`;
  return html`<${Form} on=${draft.save} submit=${t("save")} done=${t("saved")} remedy=${draft.remedy}>${fields}<//>`;
}

/** Fields to look at, for those who may not change them. */
const ReadOnly = ({ children }) => html`<p class="hint">${t("read_only")}</p><fieldset disabled class="bare">${children}</fieldset>`;

/** The words of a text that has one in each line or place. */
export const wordsOf = (text) => text.split(/\s+/).filter(Boolean);

/** What is typed about a connection, as the API takes it. */
function frameOf(typed) {
  const pairs = typed.limits.split("\n").map((line) => line.split("=")).filter(([name]) => name.trim());
  return {
    title: typed.title,
    window: typed.from || typed.to ? { from: typed.from, to: typed.to } : null,
    grants: wordsOf(typed.grants),
    no_budget: typed.no_budget,
    limits: Object.fromEntries(pairs.map(([name, limit]) => [name.trim(), Number(limit)])),
  };
}

/** Title, hours, and what the host allows: not the connector's business. */
function Frame({ connection, may, again }) {
  const [value, setValue] = useState({
    title: connection.title,
    from: connection.window?.from || "",
    to: connection.window?.to || "",
    grants: connection.grants.join("\n"),
    no_budget: connection.no_budget,
    limits: Object.entries(connection.limits).map(([name, limit]) => `${name}=${limit}`).join("\n"),
  });
  const [before, setBefore] = useState(value);
  const set = (name) => (given) => setValue({ ...value, [name]: given });
  const save = async () => {
    // What was not touched here stays as somebody else may have left it meanwhile.
    const change = changesOf(frameOf(before), frameOf(value));
    if (Object.keys(change).length > 0) await patch(baseOf(connection), change);
    setBefore(value);
    again();
  };
  return html`<${Section} title=${t("frame.title")}>
    <${Form} on=${save} submit=${t("save")} done=${t("saved")}>
      <${TextField} label=${t("name")} path="/title" value=${value.title} on=${set("title")} />
      <${Fieldset} label=${t("frame.window")} hint=${t("frame.window_hint")} path="/window">
        <div class="columns">
          <${TextField} type="time" label=${t("frame.from")} path="/window/from" value=${value.from} on=${set("from")} />
          <${TextField} type="time" label=${t("frame.to")} path="/window/to" value=${value.to} on=${set("to")} />
        </div>
      <//>
      ${may.platform && html`<details><summary>${t("frame.more")}</summary>
        <${AreaField} label=${t("frame.grants")} hint=${t("frame.grants_hint")} path="/grants" value=${value.grants} on=${set("grants")} />
        <${CheckField} label=${t("frame.no_budget")} hint=${t("frame.no_budget_hint")} path="/no_budget" checked=${value.no_budget} on=${set("no_budget")} />
        <${AreaField} label=${t("frame.limits")} hint=${t("frame.limits_hint")} path="/limits" value=${value.limits} on=${set("limits")} />
      </details>`}
    <//>
  <//>`;
}

function Removal({ connection }) {
  const drop = async () => {
    await remove(baseOf(connection));
    go(link`/tenants/${connection.tenant}`);
  };
  return html`<${Section} title=${t("connections.remove")} lead=${t("connections.remove_lead")}>
    <${Asks} kind="danger" label=${t("connections.remove")} question=${t("connections.remove_question", { name: connection.title || connection.id })} on=${drop} done=${t("removed")} />
  <//>`;
}

// ---- access

/** Credentials that are typed and not stored yet, by name, each with how to store it. */
export const useTyped = () => useRef(new Map()).current;

/** Stores them. */
export const storeTyped = async (typed) => {
  for (const store of [...typed.values()]) await store();
};

export function Access({ tenant, connection, may }) {
  const of = useConnection({ tenant, connection });
  const typed = useTyped();
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${t("tab.access")}>${(value) => html`
    <${Section} title=${t("access.credentials")} lead=${t("access.lead")}><${Credentials} ...${value} may=${may} again=${of.again} typed=${typed} /><//>
    ${may.manage && html`
      <${Section} title=${t("access.check")} lead=${t("access.check_lead")}><${Check} connection=${value.connection} typed=${typed} /><//>
      <${Hook} connection=${value.connection} />`}
  `}<//>`;
}

/** Names whose values nobody reads back: they are only set and removed. */
export function Credentials({ connection, manifest, may, again, typed }) {
  const base = baseOf(connection);
  const stored = useAnswer(async () => (await get(`${base}/credentials`)).items, base);
  const both = () => {
    stored.again();
    again();
  };
  const oneOf = manifest.endpoints.some((endpoint) => endpoint.credentials.length > 1);
  return html`<${Answer} of=${stored}>${(known) => html`
    ${oneOf && html`<p class="hint">${t("access.one_of")}</p>`}
    ${manifest.credentials.map((credential) => {
      const found = known.find((one) => one.name === credential.name);
      return html`<${Credential} key=${credential.name} ...${{ base, credential, found, may, typed }} again=${both} />`;
    })}`}<//>`;
}

function Credential({ base, credential, found, may, again, typed }) {
  const [secret, setSecret] = useState("");
  const place = `${base}/credentials/${encodeURIComponent(credential.name)}`;
  const title = own(credential.title) || credential.name;
  const save = async () => {
    await put(place, { secret });
    setSecret("");
    again();
  };
  if (secret) typed.set(credential.name, save);
  else typed.delete(credential.name);
  const drop = async () => {
    await remove(place);
    again();
  };
  const stored = found && t("access.stored", { time: moment(found.changed_at) });
  const state = !found ? t("access.absent") : found.again ? t("access.again") : stored;
  if (!may.manage) return html`<p><strong>${title}</strong> ${state}</p>`;
  return html`<div class="credential"><${Form} on=${save} submit=${found ? t("access.replace") : t("save")} done=${t("access.saved")}
    actions=${found && html`<${Asks} kind="quiet" label=${t("remove")} question=${t("access.remove_question", { name: title })} on=${drop} done=${t("removed")} />`}>
    <${TextField} label=${title} hint=${state} path="/secret" type="password" autocomplete="new-password" value=${secret} on=${setSecret} />
  <//></div>`;
}

/** Asks the counterpart who we are to it, with what is typed. `tell` hears the name of the account, or
 * null. */
export function Check({ connection, typed, tell = () => {} }) {
  const base = baseOf(connection);
  const [found, setFound] = useState(null);
  const check = async () => {
    setFound(null);
    tell(null);
    await storeTyped(typed);
    const answer = await post(`${base}/check`);
    setFound(answer);
    tell(answer.account);
  };
  return html`<${Form} on=${check} submit=${t("access.check_now")}>
    ${found && html`<div class="note good" role="status"><p>${t("access.checked", { account: found.account })}</p></div>
      ${found.notes.map((note) => html`<div class="note warn" role="status"><p><${Said} text=${note.text} why=${note.why} base=${base} /></p></div>`)}`}
  <//>`;
}

function Hook({ connection }) {
  const [url, setUrl] = useState(null);
  const rotate = async () => setUrl((await post(`${baseOf(connection)}/hook/rotate`)).url);
  return html`<${Section} title=${t("hook.title")} lead=${t("hook.lead")}>
    ${url && html`<${Secret} label=${t("hook.url")} value=${url} />`}
    <${Asks} label=${t("hook.rotate")} question=${t("hook.question")} detail=${t("hook.detail")} on=${rotate} />
  <//>`;
}

// ---- schedule

export function Schedule({ tenant, connection, may }) {
  const of = useConnection({ tenant, connection });
  const schedules = useAnswer(() => get(at`/tenants/${tenant}/connections/${connection}/schedules`), [tenant, connection]);
  useEvery(15000, schedules.again);
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${t("tab.schedule")}>${({ connection: shown, owner }) => html`
    <${Section} title=${t("schedule.title")} lead=${t("schedule.lead", { zone: owner.time_zone })}>
      <${Answer} of=${schedules}>${({ items }) => html`<${ScheduleForm} base=${baseOf(shown)} items=${items} may=${may} again=${schedules.again} />`}<//>
    <//>`}<//>`;
}

function ScheduleForm({ base, items, may, again }) {
  const start = () => Object.fromEntries(items.map((one) => [one.job, one.cron === one.default_cron ? undefined : one.cron]));
  const [value, setValue] = useState(start);
  const save = async () => {
    await put(`${base}/schedules`, Object.fromEntries(Object.entries(value).filter(([, cron]) => cron !== undefined)));
    again();
  };
  const rows = items.map((one) => html`<${JobSchedule} key=${one.job} of=${one} value=${value[one.job]} on=${(cron) => setValue({ ...value, [one.job]: cron })} />`);
  if (!may.manage) return html`<${ReadOnly}>${rows}<//>`;
  return html`<${Form} on=${save} submit=${t("save")} done=${t("saved")}>${rows}<//>`;
}

function JobSchedule({ of, value, on }) {
  const known = PRESETS.some(([, cron]) => cron === value);
  const [custom, setCustom] = useState(typeof value === "string" && !known);
  const chosen = custom ? "own" : value === undefined ? "default" : value === null ? "never" : value;
  const choose = (choice) => {
    setCustom(choice === "own");
    if (choice === "own") on(value || of.default_cron || "*/15 * * * *");
    else on(choice === "default" ? undefined : choice === "never" ? null : choice);
  };
  const options = [
    { value: "default", label: t("schedule.default", { when: of.default_cron ? scheduleText(of.default_cron) : t("schedule.never") }) },
    ...PRESETS.map(([key, cron]) => ({ value: cron, label: t(key) })),
    { value: "never", label: t("schedule.never") },
    { value: "own", label: t("schedule.own") },
  ];
  const path = `/${of.job}`;
  return html`<div class="columns job-schedule">
    <${SelectField} label=${own(of.title) || of.job} path=${custom ? undefined : path} value=${chosen} options=${options} on=${choose}
      hint=${of.next_at ? t("jobs.next", { time: moment(of.next_at) }) : undefined} />
    ${custom && html`<${TextField} label=${t("schedule.cron")} hint=${t("schedule.cron_hint")} path=${path} value=${value ?? ""} on=${on} spellcheck=${false} />`}
  </div>`;
}

// ---- versions

export function Versions({ tenant, connection, may }) {
  const of = useConnection({ tenant, connection });
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${t("tab.versions")}>${(value) => html`<${VersionsOf} ...${value} may=${may} again=${of.again} />`}<//>`;
}

function VersionsOf({ connection, may, again }) {
  const base = baseOf(connection);
  const connectors = useAnswer(() => getAll("/connectors"), "connectors");
  const upgrade = async (digest) => {
    await post(`${base}/upgrade`, { digest });
    again();
  };
  const back = async () => {
    await post(`${base}/rollback`);
    again();
  };
  return html`
    ${connection.trial && html`<div class="note"><p>${t("state.trial", { count: connection.trial.left, failed: connection.trial.failed })}</p></div>`}
    <${Section} title=${t("versions.now")} actions=${may.manage && connection.previous &&
      html`<${Asks} label=${t("versions.rollback", { version: connection.previous.version })} question=${t("versions.rollback_question", { version: connection.previous.version })}
        detail=${t("versions.rollback_detail")} on=${back} done=${t("versions.changed")} />`}>
      <${Facts} of=${[
        [t("version"), connection.version.version],
        [t("versions.previous"), connection.previous && html`${connection.previous.version} <code>${connection.previous.digest.slice(0, 12)}</code>`],
        [t("digest"), html`<code>${connection.version.digest}</code>`, "whole"],
      ]} />
    <//>
    <${Section} title=${t("versions.installed")} lead=${t("versions.lead")}>
      <${Answer} of=${connectors}>${(all) => {
        const versions = all.find((one) => one.name === connection.connector)?.versions || [];
        return html`<${Table} caption=${t("versions.installed")} items=${versions} keyOf=${(one) => one.digest} columns=${[
          { title: t("version"), cell: (one) => html`${one.version} ${one.digest === connection.version.digest && html`<${Badge} group="versions" name="pinned" />`}` },
          { title: t("digest"), cell: (one) => html`<code>${one.digest.slice(0, 12)}</code>` },
          { title: t("components.installed_at"), cell: (one) => moment(one.installed_at) },
          ...(may.manage
            ? [{ title: "", kind: "buttons", cell: (one) => one.digest !== connection.version.digest &&
                html`<${Asks} label=${t("versions.switch")} question=${t("versions.switch_question", { version: one.version })} detail=${t("versions.switch_detail")} on=${() => upgrade(one.digest)} done=${t("versions.changed")} />` }]
            : []),
        ]} />`;
      }}<//>
    <//>`;
}

