// Starts the console: language, session, and the page that the address names.

import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { at, beginSession, endSession, get, isNews, onSessionEnd, resumeSession } from "./api.js";
import { askPlatform, embedded, onToken } from "./embedding.js";
import { choose, language, LANGUAGES, preferredLanguage, speak, suggest, t } from "./i18n.js";
import { forgetNames, see, tenantName } from "./names.js";
import { here, link, landed, match, wasLed } from "./route.js";
import { Answer, html, Leaving, Notices, Page, useAnswer } from "./ui.js";
import { giveUp, isUnsaved } from "./unsaved.js";
import { SignIn } from "./pages/sign-in.js";
import { Audit } from "./pages/audit.js";
import { AddConnection, SetUp } from "./pages/setup.js";
import { Bindings, Failed, History, Queue } from "./pages/connection-lists.js";
import { Access, Schedule, Settings, Versions } from "./pages/connection-settings.js";
import { Component, Components } from "./pages/components.js";
import { AllConnections, Tenant } from "./pages/connections.js";
import { Log } from "./pages/log.js";
import { Maintenance } from "./pages/maintenance.js";
import { Overview } from "./pages/connection.js";
import { Record, Records } from "./pages/records.js";
import { Run } from "./pages/run.js";
import { TenantSettings, Tenants } from "./pages/tenants.js";
import { Tokens } from "./pages/tokens.js";

const CONNECTION = "/tenants/:tenant/connections/:connection";

const PAGES = [
  ["/", Start],
  ["/tenants", Tenants],
  ["/connections", AllConnections],
  ["/components", Components],
  ["/components/:digest", Component],
  ["/tokens", Tokens],
  ["/maintenance", Maintenance],
  ["/audit", Audit],
  ["/tenants/:tenant", Tenant],
  ["/tenants/:tenant/settings", TenantSettings],
  ["/tenants/:tenant/log", Log],
  ["/tenants/:tenant/audit", Audit],
  ["/tenants/:tenant/records", Records],
  ["/tenants/:tenant/records/:kind", Records],
  ["/tenants/:tenant/records/:kind/:record", Record],
  ["/tenants/:tenant/add", AddConnection],
  [CONNECTION, Overview],
  [`${CONNECTION}/set-up/:step`, SetUp],
  [`${CONNECTION}/runs`, History],
  [`${CONNECTION}/runs/:run`, Run],
  [`${CONNECTION}/queue`, Queue],
  [`${CONNECTION}/failed`, Failed],
  [`${CONNECTION}/log`, Log],
  [`${CONNECTION}/bindings`, Bindings],
  [`${CONNECTION}/settings`, Settings],
  [`${CONNECTION}/access`, Access],
  [`${CONNECTION}/schedule`, Schedule],
  [`${CONNECTION}/versions`, Versions],
];

function Start({ me }) {
  useEffect(() => {
    location.replace(me.tenant ? link`/tenants/${me.tenant}` : "#/tenants");
  }, []);
  return null;
}

function Missing() {
  return html`<${Page} title=${t("missing.title")}><p>${t("missing.text")} <a href="#/">${t("missing.start")}</a></p><//>`;
}

/** What the token allows; pages leave out what it does not. */
function mayOf(me) {
  const scopes = new Set(me.scopes);
  return { platform: scopes.has("platform"), manage: scopes.has("manage"), operate: scopes.has("operate"), name: me.name, everywhere: !me.tenant };
}

/** The tenant that a page belongs to. */
const tenantOf = (path) => match([["/tenants/:tenant"]], path.split("/").slice(0, 3).join("/"))?.parts.tenant;

/** Who is signed in. People of a tenant are spoken to in its language, and begin at a page of theirs:
 * the address may be left from somebody else. */
async function whoAmI() {
  const me = await get("/me");
  see(!me.tenant);
  if (me.tenant) {
    if (tenantOf(here().path) !== me.tenant) location.replace("#/");
    const tenant = await get(at`/tenants/${me.tenant}`).catch(() => null);
    if (tenant) await suggest(tenant.language);
  }
  return me;
}

function Signed({ place, signOut }) {
  const me = useAnswer(whoAmI, "me", redraw);
  return html`<${Answer} of=${me}>${(who) => {
    const found = match(PAGES, place.path);
    const Shown = found?.page || Missing;
    return html`<${Shell} me=${who} place=${place} signOut=${signOut}>
      <${Shown} key=${place.visit} ...${found?.parts} me=${who} may=${mayOf(who)} query=${place.query} />
    <//>`;
  }}<//>`;
}

