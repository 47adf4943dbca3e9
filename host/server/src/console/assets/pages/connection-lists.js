// History, queue, failed records and bindings of a connection.

import { useEffect, useRef, useState } from "preact/hooks";

import { at, get, post, put, remove } from "../api.js";
import { moment, named, number, own, t } from "../i18n.js";
import { Act, Asks, Badge, Count, Filters, Form, html, List, Opens, Said, SearchField, Section, SelectField, TextField, useAnswer, useEvery } from "../ui.js";
import { RunChart } from "../chart.js";
import { ConnectionPage, useConnection } from "./connection-frame.js";

export const OUTCOMES = ["done", "suspended", "transient", "configuration", "crashed", "running"];

export const jobTitle = (manifest, id) => own(manifest?.jobs.find((job) => job.id === id)?.title) || id;

/** A record by its kind, in the language of who reads it, and its number or key. */
export const recordText = (kind, id) => `${named("record_kind", kind)} ${id}`;

/** Why a run was wanted, with the record that it is about. */
export function causeText(cause) {
  const record = cause.target || cause.record;
  return html`${named("cause", cause.type)}${record && html` <code>${recordText(record.kind, record.key)}</code>`}`;
}

export function History({ tenant, connection, query }) {
  const of = useConnection({ tenant, connection });
  const base = at`/tenants/${tenant}/connections/${connection}`;
  const [wanted, setWanted] = useState({ job: query.job || "", outcome: query.outcome || "" });
  useEvery(5000, of.again);
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${t("tab.runs")}>${({ manifest, connection: shown }) => html`
    <${Charts} base=${base} manifest=${manifest} last=${shown.last_run?.id} />
    <${Section} title=${t("runs.all")}>
      <${Filters} value=${wanted} on=${setWanted}>${(set) => html`
        <${SelectField} label=${t("job")} value=${wanted.job} none=${t("any")} on=${set("job")} options=${manifest.jobs.map((job) => ({ value: job.id, label: own(job.title) }))} />
        <${SelectField} label=${t("outcome")} value=${wanted.outcome} none=${t("any")} on=${set("outcome")} options=${OUTCOMES.map((one) => ({ value: one, label: t(`outcome.${one}`) }))} />
      `}<//>
      <${List} path=${`${base}/runs`} query=${wanted} every=${5000} caption=${t("tab.runs")} keyOf=${(run) => run.id} empty=${t("runs.none")} columns=${[
        { title: t("started_at"), cell: (run) => html`<a href=${`#${base}/runs/${run.id}`}>${moment(run.started_at)}</a>` },
        { title: t("job"), cell: (run) => html`${jobTitle(manifest, run.job)}${run.mode !== "live" && html`${" "}<span class="badge">${named("mode", run.mode)}</span>`}` },
        { title: t("outcome"), cell: (run) => html`<${Badge} group="outcome" name=${run.outcome} />` },
        { title: t("created"), kind: "number", cell: (run) => html`<${Count} of=${run.created} />` },
        { title: t("updated"), kind: "number", cell: (run) => html`<${Count} of=${run.updated} />` },
        { title: t("failed"), kind: "number", cell: (run) => html`<${Count} of=${run.failed} />` },
      ]} />
    <//>`}<//>`;
}

/** The last runs of a job that wrote; asked for anew when another run has ended. */
export function useRuns(ask, on, last) {
  const runs = useAnswer(ask, on);
  const seen = useRef(last);
  useEffect(() => {
    if (seen.current !== last) runs.again();
    seen.current = last;
  }, [last]);
  return runs;
}

export const lastRuns = (base, job) => get(`${base}/runs`, { job: job.id, mode: "live", limit: 30 });

function Charts({ base, manifest, last }) {
  const runs = useRuns(() => Promise.all(manifest.jobs.map((job) => lastRuns(base, job))), [base, manifest.version], last);
  const drawn = (runs.value || []).map((page, index) => [manifest.jobs[index], page.items]).filter(([, items]) => items.length > 0);
  if (!drawn.length) return null;
  return html`<${Section} title=${t("chart.title")} lead=${t("chart.lead")}>
    <div class="charts">${drawn.map(([job, items]) => html`<figure><figcaption>${own(job.title)}</figcaption><${RunChart} title=${own(job.title)} runs=${items} /></figure>`)}</div>
  <//>`;
}

