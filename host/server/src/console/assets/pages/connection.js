// The overview of a connection: is it on, what does it do now, what did it do last.

import { useEffect, useId, useRef, useState } from "preact/hooks";

import { get, post } from "../api.js";
import { RunChart } from "../chart.js";
import { duration, moment, named, number, own, t } from "../i18n.js";
import { link } from "../route.js";
import { credentialTitles } from "../names.js";
import { ListsOf, RecordField } from "../settings-form.js";
import { Act, Answer, Badge, Form, html, Opens, Page, Said, notify, Section, StateBadge, Switch, TextField, useAnswer, useEvery, Facts } from "../ui.js";
import { baseOf, missingOf, Tabs, useConnection } from "./connection-frame.js";
import { lastRuns, useRuns } from "./connection-lists.js";
import { scheduleText } from "../schedule.js";
import { Questions } from "./questions.js";

export function Overview({ tenant, connection, may }) {
  const of = useConnection({ tenant, connection });
  const shown = of.value?.connection;
  useEvery(shown?.running || shown?.waiting ? 1500 : 6000, of.again);
  const crumbs = [[of.value?.owner.name || tenant, link`/tenants/${tenant}`]];
  return html`<${Page} title=${shown?.title || connection} crumbs=${crumbs}
    badge=${shown && html`<${StateBadge} of=${shown} />`}
    nav=${html`<${Tabs} tenant=${tenant} connection=${connection} counts=${{ failed: shown?.failed_records, queue: shown && shown.dead + shown.given_up_webhooks }} />`}>
    <${Answer} of=${of}>${(value) => html`
      <${Questions} ...${value} may=${may} again=${of.again} />
      <${State} ...${value} may=${may} again=${of.again} />
      <${Running} ...${value} may=${may} />
      <${Jobs} ...${value} may=${may} again=${of.again} />
      ${may.operate && value.connection.state === "on" && value.manifest.actions.length > 0 && html`<${Actions} ...${value} again=${of.again} />`}
    `}<//>
  <//>`;
}

/** Switches a connection on. When it asks something first, that is shown with its two answers and is
 * nothing that went wrong; answers whether it is on. */
export async function switchOn(base) {
  try {
    await post(`${base}/enable`);
    return true;
  } catch (problem) {
    const of = (state) => get(`${base}/questions`, { state, limit: 100 });
    const asked = problem.code === "refused" ? await Promise.all([of("open"), of("declined")]) : [];
    const isAsked = asked.some(({ items }) => items.some((one) => !one.job && one.why.code === problem.why?.code));
    if (!isAsked) throw problem;
    notify(t("question.asked_first"));
    return false;
  }
}

/** What is to be done before a connection can be switched on for the first time. */
function SetUpNote({ connection }) {
  const base = baseOf(connection);
  const step = connection.missing_credentials.length > 0 ? "access" : "settings";
  return html`<div class="note"><p>${t("setup.goes_on")} <a href=${`#${base}/set-up/${step}`}>${t("setup.go_on")}</a></p></div>`;
}

/** Credentials that are missing, and those that are stored for another address than that of now. */
function Missing({ connection, manifest, may }) {
  const base = baseOf(connection);
  const isMissing = connection.missing_credentials.length > 0;
  const stored = useAnswer(async () => (isMissing ? (await get(`${base}/credentials`)).items : []), [base, connection.missing_credentials]);
  if (!isMissing) return null;
  const isAgain = (name) => stored.value?.some((one) => one.name === name && one.again);
  const again = connection.missing_credentials.flat().filter(isAgain);
  const missing = missingOf({ missing_credentials: connection.missing_credentials.filter((names) => !names.some(isAgain)) }, manifest);
  const way = may.manage && html`${" "}<a href=${`#${base}/access`}>${t("tab.access")}</a>`;
  return html`
    ${again.length > 0 && html`<div class="note warn"><p>${t("state.again", { names: again.map((name) => credentialTitles([name], manifest)).join(", ") })}${way}</p></div>`}
    ${missing && html`<div class="note warn"><p>${t("state.missing", { names: missing })}${way}</p></div>`}`;
}