function Shell({ me, place, signOut, children }) {
  const tenant = tenantOf(place.path);
  const name = useAnswer(async () => (tenant ? tenantName(tenant) : null), tenant);
  const links = [];
  if (!me.tenant) links.push(["#/tenants", t("nav.tenants")], ["#/connections", t("nav.all_connections")], ["#/components", t("nav.components")]);
  if (me.scopes.includes("platform")) {
    links.push(
      ["#/tokens", t("nav.tokens")],
      ["#/maintenance", t("nav.maintenance")],
      ["#/audit", t("nav.audit")],
    );
  }
  const inner = tenant
    ? [
        [link`/tenants/${tenant}`, t("nav.connections")],
        [link`/tenants/${tenant}/records`, t("nav.records")],
        [link`/tenants/${tenant}/log`, t("nav.log")],
        [link`/tenants/${tenant}/audit`, t("nav.audit")],
        [link`/tenants/${tenant}/settings`, t("nav.settings")],
      ]
    : [];
  const menu = (label, items, name) =>
    items.length > 0 &&
    html`<nav class="menu" aria-label=${label}>
      ${name && html`<span class="tenant">${name}</span>`}
      <ul>${items.map(([address, text]) => html`<li><a href=${address} aria-current=${address === `#${place.path}` ? "page" : undefined}>${text}</a></li>`)}</ul>
    </nav>`;
  return html`
    <header class="top">
      <a class="brand" href="#/"><img src="icon.svg" alt="" width="24" height="24" />Tenon</a>
      ${menu(t("nav.platform"), links)}
      <div class="who">
        <span class="faint">${me.name}</span>
        <${LanguageChoice} />
        ${!embedded && html`<button type="button" class="quiet" onClick=${signOut}>${t("sign_out")}</button>`}
      </div>
    </header>
    ${inner.length > 0 && html`<div class="second">${menu(t("nav.tenant"), inner, name.value ?? tenant)}</div>`}
    <main id="main" tabindex="-1">${children}</main>`;
}

function LanguageChoice() {
  return html`<select class="quiet" aria-label=${t("language")} onChange=${(event) => choose(event.target.value).then(redraw)}>
    ${Object.entries(LANGUAGES).map(([code, name]) => html`<option value=${code} lang=${code} selected=${code === language()}>${name}</option>`)}
  </select>`;
}

function App() {
  // Each visit is a page of its own, also one to the same page with other filters.
  const [place, setPlace] = useState(() => ({ ...here(), visit: 0 }));
  // Sessions have numbers, so that nothing of one is left in the next; 0 is nobody's.
  const [session, setSession] = useState(() => (resumeSession() ? 1 : 0));
  const last = useRef(session);
  const [because, setBecause] = useState(null);
  // What the person wants to do although something is not saved; null when there is no such thing.
  const [leaving, setLeaving] = useState(null);
  useEffect(() => {
    const moved = (event) => {
      if (isUnsaved() && !wasLed()) {
        const wanted = location.hash;
        setLeaving({ on: () => (location.hash = wanted) });
        history.replaceState(null, "", new URL(event.oldURL).hash || "#/");
        return;
      }
      landed();
      forgetNames();
      setPlace((before) => ({ ...here(), visit: before.visit + 1 }));
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const leave = () => {
    giveUp();
    setLeaving(null);
    leaving.on();
  };
  const signOut = () => (isUnsaved() ? setLeaving({ on: () => endSession() }) : endSession());
  useEffect(
    () =>
      onSessionEnd((problem) => {
        setBecause(problem);
        setSession(0);
      }),
    [],
  );
  const signIn = (token) => {
    beginSession(token);
    setBecause(null);
    setSession((last.current += 1));
  };
  // A platform that has no other token than one that was refused is not asked for it again and again.
  useEffect(() => onToken((token) => isNews(token) && signIn(token)), []);
  useEffect(() => {
    if (!session) askPlatform();
  }, [session]);
  // Not a link to #main: the address behind the # is the page.
  const skip = () => document.getElementById("main")?.focus();
  return html`
    <button type="button" class="skip" onClick=${skip}>${t("skip")}</button>
    ${
      session
        ? html`<${Signed} key=${session} place=${place} signOut=${signOut} />`
        : html`<header class="top"><span class="brand"><img src="icon.svg" alt="" width="24" height="24" />Tenon</span>
              <div class="who"><${LanguageChoice} /></div></header>
            <main id="main" tabindex="-1"><${SignIn} on=${signIn} because=${because} /></main>`
    }
    ${leaving && html`<${Leaving} leave=${leave} stay=${() => setLeaving(null)} />`}
    <${Notices} />`;
}

const redraw = () => render(html`<${App} />`, document.getElementById("app"));

await speak(preferredLanguage());
redraw();
