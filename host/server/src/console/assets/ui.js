// The parts that pages are made of. They carry what makes pages usable by keyboard and by ear:
// labels, live regions, focus on a new page, in dialogs and at a field that is wrong.

import { h, createContext } from "preact";
import { useContext, useEffect, useId, useRef, useState } from "preact/hooks";
import htm from "htm";

import { get, Problem } from "./api.js";
import { named, number, t } from "./i18n.js";

export const html = htm.bind(h);

// ---- loading

/** Asks once and whenever `on` changes; keeps showing the last answer while it asks again. */
export function useAnswer(ask, on) {
  const [answer, setAnswer] = useState({ value: undefined, problem: null });
  const [turn, setTurn] = useState(0);
  const asked = useRef(null);
  const key = JSON.stringify(on);
  useEffect(() => {
    let wanted = true;
    if (asked.current !== key) setAnswer({ value: undefined, problem: null });
    asked.current = key;
    ask().then(
      (value) => wanted && setAnswer({ value, problem: null }),
      (problem) => wanted && setAnswer((before) => ({ value: before.value, problem: asProblem(problem) })),
    );
    return () => {
      wanted = false;
    };
  }, [key, turn]);
  return { ...answer, again: () => setTurn((before) => before + 1) };
}

/** Calls while the page is looked at; none with a pause of 0. */
export function useEvery(pause, call) {
  const latest = useRef(call);
  latest.current = call;
  useEffect(() => {
    if (!pause) return undefined;
    const timer = setInterval(() => document.hidden || latest.current(), pause);
    return () => clearInterval(timer);
  }, [pause]);
}

function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem(0, { code: "console_error", detail: String(error) });
}

/** Shows what `useAnswer` has, by a function of its value. */
export function Answer({ of, children }) {
  if (of.value === undefined) {
    return of.problem ? html`<${ProblemNote} problem=${of.problem} again=${of.again} />` : html`<p class="loading" role="status">${t("loading")}</p>`;
  }
  return html`${of.problem && html`<${ProblemNote} problem=${of.problem} again=${of.again} />`}${children(of.value)}`;
}

// ---- problems and notices

export function problemText(problem) {
  if (problem.status === 0 || problem.code === "not_json") return named("problem", problem.code);
  // The reasons stand at their fields, or in a list below.
  if (problem.errors.length > 0) return t("problem.values");
  return problem.detail || problem.title || t("problem.other", { status: problem.status });
}

export function ProblemNote({ problem, again, except = () => false }) {
  const errors = problem.errors.filter((error) => !except(error.path));
  return html`<div class="note bad" role="alert">
    <p>${problemText(problem)}</p>
    ${errors.length > 0 && html`<ul>${errors.map((error) => html`<li>${error.path && html`<code>${error.path}</code>${" "}`}${error.reason}</li>`)}</ul>`}
    ${again && html`<button type="button" class="quiet" onClick=${again}>${t("again")}</button>`}
  </div>`;
}

let sayNotice = () => {};

/** A line at the foot of the page, read aloud. */
export const notify = (text) => sayNotice({ text });
export const complain = (error) => {
  const problem = asProblem(error);
  if (problem.status !== 401) sayNotice({ text: [problemText(problem), ...problem.errors.map((one) => one.reason)].join(" "), bad: true });
};

export function Notices() {
  const [notice, setNotice] = useState(null);
  useEffect(() => {
    sayNotice = (next) => setNotice({ ...next, number: Math.random() });
    return () => {
      sayNotice = () => {};
    };
  }, []);
  useEffect(() => {
    if (!notice || notice.bad) return undefined;
    const timer = setTimeout(() => setNotice(null), 8000);
    return () => clearTimeout(timer);
  }, [notice]);
  return html`<div class="notices">
    <div role="status">${notice && !notice.bad && html`<p class="notice" key=${notice.number}>${notice.text}</p>`}</div>
    <div role="alert">${
      notice?.bad &&
      html`<p class="notice bad" key=${notice.number}>
        <span>${notice.text}</span> <button type="button" class="quiet" onClick=${() => setNotice(null)}>${t("close")}</button>
      </p>`
    }</div>
  </div>`;
}

