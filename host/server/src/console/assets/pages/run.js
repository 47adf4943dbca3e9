import { at, get } from "../api.js";
import { duration, moment, moments, named, number, t } from "../i18n.js";
import { Badge, Facts, html, List, ProblemNote, Said, Section, Table, useAnswer, useEvery } from "../ui.js";
import { causeText, jobTitle, recordText } from "./connection-lists.js";
import { ConnectionPage, useConnection } from "./connection-frame.js";
import { Running } from "./connection.js";
import { What } from "./questions.js";

export function Run({ tenant, connection, run, may }) {
  const of = useConnection({ tenant, connection });
  const base = at`/tenants/${tenant}/connections/${connection}`;
  const found = useAnswer(() => get(at`/tenants/${tenant}/connections/${connection}/runs/${run}`), [base, run]);
  const open = found.value && !found.value.finished_at;
  useEvery(open ? 1500 : 0, () => Promise.all([found.again(), of.again()]));
  const title = found.value ? t("run.title", { job: jobTitle(of.value?.manifest, found.value.job), time: moment(found.value.started_at) }) : t("tab.runs");
  return html`<${ConnectionPage} ...${{ tenant, connection, of }} title=${title}>${(value) => html`
    ${found.problem && html`<${ProblemNote} problem=${found.problem} again=${found.again} />`}
    ${open && value.connection.running?.run === run && html`<${Running} ...${value} may=${may} />`}
    ${found.value && html`<${Outcome} run=${found.value} base=${base} />`}
  `}<//>`;
}

function Outcome({ run, base }) {
  const looked = run.mode !== "live";
  const spent = run.finished_at && new Date(run.finished_at) - new Date(run.started_at);
  return html`
    <${Section} title=${t("outcome")} actions=${html`<a href=${`#${base}/log?${new URLSearchParams({ run: run.id })}`}>${t("run.log")}</a>`}>
      ${run.error && html`<div class="note bad"><${Said} text=${run.error} why=${run.why} base=${base} /></div>`}
      ${run.warnings?.map((warning) => html`<div class="note warn"><${Said} text=${warning.text} why=${warning.why} base=${base} /></div>`)}
      ${looked && html`<div class="note"><p>${t(`run.wrote_nothing.${run.mode}`)}</p></div>`}
      <${Facts} of=${[
        [t("outcome"), html`<${Badge} group="outcome" name=${run.outcome} />`],
        [t("cause"), causeText(run.cause)],
        [t("started_at"), moments(run.started_at)],
        [t("run.took"), run.finished_at && duration(spent)],
        [t("created"), number(run.created)],
        [t("updated"), number(run.updated)],
        [t("unchanged"), number(run.unchanged)],
        [t("failed"), number(run.failed)],
        [t("run.requests"), number(run.requests)],
        [t("version"), run.version],
        [t("argument"), run.argument && html`<code>${run.argument}</code>`],
      ]} />
    <//>
    ${run.questions?.length > 0 &&
    html`<${Section} title=${t("run.questions")} lead=${t("run.questions_lead")}>${run.questions.map((one) => html`<div class="note warn" key=${one.id}><${What} question=${one} base=${base} /></div>`)}<//>`}
    ${run.written?.length > 0 &&
    html`<${Section} title=${looked ? t("run.would_write") : t("run.written")}><${WrittenRecords} run=${run} /><//>`}
    ${run.records?.length > 0 &&
    html`<${Section} title=${t("run.rejected")}><${Rejected} run=${run} base=${base} /><//>`}
    <${Section} title=${looked ? t("run.would_change") : t("run.changes")}><${Changes} path=${`${base}/runs/${encodeURIComponent(run.id)}/changes`} turn=${run.finished_at ? 1 : 0} looked=${looked} /><//>`;
}

/** How many records of each kind were written on each side. */
const WrittenRecords = ({ run }) => html`<${Table} caption=${t("run.written")} items=${run.written} columns=${[
  { title: t("run.side"), cell: (one) => t(`side.${one.side}`) },
  { title: t("record"), cell: (one) => named("record_kind", one.kind) },
  { title: t("created"), kind: "number", cell: (one) => number(one.created) },
  { title: t("updated"), kind: "number", cell: (one) => number(one.updated) },
  { title: t("run.removed"), kind: "number", cell: (one) => number(one.removed) },
]} />`;

/** Records that a run could not take, each with its reason. */
export const Rejected = ({ run, base }) => html`<${Table} caption=${t("run.rejected")} items=${run.records} columns=${[
  { title: t("record"), cell: (one) => html`<a href=${`#${base}/log?${new URLSearchParams({ record: one.id })}`}>${recordText(one.kind, one.id)}</a>` },
  { title: t("reason"), kind: "wide", cell: (one) => html`<${Said} text=${one.reason} why=${one.why} base=${base} />` },
]} />`;

/** A kind of records, or the directory of an entry. */
function kindText(kind) {
  const text = named("record_kind", kind);
  return text === kind ? named("kind", kind) : text;
}

export function Changes({ path, turn, looked }) {
  return html`<${List} path=${path} turn=${turn} caption=${looked ? t("run.would_change") : t("run.changes")} empty=${looked ? t("run.no_change_wanted") : t("run.no_changes")} columns=${[
    { title: t("run.side"), cell: (one) => t(`side.${one.side}`) },
    { title: t("record"), cell: (one) => html`${kindText(one.record_kind)} ${one.label} <code>${one.origin || one.key}</code> <span class="badge">${named("change", one.change)}</span>` },
    { title: t("run.fields"), kind: "wide", cell: (one) => html`<dl class="changes">${one.changes.map(
      (change) => html`<div><dt>${named("field", change.field)}</dt><dd>${change.before !== null && change.before !== undefined && html`<del>${change.before}</del> `}${
        change.after === null || change.after === undefined ? html`<em>${t("run.gone")}</em>` : html`<ins>${change.after}</ins>`
      }</dd></div>`,
    )}</dl>` },
  ]} />`;
}

