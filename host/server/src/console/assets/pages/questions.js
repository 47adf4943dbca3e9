// What runs, and switching on, ask before they go on: numbers, some names, and two answers.

import { useState } from "preact/hooks";

import { at, get, post } from "../api.js";
import { moment, named, t } from "../i18n.js";
import { Act, html, ProblemNote, Said, Secret, Section, useAnswer, useEvery } from "../ui.js";
import { baseOf } from "./connection-frame.js";
import { jobTitle } from "./connection-lists.js";

/** The kind of a question about whose the account at the counterpart is. */
const ACCOUNT = "account";

/**
 * The questions of a connection that wait for an answer, and those that were answered with no and are
 * still asked; nothing where there is none.
 */
export function Questions({ connection, manifest, may, again }) {
  const base = baseOf(connection);
  const open = useAnswer(() => get(`${base}/questions`, { state: "open", limit: 100 }), [base, connection.open_questions]);
  const declined = useAnswer(() => get(`${base}/questions`, { state: "declined", limit: 100 }), [base, connection.open_questions]);
  const asked = async () => Promise.all([open.again(), declined.again()]);
  useEvery(connection.open_questions ? 6000 : 0, asked);
  const problem = open.problem || declined.problem;
  const items = [...(open.value?.items ?? []), ...(declined.value?.items ?? [])];
  // The new address of the connection's webhooks, where an answer gave them one.
  const [url, setUrl] = useState(null);
  const address = url && html`<${Secret} label=${t("hook.url")} value=${url} />`;
  if (!problem && items.length === 0) return address;
  const answer = async (question, word) => {
    const answered = await post(at`/tenants/${connection.tenant}/connections/${connection.id}/questions/${question.id}/answer`, { answer: word });
    if (answered.hook_url) setUrl(answered.hook_url);
    await asked();
    again();
  };
  const mayAnswer = (one) => (one.pauses ? may.manage : may.operate);
  return html`${address}<${Section} title=${t(items.some(mayAnswer) ? "question.title" : "question.title_other")} lead=${t("question.lead")}>
    ${problem && html`<${ProblemNote} problem=${problem} again=${asked} />`}
    ${items.map((one) => html`<div class="note warn" key=${one.id}>
      <${What} question=${one} base=${base} />
      <p class="faint">${t("question.asked", { job: one.job ? jobTitle(manifest, one.job) : t("question.switching_on"), time: moment(one.asked_at) })}</p>
      ${
        mayAnswer(one)
          ? html`<${Answers} connection=${connection} question=${one} may=${may} on=${(word) => answer(one, word)} />`
          : html`${one.state === "declined" && html`<p>${saidNo(one, may)}</p>`}<p class="hint">${t("question.not_yours")}</p>`
      }
    </div>`)}
  <//>`;
}

/** Who said no. */
const saidNo = ({ answered_by }, may) =>
  !answered_by ? t("question.was_declined") : answered_by === may.name ? t("question.you_declined") : t("question.declined_by", { name: answered_by });

/** What each answer does, and the buttons. Who said no can still say yes. */
function Answers({ connection, question, may, on }) {
  const isOff = connection.state === "off";
  const yes = !question.job ? "question.yes_switches_on" : isOff ? "question.yes_waits" : question.pauses ? "question.yes_goes_on" : "question.yes_does";
  const of = question.kind === ACCOUNT ? "question.account_" : "question.";
  const isOpen = question.state === "open";
  return html`
    <ul>
      <li>${t(yes)}</li>
      <li>${isOpen ? t(`${of}no_does`) : `${saidNo(question, may)} ${t("question.still_asked")}`}</li>
    </ul>
    <div class="actions start">
      <${Act} kind="danger" on=${() => on("yes")} done=${t(!question.job ? "question.agreed_on" : isOff ? "question.agreed_off" : "question.agreed")} label=${`${t(`${of}yes`)}: ${question.text}`}>${t(`${of}yes`)}<//>
      ${isOpen && html`<${Act} on=${() => on("no")} done=${t("question.declined")} label=${`${t(`${of}no`)}: ${question.text}`}>${t(`${of}no`)}<//>`}
    </div>`;
}

/** What is asked, with its numbers and some of the records by name. */
export function What({ question, base }) {
  const { affected, total, samples } = question;
  const more = affected - samples.length;
  const said = html`
    <p><strong>${question.text}</strong></p>
    <${Said} why=${question.why} base=${base} />`;
  if (question.kind === ACCOUNT) return said;
  return html`${said}
    <p>${t("question.numbers", { kind: named("record_kind", question.kind), affected, total })}</p>
    ${samples.length > 0 && html`<details><summary>${t("question.samples")}</summary>
      <ul>${samples.map((name) => html`<li>${name}</li>`)}${more > 0 && html`<li class="faint">${t("question.more", { more })}</li>`}</ul>
    </details>`}`;
}
