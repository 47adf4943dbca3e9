// An embedding platform signs its people in: it hands a token to the frame by postMessage.
//
// Any page could send a message. One counts only when it comes from the parent window and from the
// one origin that the server names; the same origin is the only one that may frame the console.
//
//   console → platform   { type: "tenon:ready" }            also when a token has run out
//   platform → console   { type: "tenon:token", token }     at any time, as when another person comes
//
// The frame is <iframe src="https://tenon.example.com/console/" allow="clipboard-write">. Without
// `allow` its buttons that copy can only select.

const config = await (await fetch(new URL("config.json", document.baseURI))).json();

export const embedded = config.console_origin !== null && window.parent !== window;

export function askPlatform() {
  if (embedded) window.parent.postMessage({ type: "tenon:ready" }, config.console_origin);
}

export function onToken(take) {
  const heard = (event) => {
    if (!embedded || event.source !== window.parent || event.origin !== config.console_origin) return;
    if (event.data?.type === "tenon:token" && typeof event.data.token === "string") take(event.data.token);
  };
  addEventListener("message", heard);
  return () => removeEventListener("message", heard);
}