function State({ connection, manifest, may, again }) {
  const base = baseOf(connection);
  const isOn = connection.state === "on";
  const turn = async (on) => {
    try {
      await (on ? switchOn(base) : post(`${base}/disable`));
    } finally {
      // What is asked before it is switched on shows, too.
      again();
    }
  };
  return html`<${Section} title=${t("state")}>
    ${connection.state === "paused" && html`<div class="note warn" role="status"><strong>${t("state.paused_why")}</strong>${" "}<${Said} text=${connection.paused_reason} why=${connection.paused_why} base=${base} /></div>`}
    ${connection.maintenance && html`<div class="note warn" role="status"><strong>${t("maintenance.holds")}</strong>${" "}${connection.maintenance.note}</div>`}
    ${may.manage && connection.state === "off" && !connection.enabled_at && html`<${SetUpNote} connection=${connection} />`}
    <${Missing} ...${{ connection, manifest, may }} />
    ${connection.trial && html`<div class="note"><p>${t("state.trial", { count: connection.trial.left, failed: connection.trial.failed })}</p></div>`}
    ${may.operate && html`<${Switch} checked=${isOn} label=${t("state.exchange")} on=${turn} />`}
    <${Facts} of=${[
      [t("connector"), `${own(manifest.title) || connection.connector} ${connection.version.version}`],
      [t("state.enabled_at"), connection.enabled_at && moment(connection.enabled_at)],
      [t("state.waiting"), html`<a href=${`#${base}/queue`}>${number(connection.waiting)}</a>`],
      [t("dead_requests"), html`<a href=${`#${base}/queue?state=dead`}>${number(connection.dead)}</a>`],
      [t("webhooks.title"), html`<a href=${`#${base}/queue`}>${number(connection.given_up_webhooks)}</a>`],
      [t("failed_records"), html`<a href=${`#${base}/failed`}>${number(connection.failed_records)}</a>`],
    ]} />
  <//>`;
}

/** The run that is under way, when there is one. */
export function Running(props) {
  const left = useTimeLeft(props.connection);
  return props.connection.running && html`<${UnderWay} ...${props} left=${left} />`;
}

/** Counts, a bar when the end is known, and how long it will take at the pace so far. */
function UnderWay({ connection, manifest, may, left }) {
  const { running } = connection;
  const progress = running.progress || {};
  const { done = 0, total } = progress;
  const job = manifest.jobs.find((one) => one.id === running.job);
  const words = total ? t("progress.of", { done, total }) : t("progress.done", { done });
  const said = useSaid(`${words} ${left ? t("progress.left", { time: duration(left) }) : ""}`, total ? Math.floor((done / total) * 4) : 0);
  return html`<${Section} title=${t("progress.title", { job: own(job?.title) || running.job })} kind="card running"
    actions=${may.operate && html`<${Act} kind="quiet" on=${() => post(`${baseOf(connection)}/stop`)} done=${t("progress.stopping")}>${t("progress.stop")}<//>`}>
    <progress aria-label=${t("progress.label")} max=${total || undefined} value=${total ? Math.min(done, total) : undefined}></progress>
    <p class="counts"><strong>${words}</strong>${left !== null && html` · ${t("progress.left", { time: duration(left) })}`}</p>
    <p class="counts faint">${t("progress.counts", {
      created: progress.created ?? 0,
      updated: progress.updated ?? 0,
      unchanged: progress.unchanged ?? 0,
      failed: progress.failed ?? 0,
    })} · <a href=${`#${baseOf(connection)}/runs/${running.run}`}>${t("progress.run")}</a></p>
    <p class="unseen" role="status">${said}</p>
  <//>`;
}

/** How long the run will take at the pace that was seen here: the server's clock may be another one. */
function useTimeLeft(connection) {
  const seen = useRef({});
  const { running } = connection;
  const now = performance.now();
  const last = seen.current;
  if (last.connection !== connection) {
    // A run that was not there at the look before had done nothing by then.
    const begun = last.connection ? { at: last.at, done: 0 } : { at: now, done: running?.progress.done };
    const goesOn = last.connection?.running?.run === running?.run;
    seen.current = { connection, at: now, first: goesOn ? last.first : begun };
  }
  if (!running) return null;
  const { done, total } = running.progress;
  const { first } = seen.current;
  const spent = now - first.at;
  const handled = done - first.done;
  return total && handled > 0 && done < total && spent > 2000 ? (spent / handled) * (total - done) : null;
}

