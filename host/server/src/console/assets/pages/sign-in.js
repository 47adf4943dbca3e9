import { useState } from "preact/hooks";

import { t } from "../i18n.js";
import { embedded } from "../embedding.js";
import { Form, html, Page, problemText, TextField } from "../ui.js";

/** `on(token)` opens the console; the first request tells whether the token is any good. */
export function SignIn({ on, because }) {
  const [token, setToken] = useState("");
  const [wrong, setWrong] = useState(null);
  const send = async () => {
    const given = token.trim();
    if (/^tnn_[\w-]+$/.test(given)) on(given);
    else setWrong(t("sign_in.no_token"));
  };
  return html`<div class="narrow"><${Page} title=${t("sign_in.title")}>
    ${because && html`<div class="note bad" role="alert"><p>${problemText(because)}</p></div>`}
    ${embedded && html`<p role="status">${t("sign_in.waiting")}</p>`}
    <${Form} light on=${send} submit=${t("sign_in.submit")}>
      ${wrong && html`<div class="note bad" role="alert"><p>${wrong}</p></div>`}
      <${TextField} label=${t("sign_in.token")} hint=${t("sign_in.hint")} type="password" value=${token} on=${setToken}
        autocomplete="off" spellcheck=${false} autofocus=${!embedded} />
    <//>
  <//></div>`;
}
