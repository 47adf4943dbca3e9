// The parts that pages are made of. They carry what makes pages usable by keyboard and by ear:
// labels, live regions, focus on a new page, in dialogs and at a field that is wrong.

import { h, createContext } from "preact";
import { useContext, useEffect, useId, useReducer, useRef, useState } from "preact/hooks";
import htm from "htm";

import { get, onAnswer, Problem } from "./api.js";
import { either as list, named, number, t } from "./i18n.js";
import { credentialTitle, settingTitle, worded } from "./names.js";
import { here, keepQuery, wasLed } from "./route.js";
import { unwatch, watch } from "./unsaved.js";

export const html = htm.bind(h);

// ---- loading

/**
 * Asks once and whenever `on` changes; keeps showing the last answer while it asks again. `take` hears
 * each answer that is still wanted before it is shown. `again` answers when its answer is there.
 */
export function useAnswer(ask, on, take) {
  const key = JSON.stringify(on);
  const [shown, setShown] = useState({ key });
  const now = useRef({ asked: 0, shown: 0 });
  Object.assign(now.current, { ask, take, key });
  const [again] = useState(() => async () => {
    const { ask, key } = now.current;
    const turn = (now.current.asked += 1);
    // A slow answer is shown, too, unless a later one was or nobody wants it any more.
    const isWanted = () => now.current.key === key && now.current.shown < turn;
    try {
      const value = await ask();
      if (!isWanted()) return;
      now.current.shown = turn;
      now.current.take?.(value);
      setShown({ key, value });
    } catch (error) {
      if (!isWanted()) return;
      now.current.shown = turn;
      setShown((before) => ({ key, value: before.key === key ? before.value : undefined, problem: asProblem(error) }));
    }
  });
  useEffect(() => {
    again();
  }, [key]);
  useEffect(
    () => () => {
      now.current.key = null;
    },
    [],
  );
  const { value, problem = null } = shown.key === key ? shown : {};
  return { value, problem, again };
}

/** The last value that was there, while there is none. */
export function useKept(value) {
  const kept = useRef(value);
  if (value !== undefined) kept.current = value;
  return kept.current;
}

/** A value once it stays: what is typed, when the typing pauses. */
export function useCalm(value) {
  const [calm, setCalm] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setCalm(value), 300);
    return () => clearTimeout(timer);
  }, [value]);
  return calm;
}

/** Calls while the page is looked at, with a pause after each answer; never with a pause of 0. */
export function useEvery(pause, call) {
  const latest = useRef(call);
  latest.current = call;
  useEffect(() => {
    if (!pause) return undefined;
    let timer;
    const next = () => {
      timer = setTimeout(turn, pause);
    };
    const turn = async () => {
      const called = timer;
      if (!document.hidden) await latest.current();
      // Unless the page was left meanwhile.
      if (timer === called) next();
    };
    next();
    return () => {
      clearTimeout(timer);
      timer = null;
    };
  }, [pause]);
}