/** What is read aloud: anew at each quarter, because a voice for each record is noise. */
function useSaid(words, quarter) {
  const latest = useRef(words);
  latest.current = words;
  const [said, setSaid] = useState("");
  useEffect(() => setSaid(latest.current), [quarter]);
  return said;
}

function Jobs({ connection, manifest, may, again }) {
  const base = baseOf(connection);
  const why = useId();
  const schedules = useAnswer(() => get(`${base}/schedules`), [base, connection.version.digest, connection.state]);
  useEvery(15000, schedules.again);
  return html`<${Section} title=${t("jobs")}>
    ${may.operate && connection.state !== "on" && html`<p class="hint" id=${why}>${t("jobs.off")}</p>`}
    ${manifest.jobs.map((job) => {
      const schedule = schedules.value?.items.find((one) => one.job === job.id);
      return html`<${Job} key=${job.id} ...${{ connection, job, schedule, may, again, base, why }} />`;
    })}
  <//>`;
}

function Job({ connection, job, schedule, may, again, base, why }) {
  const title = own(job.title) || job.id;
  const [argument, setArgument] = useState("");
  const runs = useRuns(() => lastRuns(base, job), [base, job.id], connection.last_run?.id);
  const run = async (mode) => {
    await post(`${base}/jobs/${encodeURIComponent(job.id)}/run`, { mode, argument: argument.trim() || undefined });
    again();
  };
  const asked = connection.maintenance && connection.state === "on" ? t("jobs.held", { job: title }) : t("jobs.asked", { job: title });
  const newest = runs.value?.items[0];
  return html`<div class="job">
    <div class="what">
      <h3>${title}</h3>
      <p class="faint">${schedule?.next_at ? t("jobs.next", { time: moment(schedule.next_at) }) : schedule?.cron ? scheduleText(schedule.cron) : t("jobs.asked_only")}</p>
      ${newest && html`<p><a href=${`#${base}/runs/${newest.id}`}>${moment(newest.started_at)}</a>${" "}<${Badge} group="outcome" name=${newest.outcome} />
        <span class="faint">${" "}${t("jobs.counts", { created: newest.created, updated: newest.updated, failed: newest.failed })}</span></p>`}
    </div>
    ${runs.value && html`<${RunChart} title=${title} runs=${runs.value.items} />`}
    ${may.operate && html`<div class="actions">
      <${Act} on=${() => run("live")} disabled=${connection.state !== "on"} why=${why} done=${asked} label=${t("jobs.run_label", { job: title })}>${t("jobs.run")}<//>
      <${Act} kind="quiet" on=${() => run("preview")} done=${asked} label=${t("jobs.preview_label", { job: title })}>${t("jobs.preview")}<//>
      <${Act} kind="quiet" on=${() => run("compare")} done=${asked} label=${t("jobs.compare_label", { job: title })}>${t("jobs.compare")}<//>
    </div>
    <details><summary>${t("jobs.more")}</summary>
      <${TextField} label=${t("argument")} hint=${t("jobs.argument_hint")} value=${argument} on=${setArgument} spellcheck=${false} />
    </details>`}
  </div>`;
}

function Actions({ connection, manifest, again }) {
  return html`<${Section} title=${t("actions.title")} lead=${t("actions.lead")}>
    <div class="actions start">${manifest.actions.map(
      (action) => html`<${Opens} label=${own(action.title)}>${(close) => html`<${Press} ...${{ connection, action, close, again }} />`}<//>`,
    )}</div>
  <//>`;
}

function Press({ connection, action, close, again }) {
  const [key, setKey] = useState("");
  const kind = action.record_kind;
  const press = async () => {
    await post(`${baseOf(connection)}/actions/${encodeURIComponent(action.id)}`, { kind, key: key.trim() });
    close();
    again();
  };
  return html`<${Form} on=${press} submit=${t("actions.press")} cancel=${close} done=${t("jobs.asked", { job: own(action.title) })}>
    <${ListsOf} tenant=${connection.tenant} connection=${connection.id}>
      <${RecordField} label=${t("actions.record", { kind: named("record_kind", kind) })} kind=${kind} path="/key" value=${key} on=${setKey} />
    <//>
  <//>`;
}
