// What runs ask before they go on: numbers, some names, and two answers.

import { at, get, post } from "../api.js";
import { moment, named, t } from "../i18n.js";
import { Act, html, ProblemNote, Said, Section, useAnswer, useEvery } from "../ui.js";
import { baseOf } from "./connection-frame.js";
import { jobTitle } from "./connection-lists.js";

/** The questions of a connection that wait for an answer; nothing where there is none. */
export function Questions({ connection, manifest, may, again }) {
  const base = baseOf(connection);
  const asked = useAnswer(() => get(`${base}/questions`, { state: "open", limit: 100 }), [base, connection.open_questions]);
  useEvery(connection.open_questions ? 6000 : 0, asked.again);
  if (!connection.open_questions) return null;
  const answer = async (question, word) => {
    await post(at`/tenants/${connection.tenant}/connections/${connection.id}/questions/${question.id}/answer`, { answer: word });
    await asked.again();
    again();
  };
  return html`<${Section} title=${t("question.title")} lead=${t("question.lead")}>
    ${asked.problem && html`<${ProblemNote} problem=${asked.problem} again=${asked.again} />`}
    ${asked.value?.items.map((one) => html`<div class="note warn" key=${one.id}>
      <${What} question=${one} base=${base} />
      <p class="faint">${t("question.asked", { job: jobTitle(manifest, one.job), time: moment(one.asked_at) })}</p>
      ${(one.pauses ? may.manage : may.operate) && html`
        <ul>
          <li>${one.pauses ? t("question.yes_goes_on") : t("question.yes_does")}</li>
          <li>${t("question.no_does")}</li>
        </ul>
        <div class="actions start">
          <${Act} kind="danger" on=${() => answer(one, "yes")} done=${t("question.agreed")} label=${`${t("question.yes")}: ${one.text}`}>${t("question.yes")}<//>
          <${Act} on=${() => answer(one, "no")} done=${t("question.declined")} label=${`${t("question.no")}: ${one.text}`}>${t("question.no")}<//>
        </div>`}
    </div>`)}
  <//>`;
}

/** What is asked, with its numbers and some of the records by name. */
export function What({ question, base }) {
  const { affected, total, samples } = question;
  const more = affected - samples.length;
  return html`
    <p><strong>${question.text}</strong></p>
    <${Said} why=${question.why} base=${base} />
    <p>${t("question.numbers", { kind: named("record_kind", question.kind), affected, total })}</p>
    ${samples.length > 0 && html`<details><summary>${t("question.samples")}</summary>
      <ul>${samples.map((name) => html`<li>${name}</li>`)}${more > 0 && html`<li class="faint">${t("question.more", { more })}</li>`}</ul>
    </details>`}`;
}