export function Queue({ tenant, connection, query, may }) {
  const of = useConnection({ tenant, connection });
  const base = at`/tenants/${tenant}/connections/${connection}`;
  const [state, setState] = useState(query.state || "");
  const [turn, setTurn] = useState(0);
  const again = () => {
    setTurn((before) => before + 1);
    of.again();
  };
  const waits = useAnswer(() => get(`${base}/waits`), [base, turn]);
  const waitOf = (id) => waits.value?.items.find((wait) => wait.request === id)?.text || "–";
  useEvery(5000, () => Promise.all([of.again(), waits.again()]));
  const retry = async (id) => {
    await post(`${base}/requests/${id}/retry`);
    again();
  };
  const drop = async (id) => {
    await remove(`${base}/requests/${id}`);
    again();
  };
  const retryAll = async () => {
    const { retried } = await post(`${base}/requests/retry`);
    again();
    return retried;
  };
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${t("tab.queue")}>${({ manifest, connection: shown }) => html`
    <${Section} title=${t("queue.title")} lead=${t("queue.lead")}
      actions=${may.operate && shown.dead > 0 && html`<${Act} on=${retryAll} done=${(count) => t("queue.retried", { count })}>${t("queue.retry_all")}<//>`}>
      <${Filters} value=${{ state }} on=${(next) => setState(next.state)}>${(set) => html`
        <${SelectField} label=${t("state")} value=${state} none=${t("any")} on=${set("state")} options=${["ready", "later", "running", "dead"].map((one) => ({ value: one, label: t(`request.${one}`) }))} />
      `}<//>
      <${List} path=${`${base}/requests`} query=${{ state }} turn=${turn} every=${5000} caption=${t("queue.title")} keyOf=${(one) => one.id} empty=${t("queue.none")} columns=${[
        { title: t("job"), cell: (one) => html`${jobTitle(manifest, one.job)}${one.argument && html` <code>${one.argument}</code>`}${one.mode !== "live" && html`${" "}<span class="badge">${named("mode", one.mode)}</span>`}` },
        { title: t("state"), cell: (one) => html`<${Badge} group="request" name=${one.state} />` },
        { title: t("cause"), cell: (one) => causeText(one.cause) },
        { title: t("due_at"), cell: (one) => moment(one.due_at) },
        { title: t("queue.waits"), kind: "wide", cell: (one) => waitOf(one.id) },
        { title: t("attempts"), kind: "number", cell: (one) => number(one.attempts) },
        { title: t("error"), cell: (one) => (one.error ? html`<${Said} text=${one.error} why=${one.why} base=${base} />` : "–") },
        ...(may.operate
          ? [{ title: "", kind: "buttons", cell: (one) => one.state !== "running" && html`
              ${one.state === "dead" && html`<${Act} on=${() => retry(one.id)} done=${t("queue.retried", { count: 1 })}>${t("retry")}<//>`}
              <${Asks} kind="quiet" label=${t("remove")} question=${t("queue.remove_question")} on=${() => drop(one.id)} done=${t("removed")} />` }]
          : []),
      ]} />
    <//>
    <${GivenUp} ...${{ base, may, again: of.again }} connection=${shown} />`}<//>`;
}

/** Webhooks that no run came of; nothing where there is none. */
function GivenUp({ base, connection, may, again }) {
  const [turn, setTurn] = useState(0);
  const changed = () => {
    setTurn((before) => before + 1);
    again();
  };
  const retry = async (id) => {
    const { retried } = await post(id ? `${base}/webhooks/${id}/retry` : `${base}/webhooks/retry`);
    changed();
    return retried;
  };
  if (!connection.given_up_webhooks && !turn) return null;
  const retried = (count) => t("webhooks.retried", { count });
  return html`<${Section} title=${t("webhooks.title")} lead=${t("webhooks.lead")}
    actions=${may.operate && connection.given_up_webhooks > 0 && html`<${Act} on=${() => retry()} done=${retried}>${t("webhooks.retry_all")}<//>`}>
    <${List} path=${`${base}/webhooks`} turn=${turn} every=${5000} caption=${t("webhooks.title")} keyOf=${(one) => one.id} empty=${t("webhooks.none")} columns=${[
      { title: t("webhooks.received_at"), cell: (one) => moment(one.received_at) },
      { title: t("webhooks.topic"), cell: (one) => (one.topic ? html`<code>${one.topic}</code>` : "–") },
      { title: t("attempts"), kind: "number", cell: (one) => number(one.attempts) },
      { title: t("error"), kind: "wide", cell: (one) => html`<${Said} text=${one.error} why=${one.why} base=${base} />` },
      ...(may.operate
        ? [{ title: "", kind: "buttons", cell: (one) => html`
            <${Act} on=${() => retry(one.id)} done=${retried}>${t("retry")}<//>
            <${Asks} kind="quiet" label=${t("remove")} question=${t("webhooks.remove_question")} done=${t("removed")}
              on=${async () => {
                await remove(`${base}/webhooks/${one.id}`);
                changed();
              }} />` }]
        : []),
    ]} />
  <//>`;
}

export function Failed({ tenant, connection, may }) {
  const of = useConnection({ tenant, connection });
  const base = at`/tenants/${tenant}/connections/${connection}`;
  const [turn, setTurn] = useState(0);
  const again = () => {
    setTurn((before) => before + 1);
    of.again();
  };
  useEvery(4000, of.again);
  const retry = async (what) => {
    await post(`${base}/failed/retry`, what);
    again();
  };
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${t("tab.failed")}>${({ manifest, connection: shown }) => html`
    <${Section} title=${t("failed_records")} lead=${t("failed.lead")}
      actions=${may.operate && shown.state === "on" && shown.failed_records > 0 && html`<${Act} on=${() => retry({ all: true })} done=${t("failed.asked")}>${t("failed.retry_all")}<//>`}>
      <${List} path=${`${base}/failed`} turn=${turn} every=${4000} caption=${t("failed_records")} keyOf=${(one) => `${one.kind} ${one.side} ${one.id}`} empty=${t("failed.none")} columns=${[
        { title: t("record"), cell: (one) => html`<a href=${`#${base}/log?${new URLSearchParams({ record: one.label })}`}>${recordText(one.kind, one.label)}</a>` },
        { title: t("reason"), kind: "wide", cell: (one) => html`<${Said} text=${one.reason} why=${one.why} base=${base} />` },
        { title: t("job"), cell: (one) => jobTitle(manifest, one.job) },
        { title: t("at"), cell: (one) => html`<a href=${`#${base}/runs/${one.run}`}>${moment(one.at)}</a>` },
        ...(may.operate
          ? [{ title: "", kind: "buttons", cell: (one) => html`
              ${shown.state === "on" && html`<${Act} on=${() => retry({ records: [{ kind: one.kind, side: one.side, id: one.id }] })} done=${t("failed.asked")}
                label=${t("failed.retry_label", { record: recordText(one.kind, one.label) })}>${t("retry")}<//>`}
              <${Asks} kind="quiet" label=${t("remove")} question=${t("failed.remove_question", { record: recordText(one.kind, one.label) })} detail=${t("failed.remove_detail")} done=${t("removed")}
                on=${async () => {
                  await remove(`${base}/failed`, { kind: one.kind, side: one.side, id: one.id });
                  again();
                }} />` }]
          : []),
      ]} />
    <//>`}<//>`;
}

/** Kinds of records that connectors bind. */
const BOUND = ["order", "supplier-order", "product", "variant", "partner", "category", "warehouse", "stage", "source", "delivery-service"];

export function Bindings({ tenant, connection, query, may }) {
  const of = useConnection({ tenant, connection });
  const base = at`/tenants/${tenant}/connections/${connection}`;
  const [wanted, setWanted] = useState({ kind: query.kind || "", q: query.q || "" });
  const [turn, setTurn] = useState(0);
  const again = () => setTurn((before) => before + 1);
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${t("tab.bindings")}>${() => html`
    <${Section} title=${t("bindings.title")} lead=${t("bindings.lead")}>
      <${Filters} value=${wanted} on=${setWanted}>${(set) => html`
        <${SelectField} label=${t("kind")} value=${wanted.kind} none=${t("any")} on=${set("kind")}
          options=${[...new Set([...BOUND, wanted.kind].filter(Boolean))].map((one) => ({ value: one, label: named("record_kind", one) }))} />
        <${SearchField} label=${t("search")} value=${wanted.q} on=${set("q")} />
      `}<//>
      <${List} path=${`${base}/bindings`} query=${wanted} turn=${turn} caption=${t("bindings.title")} keyOf=${(one) => `${one.kind} ${one.origin}`} empty=${t("bindings.none")} columns=${[
        { title: t("kind"), cell: (one) => named("record_kind", one.kind) },
        { title: t("bindings.key"), cell: (one) => html`<code>${one.key}</code>` },
        { title: t("bindings.origin"), cell: (one) => html`<code>${one.origin}</code>` },
        ...(may.manage
          ? [{ title: "", kind: "buttons", cell: (one) => html`
              <${Opens} label=${t("bindings.rebind")} title=${t("bindings.rebind_title", { origin: one.origin })}>${(close) =>
                html`<${Rebind} base=${base} binding=${one} close=${close} again=${again} />`}<//>
              <${Asks} kind="quiet" label=${t("remove")} question=${t("bindings.remove_question", { origin: one.origin })} detail=${t("bindings.remove_detail")} done=${t("removed")}
                on=${async () => {
                  await remove(`${base}/bindings`, { kind: one.kind, origin: one.origin });
                  again();
                }} />` }]
          : []),
      ]} />
    <//>`}<//>`;
}

function Rebind({ base, binding, close, again }) {
  const [key, setKey] = useState(binding.key);
  const save = async () => {
    await put(`${base}/bindings`, { kind: binding.kind, origin: binding.origin, key: key.trim() });
    close();
    again();
  };
  return html`<${Form} on=${save} submit=${t("bindings.rebind")} cancel=${close} done=${t("saved")}>
    <${TextField} label=${t("bindings.key")} hint=${t("bindings.key_hint")} path="/key" required value=${key} on=${setKey} />
  <//>`;
}