export function asProblem(error) {
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

// ---- what happened

/** The pages of records, by the kinds that reasons name. */
const RECORDS = { product: "products", category: "categories", stock: "stock", partner: "partners", order: "orders", warehouse: "warehouses" };

/** Where a thing is put right; `base` is the path of its connection. */
function placeOf(mend, base) {
  if (mend.setting) return { address: `#${base}/settings?${new URLSearchParams({ field: `/${mend.setting.replaceAll(".", "/")}` })}`, label: t("mend.setting") };
  if (mend.credential) return { address: `#${base}/access`, label: t("mend.credential") };
  const tenant = base.split("/").slice(0, 3).join("/");
  return { address: `#${tenant}/records/${RECORDS[mend.record.kind] || mend.record.kind}/${encodeURIComponent(mend.record.key)}`, label: t("mend.record") };
}

/** What happened, as the server words it, with a way to what puts it right. What only a technician
 * wants to know is folded away. */
export function Said({ text, why, base }) {
  const place = why?.mend && base && placeOf(why.mend, base);
  return html`${worded(text)}${place && html`${" "}<a href=${place.address}>${place.label}</a>`}${why?.detail && html`<${Detail} of=${why.detail} />`}`;
}

const Detail = ({ of }) => html`<details><summary>${t("details")}</summary><code>${of}</code></details>`;

// ---- problems and notices

export function problemText(problem) {
  if (problem.status === 0 || problem.code === "not_json") return named("problem", problem.code);
  // The reasons stand at their fields, or in a list below.
  if (problem.errors.length > 0) return t("problem.values");
  const { names, name } = problem.why?.args ?? {};
  if (problem.code === "credential_missing" && names) return t("problem.credential_missing", { names: names.replace(/[\w-]+/g, (word) => (word === "or" ? "/" : credentialTitle(word))) });
  if (problem.code === "credential_again" && name) return t("problem.credential_again", { name: credentialTitle(name) });
  return worded(problem.detail || problem.title || t("problem.other", { status: problem.status }));
}

/** What is wrong with a value. Settings of which one is needed get their titles. */
export function reasonText(error) {
  if (error.code !== "one_needed" || !error.expected) return worded(error.reason);
  const names = error.expected.split(", ").map((name) => settingTitle(`${error.path}/${name}`) || name);
  return t("problem.one_needed", { names: list(names) });
}

export function ProblemNote({ problem, again }) {
  return html`<div class="note bad" role="alert">
    <p>${problemText(problem)}</p>
    <${Reasons} errors=${problem.errors} />
    ${problem.why?.detail && html`<${Detail} of=${problem.why.detail} />`}
    ${again && html`<button type="button" class="quiet" onClick=${again}>${t("again")}</button>`}
  </div>`;
}

/** The notice that is shown, and where notices may be: at the foot of the page, and in open dialogs,
 * because what is outside of one can be neither pressed nor heard. */
let notice = null;
let said = 0;
let fading;
const places = [];

/** Where something is done: the page, and what it is called. A notice says what came of it there; when
 * the person has gone to another page meanwhile, only what went wrong is said, with the page's name. */
const scene = () => ({ path: here().path, title: document.title });
const isLeft = (from) => from.path !== here().path && !wasLed();

// A page takes its notice with it.
addEventListener("hashchange", () => {
  if (notice && notice.path !== here().path) show(null);
});
// What could not be reached is there again.
onAnswer(() => notice?.unreachable && show(null));

function show(next) {
  clearTimeout(fading);
  notice = next && { ...next, path: here().path, number: (said += 1) };
  if (notice && !notice.bad) fading = setTimeout(() => show(null), 8000);
  places.forEach((place) => place.redraw());
}

/** A line at the foot of the page, read aloud. */
export const notify = (text, from) => from && isLeft(from) ? undefined : show({ text });
export const complain = (error, from) => {
  const problem = asProblem(error);
  if (problem.status === 401) return;
  const text = [problemText(problem), ...problem.errors.map(reasonText)].join(" ");
  show({ text: from && isLeft(from) ? `${from.title}: ${text}` : text, bad: true, unreachable: problem.code === "unreachable" });
};
/** What went wrong before says nothing any more, once people try something else. */
const begin = () => {
  if (notice?.bad) show(null);
  return scene();
};

export function Notices() {
  const [, redraw] = useReducer((count) => count + 1, 0);
  const [place] = useState(() => ({ redraw, since: said }));
  useEffect(() => {
    places.push(place);
    redraw();
    return () => {
      places.splice(places.indexOf(place), 1);
      places.forEach((other) => other.redraw());
    };
  }, []);
  // In the innermost place that was there when it was said.
  const here = notice && places.findLast((one) => one.since < notice.number) === place ? notice : null;
  return html`<div class="notices">
    <div role="status">${here && !here.bad && html`<p class="notice" key=${here.number}>${here.text}</p>`}</div>
    <div role="alert">${
      here?.bad &&
      html`<p class="notice bad" key=${here.number}>
        <span>${here.text}</span> <button type="button" class="quiet" onClick=${() => show(null)}>${t("close")}</button>
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
  held: "warn",
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

/** Whether a connection runs, and what it does now. */
export const StateBadge = ({ of }) => html`<${Badge} group="state" name=${of.maintenance && of.state === "on" ? "held" : of.running ? "running" : of.state} />`;

// ---- actions

/** A button that waits for what it does, and says at the foot of the page what went wrong. One that is
 * `disabled` is told why by the text that `why` is the id of. */
export function Act({ on, done, kind = "", disabled, why, children, label }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    if (busy) return;
    setBusy(true);
    const from = begin();
    try {
      const said = await on();
      if (done && said !== false) notify(typeof done === "function" ? done(said) : done, from);
    } catch (error) {
      complain(error, from);
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${kind} aria-label=${label} aria-describedby=${disabled ? why : undefined} aria-disabled=${busy || undefined}
    disabled=${disabled} onClick=${press}>${children}</button>`;
}

/** What is on or off has one name; which of them it is, the switch says. */
export function Switch({ checked, label, on }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    if (busy) return;
    setBusy(true);
    const from = begin();
    await on(!checked).catch((error) => complain(error, from));
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
    <${Notices} />
  </dialog>`;
}

/** A button that opens a dialog; its content is a function of how to close it. */
export function Opens({ label, title, kind = "", children }) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  return html`<button type="button" class=${kind} aria-haspopup="dialog" onClick=${() => setOpen(true)}>${label}</button>
    ${open && html`<${Dialog} title=${title || label} onClose=${close}>${children(close)}<//>`}`;
}

/** Asks before what was typed is lost. */
export const Leaving = ({ leave, stay }) => html`<${Dialog} title=${t("unsaved.title")} onClose=${stay}>
  <p>${t("unsaved.text")}</p>
  <div class="actions">
    <button type="button" class="primary" onClick=${stay}>${t("unsaved.stay")}</button>
    <button type="button" class="danger" onClick=${leave}>${t("unsaved.leave")}</button>
  </div>
<//>`;

/** A button that asks before it does. */
export function Asks({ label, question, detail, on, done, kind = "" }) {
  return html`<${Opens} label=${label} title=${question} kind=${kind}>${(close) => html`<${Question} ...${{ label, detail, on, done, close }} />`}<//>`;
}

/** What went wrong stays in the dialog, with the button that tries it again. */
function Question({ label, detail, on, done, close }) {
  const [problem, setProblem] = useState(null);
  const press = async () => {
    setProblem(null);
    try {
      const said = await on();
      close();
      return said;
    } catch (error) {
      setProblem(asProblem(error));
      return false;
    }
  };
  return html`
    ${detail && html`<p>${detail}</p>`}
    ${problem && html`<${ProblemNote} problem=${problem} />`}
    <div class="actions">
      <${Act} kind="danger" done=${done} on=${press}>${label}<//>
      <button type="button" class="quiet" onClick=${close}>${t("cancel")}</button>
    </div>`;
}

/** What is shown this once: a token, an address. */
export function Secret({ label, value }) {
  const id = useId();
  const field = useRef();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      return t("copied");
    } catch {
      // Only https pages have the clipboard, and frames that are let have it.
      field.current.focus();
      field.current.select();
      return t("copy.by_hand");
    }
  };
  return html`<div class="note good" role="status">
    <label for=${id}>${label}</label>
    <div class="inline"><input id=${id} ref=${field} class="code" readonly value=${value} onFocus=${(event) => event.target.select()} />
    <${Act} on=${copy} done=${(said) => said}>${t("copy")}<//></div>
    <p class="hint">${t("shown_once")}</p>
  </div>`;
}

