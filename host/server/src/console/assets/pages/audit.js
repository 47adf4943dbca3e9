import { at } from "../api.js";
import { LANGUAGES, list, moments, named, number, own, setTimeZone, t } from "../i18n.js";
import { ConnectionLink, ConnectorName, TenantLink, TenantName } from "../named.js";
import { connectionOf, credentialTitle, manifestOf, settingTitle } from "../names.js";
import { link } from "../route.js";
import { scheduleText } from "../schedule.js";
import { html, List, Page, Said, Section, useAnswer } from "../ui.js";
import { useTenant } from "./tenants.js";

export function Audit({ tenant }) {
  return tenant ? html`<${OfTenant} tenant=${tenant} />` : html`<${OfPlatform} />`;
}

function OfTenant({ tenant }) {
  const found = useTenant(tenant);
  return html`<${Entries} path=${at`/tenants/${tenant}/audit`} crumbs=${[[found.value?.name || tenant, link`/tenants/${tenant}`]]} />`;
}

function OfPlatform() {
  setTimeZone(undefined);
  return html`<${Entries} path="/audit" all />`;
}

const ACTORS = { host: "audit.host", "command line": "audit.command_line" };

/** Who did something: a token by its name, or the server. */
export const actorText = (actor) => (ACTORS[actor] ? t(ACTORS[actor]) : actor);

function Entries({ path, crumbs, all }) {
  return html`<${Page} title=${t("nav.audit")} crumbs=${crumbs}>
    <${Section} title=${t("audit.title")} lead=${t("audit.lead")}>
      <${List} path=${path} caption=${t("nav.audit")} columns=${[
        { title: t("at"), cell: (one) => moments(one.at) },
        { title: t("audit.actor"), cell: (one) => actorText(one.actor) },
        ...(all ? [{ title: t("tenant"), cell: (one) => (one.tenant ? html`<${TenantLink} id=${one.tenant} />` : "–") }] : []),
        { title: t("connection"), cell: (one) => (one.connection ? html`<${ConnectionLink} tenant=${one.tenant} id=${one.connection} />` : "–") },
        { title: t("audit.action"), cell: (one) => named("did", one.action) },
        { title: t("audit.detail"), kind: "wide", cell: (one) => html`<${Detail} of=${one} />` },
      ]} />
    <//>
  <//>`;
}

/** Members that say nothing to people, or whose words another member has. */
const SILENT = ["why", "question", "request", "webhook", "digest", "from", "to"];
const isSilent = (name, action) => SILENT.includes(name) || (name === "id" && action.startsWith("token."));

const yesOrNo = (value) => t(value ? "yes" : "no");
const several = (words) => (words.length ? list(words.map(String)) : "–");
const job = (id, manifest) => own(manifest?.jobs.find((one) => one.id === id)?.title) || id;

/** How a member is said, by its name, with the manifest of the connection where there is one. */
const SAID = {
  connector: (name) => html`<${ConnectorName} id=${name} />`,
  mode: (mode) => named("mode", mode),
  kind: (kind, { action }) => (action === "records.load" ? named("kind", kind) : named("record_kind", kind)),
  language: (tag) => LANGUAGES[tag] || tag,
  no_budget: yesOrNo,
  answer: (answer) => yesOrNo(answer === "yes"),
  grants: several,
  hosts: several,
  limits: (limits) => several(Object.entries(limits).map(([name, limit]) => `${name}: ${number(limit)}`)),
  scopes: (scopes) => several(scopes.map((scope) => named("scope", scope))),
  scope: (scope) => named("maintenance.scope", scope),
  changed: (names, { manifest }) => several(names.map((name) => settingTitle(name, manifest) ?? name)),
  name: (name, { action, detail, manifest }) => {
    if (action.startsWith("credential.")) return credentialTitle(name, manifest);
    if (detail.scope === "tenant") return html`<${TenantName} id=${name} />`;
    return detail.scope === "connector" ? html`<${ConnectorName} id=${name} />` : name;
  },
  job: (id, { manifest }) => job(id, manifest),
  jobs: (ids, { manifest }) => several(ids.map((id) => job(id, manifest))),
  action: (id, { manifest }) => own(manifest?.actions.find((one) => one.id === id)?.title) || id,
  source: (source) => (source === "upload" ? t("components.uploaded") : source),
};

function Detail({ of }) {
  // What a member means stands in the manifest of the connection's version, as long as there is one.
  const found = useAnswer(async () => {
    const connection = of.connection && (await connectionOf(of.tenant, of.connection));
    return connection ? manifestOf(connection.version.digest) : null;
  }, [of.tenant, of.connection]);
  const manifest = found.value ?? null;
  const given = Object.entries(of.detail ?? {}).filter(([name, member]) => member !== null && member !== undefined && member !== "" && !isSilent(name, of.action));
  // Its members are jobs.
  if (of.action === "schedules.put") {
    const cron = Object.entries(of.detail ?? {});
    return cron.length ? html`<dl class="changes">${cron.map(([id, when]) => html`<div><dt>${job(id, manifest)}</dt><dd>${when === null ? t("schedule.never") : scheduleText(when)}</dd></div>`)}</dl>` : t("audit.default_schedule");
  }
  if (of.detail?.reason) return html`<${Said} text=${of.detail.reason} why=${of.detail.why} base=${of.connection && at`/tenants/${of.tenant}/connections/${of.connection}`} />`;
  const shown = given.filter(([name, member]) => !(name === "mode" && member === "live"));
  if (!shown.length) return "–";
  const text = (name, member) => {
    if (SAID[name]) return SAID[name](member, { action: of.action, detail: of.detail, manifest });
    return typeof member === "number" ? number(member) : typeof member === "object" ? several(Object.values(member)) : String(member);
  };
  return html`<dl class="changes">${shown.map(([name, member]) => html`<div><dt>${named("told", name)}</dt><dd>${text(name, member)}</dd></div>`)}</dl>`;
}
