// The installed versions of connectors.

import { useId, useState } from "preact/hooks";

import { at, get, post, remove } from "../api.js";
import { moment, own, setTimeZone, size, t } from "../i18n.js";
import { go, link } from "../route.js";
import { Answer, AreaField, Asks, Facts, Form, html, List, Opens, Page, Section, TextField, useAnswer } from "../ui.js";

export function Components() {
  setTimeZone(undefined);
  return html`<${Page} title=${t("nav.components")} actions=${html`<${Opens} label=${t("components.add")} kind="primary">${(close) => html`<${Install} close=${close} />`}<//>`}>
    <${Section} title=${t("components.all")} lead=${t("components.lead")}>
      <${List} path="/versions" caption=${t("nav.components")} keyOf=${(one) => one.digest} empty=${t("components.none")} columns=${[
        { title: t("connector"), cell: (one) => html`<a href=${link`/components/${one.digest}`}>${own(one.manifest?.title) || one.connector}</a>` },
        { title: t("version"), cell: (one) => one.version },
        { title: t("digest"), cell: (one) => html`<code>${one.digest.slice(0, 12)}</code>` },
        { title: t("components.size"), kind: "number", cell: (one) => size(one.size) },
        { title: t("components.signed_by"), cell: (one) => one.signed_by || "–" },
        { title: t("components.installed_at"), cell: (one) => moment(one.installed_at) },
      ]} />
    <//>
  <//>`;
}

/** A signature file has lines, a header has none. */
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

function Install({ close }) {
  const id = useId();
  const [file, setFile] = useState(null);
  const [source, setSource] = useState("");
  const [signature, setSignature] = useState("");
  const install = async () => {
    const made = await post("/versions", file || { source: source.trim() }, file && signature.trim() ? { "tenon-signature": base64(signature) } : {});
    close();
    go(link`/components/${made.digest}`);
  };
  return html`<${Form} on=${install} submit=${t("components.add")} cancel=${close}>
    <div class="field"><label for=${id}>${t("components.file")}</label>
      <p class="hint" id=${`${id}-hint`}>${t("components.file_hint")}</p>
      <input id=${id} type="file" accept=".wasm,application/wasm" aria-describedby=${`${id}-hint`} onChange=${(event) => setFile(event.target.files[0] || null)} /></div>
    ${!file && html`<${TextField} label=${t("components.source")} hint=${t("components.source_hint")} path="/source" value=${source} on=${setSource} placeholder="oci://registry.example/connectors/keycrm:1.2.0" />`}
    ${file && html`<${AreaField} label=${t("components.signature")} hint=${t("components.signature_hint")} value=${signature} on=${setSignature} />`}
  <//>`;
}

export function Component({ digest }) {
  setTimeZone(undefined);
  const of = useAnswer(() => get(at`/versions/${digest}`), digest);
  const version = of.value;
  return html`<${Page} title=${version ? `${own(version.manifest.title)} ${version.version}` : t("version")} crumbs=${[[t("nav.components"), "#/components"]]}>
    <${Answer} of=${of}>${(one) => html`<${Shown} version=${one} />`}<//>
  <//>`;
}

function Shown({ version }) {
  const [failed, setFailed] = useState([]);
  const upgrade = async () => {
    const answer = await post(at`/versions/${version.digest}/upgrade`, { all: true });
    setFailed(answer.failed);
    return answer.upgraded;
  };
  const { manifest } = version;
  return html`
    <${Section} title=${t("components.what")}>
      <${Facts} of=${[
        [t("connector"), html`<code>${version.connector}</code>`],
        [t("version"), version.version],
                [t("components.size"), size(version.size)],
        [t("components.source"), version.source],
        [t("components.signed_by"), version.signed_by],
        [t("components.installed_at"), moment(version.installed_at)],
        [t("components.endpoints"), manifest.endpoints.map((endpoint) => html`<code>${endpoint.origin}</code> `)],
        [t("jobs"), manifest.jobs.map((job) => own(job.title)).join(", "), "whole"],
        [t("digest"), html`<code>${version.digest}</code>`, "whole"],
      ]} />
      <details><summary>${t("components.imports")}</summary><ul class="plain">${version.imports.map((name) => html`<li><code>${name}</code></li>`)}</ul></details>
    <//>
    <${Section} title=${t("components.upgrade")} lead=${t("components.upgrade_lead")}>
      <div class="actions start">
        <${Asks} label=${t("components.upgrade_all")} question=${t("components.upgrade_question", { connector: version.connector, version: version.version })}
          on=${upgrade} done=${(count) => t("components.upgraded", { count })} />
        <${Opens} label=${t("components.upgrade_some")}>${(close) => html`<${UpgradeSome} version=${version} close=${close} tell=${setFailed} />`}<//>
      </div>
      ${failed.length > 0 && html`<div class="note bad" role="alert"><p>${t("components.not_upgraded")}</p>
        <ul>${failed.map((one) => html`<li><a href=${link`/tenants/${one.tenant}/connections/${one.connection}`}>${one.tenant} / ${one.connection}</a>: ${one.reason}</li>`)}</ul></div>`}
    <//>
    <${Section} title=${t("components.remove")} lead=${t("components.remove_lead")}>
      <${Asks} kind="danger" label=${t("components.remove")} question=${t("components.remove_question", { version: version.version })} done=${t("removed")}
        on=${async () => {
          await remove(at`/versions/${version.digest}`);
          go("#/components");
        }} />
    <//>`;
}

function UpgradeSome({ version, close, tell }) {
  const [tenants, setTenants] = useState("");
  const upgrade = async () => {
    const names = tenants.split(/[\s,]+/).filter(Boolean);
    const answer = await post(at`/versions/${version.digest}/upgrade`, { tenants: names });
    tell(answer.failed);
    close();
  };
  return html`<${Form} on=${upgrade} submit=${t("components.upgrade")} cancel=${close} done=${t("saved")}>
    <${AreaField} label=${t("nav.tenants")} hint=${t("components.tenants_hint")} path="/tenants" value=${tenants} on=${setTenants} />
  <//>`;
}