// ---- pages

/** `crumbs` are [title, address] pairs from the outermost page in. */
export function Page({ title, crumbs = [], badge, actions, nav, children }) {
  const heading = useRef();
  useEffect(() => {
    document.title = title ? `${title} · Tenon` : "Tenon";
  }, [title]);
  useEffect(() => {
    // The first page of a visit leaves the focus where the browser starts.
    if (Page.opened) heading.current?.focus();
    Page.opened = true;
    window.scrollTo(0, 0);
  }, []);
  return html`
    ${
      crumbs.length > 0 &&
      html`<nav class="crumbs" aria-label=${t("nav.path")}>
        <ol>${crumbs.map(([text, address]) => html`<li><a href=${address}>${text}</a></li>`)}</ol>
      </nav>`
    }
    <div class="headline">
      <h1 ref=${heading} tabindex="-1">${title}</h1>
      ${badge}
      ${actions && html`<div class="actions">${actions}</div>`}
    </div>
    ${nav}
    ${children}
  `;
}

export function Section({ title, actions, children, lead, kind = "card" }) {
  const id = useId();
  return html`<section class=${kind} aria-labelledby=${id}>
    <div class="headline"><h2 id=${id}>${title}</h2>${actions && html`<div class="actions">${actions}</div>`}</div>
    ${lead && html`<p class="lead">${lead}</p>`}
    ${children}
  </section>`;
}

/** [term, what, class] of each; those without a value are left out. */
export function Facts({ of }) {
  const given = of.filter(([, what]) => what !== undefined && what !== null && what !== "");
  return html`<dl class="facts">${given.map(([term, what, kind]) => html`<div class=${kind}><dt>${term}</dt><dd>${what}</dd></div>`)}</dl>`;
}

const TONES = {
  on: "good",
  done: "good",
  paused: "warn",
  transient: "warn",
  later: "warn",
  warn: "warn",
  dead: "bad",
  configuration: "bad",
  crashed: "bad",
  error: "bad",
  running: "busy",
};

/** A state in a word; its colour only repeats the word. */
export const Badge = ({ group, name }) => html`<span class=${`badge ${TONES[name] || ""}`}>${named(group, name)}</span>`;

// ---- actions

/** A button that waits for what it does, and says at the foot of the page what went wrong. */
export function Act({ on, done, kind = "", disabled, children, label }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    if (busy) return;
    setBusy(true);
    try {
      const said = await on();
      if (done && said !== false) notify(typeof done === "function" ? done(said) : done);
    } catch (error) {
      complain(error);
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${kind} aria-label=${label} aria-disabled=${busy || undefined} disabled=${disabled} onClick=${press}>${children}</button>`;
}

export function Switch({ checked, label, on }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    if (busy) return;
    setBusy(true);
    await on(!checked).catch(complain);
    setBusy(false);
  };
  return html`<button type="button" class="switch" role="switch" aria-checked=${String(checked)} aria-disabled=${busy || undefined} onClick=${press}>
    <span class="track" aria-hidden="true"></span><span>${label}</span>
  </button>`;
}

/** Modal: keeps the focus inside and gives it back to what opened it. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => {
      dialog.current?.close();
      if (before?.isConnected) before.focus();
    };
  }, []);
  const close = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${dialog} aria-labelledby=${id} onCancel=${close}>
    <div class="headline"><h2 id=${id}>${title}</h2>
      <button type="button" class="quiet" onClick=${onClose}>${t("close")}</button></div>
    ${children}
  </dialog>`;
}

/** A button that opens a dialog; its content is a function of how to close it. */
export function Opens({ label, title, kind = "", children }) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  return html`<button type="button" class=${kind} aria-haspopup="dialog" onClick=${() => setOpen(true)}>${label}</button>
    ${open && html`<${Dialog} title=${title || label} onClose=${close}>${children(close)}<//>`}`;
}