// ---- forms

const FormProblem = createContext(null);

/** What the server said about one member of the form that is around. */
export const useReasons = (path) => (useContext(FormProblem)?.at(path) ?? []).map(reasonText);

/** Shows a problem at its fields; what belongs to none stands above them. `remedy` is a function of a
 * problem and of how to close it: a button that mends it, where there is one. What is typed into a
 * `light` form is nothing to be saved. */
export function Form({ on, submit, cancel, done, actions, remedy, light, children }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const form = useRef();
  const watched = useRef();
  useEffect(() => {
    if (light) return undefined;
    watched.current = watch(form.current);
    return () => unwatch(watched.current);
  }, []);
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
    const from = begin();
    try {
      await on();
      setProblem(null);
      watched.current?.settle();
      if (done) notify(done, from);
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
        ${remedy && remedy(problem, () => setProblem(null))}
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

/** A value that is refused: a setting by its title, another one by its place. */
function Reason({ of }) {
  const title = of.path && settingTitle(of.path);
  return html`${title ? html`<strong>${title}:</strong>${" "}` : of.path && html`<code>${of.path}</code>${" "}`}${reasonText(of)}`;
}

function Reasons({ errors }) {
  if (!errors.length) return null;
  return html`<ul>${errors.map((error) => html`<li><${Reason} of=${error} /></li>`)}</ul>`;
}

/** Several controls under one name, and the reasons about them as a whole. */
export function Fieldset({ label, hint, path, kind = "group", unseen, children }) {
  const id = useId();
  const reasons = useReasons(path);
  return html`<fieldset class=${`field ${kind}`} data-path=${path} tabindex=${reasons.length ? "-1" : undefined} aria-describedby=${hint ? id : undefined}
    aria-invalid=${reasons.length ? "true" : undefined}>
    <legend class=${unseen ? "unseen" : undefined}>${label}</legend>
    ${hint && html`<p class="hint" id=${id}>${hint}</p>`}
    ${children}
    ${reasons.length > 0 && html`<p class="wrong">${reasons.join(" ")}</p>`}
  </fieldset>`;
}

/** A label, a hint and the reasons around one control, which `children` draws with the attributes it
 * gets; `empty` tells that it holds nothing. */
export function Labelled({ label, hint, path, required, empty, children }) {
  const id = useId();
  const said = useReasons(path);
  // Of what is not there at all, more need not be said.
  const reasons = required && empty && said.length ? [t("problem.required")] : said;
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
  return html`<${Labelled} ...${{ label, hint, path, required }} empty=${(value ?? "") === ""}>${(attributes) =>
    html`<input ...${attributes} type=${type} value=${value ?? ""} onInput=${(event) => on(event.target.value)} ...${rest} />`}<//>`;
}

/** A whole number; an empty field is none. What is no number goes on as it is, for the API to refuse. */
export function NumberField({ on, ...rest }) {
  const give = (text) => on(text.trim() === "" ? undefined : Number.isFinite(Number(text)) ? Number(text) : text);
  return html`<${TextField} inputmode="numeric" on=${give} ...${rest} />`;
}

export function AreaField({ label, hint, path, value, on, rows = 3 }) {
  return html`<${Labelled} ...${{ label, hint, path }}>${(attributes) =>
    html`<textarea ...${attributes} rows=${rows} spellcheck="false" value=${value} onInput=${(event) => on(event.target.value)}></textarea>`}<//>`;
}

/** A filter that is typed: tells what it holds when the typing pauses. */
export function SearchField({ label, value, on }) {
  const [text, setText] = useState(value);
  const calm = useCalm(text).trim();
  useEffect(() => {
    if (calm !== value) on(calm);
  }, [calm]);
  return html`<${TextField} type="search" label=${label} value=${text} on=${setText} />`;
}

/** Controls that filter a list; what they are set to stays in the address. */
export function Filters({ value, on, children }) {
  return html`<div class="filters" role="search" aria-label=${t("filter")}>${children((name) => (text) => {
    const next = { ...value, [name]: text };
    keepQuery(next);
    on(next);
  })}</div>`;
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

/** Rows that a page of a list begins with and grows by, and most that the API gives at once. */
const PAGE = 50;
const MOST = 500;

/** So many rows of a list, from the first on. */
async function readRows(path, query, count) {
  const items = [];
  let next;
  do {
    const page = await get(path, { limit: Math.min(MOST, count - items.length), ...query, after: next });
    items.push(...page.items);
    next = page.next;
  } while (next && items.length < count);
  return { items, next };
}

/**
 * A list of the API, of which more is shown when asked for. It is read anew, as far as it is shown,
 * when `turn` changes, and with a pause of `every` milliseconds where that is given.
 */
export const List = (props) => html`<${Rows} key=${props.path} ...${props} />`;

function Rows({ path, query, turn = 0, every = 0, caption, columns, keyOf, empty }) {
  const key = JSON.stringify(query);
  const wanted = useRef({ key, count: PAGE });
  if (wanted.current.key !== key) wanted.current = { key, count: PAGE };
  const of = useAnswer(() => readRows(path, query, wanted.current.count), key);
  // The rows of the filter before stay until the others are there.
  const rows = useKept(of.value);
  const seen = useRef(turn);
  useEffect(() => {
    if (seen.current !== turn) of.again();
    seen.current = turn;
  }, [turn]);
  useEvery(every, of.again);
  const more = () => {
    wanted.current.count = rows.items.length + PAGE;
    return of.again();
  };
  const problem = of.problem && html`<${ProblemNote} problem=${of.problem} again=${of.again} />`;
  if (!rows) return problem || html`<p class="loading" role="status">${t("loading")}</p>`;
  return html`${problem}
    <div aria-busy=${String(of.value === undefined && !of.problem)}>${
      rows.items.length ? html`<${Table} ...${{ caption, columns, keyOf }} items=${rows.items} />` : html`<p class="empty">${empty || t("nothing")}</p>`
    }</div>
    ${rows.next && html`<div class="actions"><${Act} kind="quiet" on=${more}>${t("more")}<//></div>`}`;
}

export const Count = ({ of }) => html`<span class=${of ? "" : "faint"}>${number(of ?? 0)}</span>`;