/** A button that asks before it does. */
export function Asks({ label, question, detail, on, done, kind = "" }) {
  return html`<${Opens} label=${label} title=${question} kind=${kind}>${(close) => html`
    ${detail && html`<p>${detail}</p>`}
    <div class="actions">
      <${Act} kind="danger" done=${done} on=${async () => {
        const said = await on();
        close();
        return said;
      }}>${label}<//>
      <button type="button" class="quiet" onClick=${close}>${t("cancel")}</button>
    </div>`}<//>`;
}

/** What is shown this once: a token, an address. */
export function Secret({ label, value }) {
  const id = useId();
  const copy = async () => {
    await navigator.clipboard.writeText(value);
  };
  return html`<div class="note good" role="status">
    <label for=${id}>${label}</label>
    <div class="inline"><input id=${id} class="code" readonly value=${value} onFocus=${(event) => event.target.select()} />
    <${Act} on=${copy} done=${t("copied")}>${t("copy")}<//></div>
    <p class="hint">${t("shown_once")}</p>
  </div>`;
}

// ---- forms

const FormProblem = createContext(null);

/** What the server said about one member of the form that is around. */
export const useReasons = (path) => useContext(FormProblem)?.at(path) ?? [];

/** Shows a problem at its fields; what belongs to none stands above them. */
export function Form({ on, submit, cancel, done, actions, children }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const form = useRef();
  useEffect(() => {
    if (!problem) return;
    const wrong = form.current.querySelector("[aria-invalid=true]");
    wrong?.closest("details")?.setAttribute("open", "");
    (wrong || form.current.querySelector("[role=alert]"))?.focus();
  }, [problem]);
  const send = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    try {
      await on();
      setProblem(null);
      if (done) notify(done);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  // The fields stand since the first drawing, so this knows them when a problem comes.
  const shown = (path) => Boolean(form.current?.querySelector(`[data-path="${CSS.escape(path || "-")}"]`));
  return html`<${FormProblem.Provider} value=${problem}>
    <form ref=${form} onSubmit=${send} novalidate>
      ${problem && html`<div tabindex="-1" role="alert" class="note bad">
        <p>${problemText(problem)}</p>
        <${Reasons} errors=${problem.errors.filter((error) => !shown(error.path))} />
      </div>`}
      ${children}
      <div class="actions">
        <button type="submit" class="primary" aria-disabled=${busy || undefined}>${submit}</button>
        ${actions}
        ${cancel && html`<button type="button" class="quiet" onClick=${cancel}>${t("cancel")}</button>`}
      </div>
    </form>
  <//>`;
}

function Reasons({ errors }) {
  if (!errors.length) return null;
  return html`<ul>${errors.map((error) => html`<li>${error.path && html`<code>${error.path}</code>${" "}`}${error.reason}</li>`)}</ul>`;
}

/** A label, a hint and the reasons around one control, which `children` draws with the attributes it gets. */
export function Labelled({ label, hint, path, required, children }) {
  const id = useId();
  const reasons = useReasons(path);
  const described = [hint && `${id}-hint`, reasons.length && `${id}-wrong`].filter(Boolean).join(" ");
  const attributes = {
    id,
    "aria-describedby": described || undefined,
    "aria-invalid": reasons.length ? "true" : undefined,
    "aria-required": required ? "true" : undefined,
    "data-path": path,
  };
  return html`<div class="field">
    <label for=${id}>${label}${required && html`<span class="required" aria-hidden="true"> *</span>`}</label>
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${children(attributes)}
    ${reasons.length > 0 && html`<p class="wrong" id=${`${id}-wrong`}>${reasons.join(" ")}</p>`}
  </div>`;
}

export function TextField({ label, hint, path, required, value, on, type = "text", ...rest }) {
  return html`<${Labelled} ...${{ label, hint, path, required }}>${(attributes) =>
    html`<input ...${attributes} type=${type} value=${value ?? ""} onInput=${(event) => on(event.target.value)} ...${rest} />`}<//>`;
}

export function AreaField({ label, hint, path, value, on, rows = 3 }) {
  return html`<${Labelled} ...${{ label, hint, path }}>${(attributes) =>
    html`<textarea ...${attributes} rows=${rows} spellcheck="false" value=${value} onInput=${(event) => on(event.target.value)}></textarea>`}<//>`;
}

/** `options` are {value, label}. */
export function SelectField({ label, hint, path, required, value, options, on, none }) {
  return html`<${Labelled} ...${{ label, hint, path, required }}>${(attributes) =>
    html`<select ...${attributes} value=${value ?? ""} onChange=${(event) => on(event.target.value)}>
      ${none !== undefined && html`<option value="">${none}</option>`}
      ${options.map((option) => html`<option value=${option.value} selected=${String(option.value) === String(value ?? "")}>${option.label}</option>`)}
    </select>`}<//>`;
}

export function CheckField({ label, hint, path, checked, on }) {
  const id = useId();
  const reasons = useReasons(path);
  const described = [hint && `${id}-hint`, reasons.length && `${id}-wrong`].filter(Boolean).join(" ");
  return html`<div class="field check">
    <input type="checkbox" id=${id} data-path=${path} checked=${checked} aria-describedby=${described || undefined}
      aria-invalid=${reasons.length ? "true" : undefined} onChange=${(event) => on(event.target.checked)} />
    <label for=${id}>${label}</label>
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${reasons.length > 0 && html`<p class="wrong" id=${`${id}-wrong`}>${reasons.join(" ")}</p>`}
  </div>`;
}

// ---- lists

/**
 * Rows under headings; on a narrow screen each row is a card, and the roles keep it a table to a
 * screen reader. A column is {title, cell(item), kind?}; one without a title holds buttons.
 */
export function Table({ caption, columns, items, keyOf }) {
  return html`<table role="table">
    <caption class="unseen">${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map(
      (column) => html`<th role="columnheader" scope="col" class=${column.kind}>${column.title || html`<span class="unseen">${t("actions")}</span>`}</th>`,
    )}</tr></thead>
    <tbody role="rowgroup">${items.map(
      (item, index) => html`<tr role="row" key=${keyOf ? keyOf(item) : index}>${columns.map(
        (column) => html`<td role="cell" class=${column.kind} data-title=${column.title || undefined}><div>${column.cell(item)}</div></td>`,
      )}</tr>`,
    )}</tbody>
  </table>`;
}

/** A list of the API, page by page. `turn` changes when it should be read anew. */
export function List({ path, query, turn = 0, caption, columns, keyOf, empty, foot }) {
  const [state, setState] = useState({ items: null, next: null, problem: null, key: "" });
  const [again, setAgain] = useState(0);
  const key = `${path} ${JSON.stringify(query)}`;
  const read = async (after, wanted = () => true) => {
    try {
      const answer = await get(path, { limit: 50, ...query, after });
      const page = Array.isArray(answer) ? { items: answer, next: null } : answer;
      if (wanted()) setState((before) => ({ items: after ? [...before.items, ...page.items] : page.items, next: page.next, problem: null, key }));
    } catch (error) {
      if (wanted()) setState((before) => ({ ...before, problem: asProblem(error), key }));
    }
  };
  useEffect(() => {
    let current = true;
    read(undefined, () => current);
    return () => {
      current = false;
    };
  }, [key, turn, again]);
  if (state.problem) return html`<${ProblemNote} problem=${state.problem} again=${() => setAgain(again + 1)} />`;
  if (state.items === null || state.key !== key) return html`<p class="loading" role="status">${t("loading")}</p>`;
  if (!state.items.length) return html`<p class="empty">${empty || t("nothing")}</p>`;
  return html`<${Table} ...${{ caption, columns, keyOf }} items=${state.items} />
    ${foot && foot(state.items)}
    ${state.next && html`<div class="actions"><${Act} kind="quiet" on=${() => read(state.next)}>${t("more")}<//></div>`}`;
}

export const Count = ({ of }) => html`<span class=${of ? "" : "faint"}>${number(of ?? 0)}</span>`;
