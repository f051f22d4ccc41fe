// The "are you sure" dialog of a Block Kit element.

import { h } from "./dom.js";
import { mrkdwn, plain } from "./mrkdwn.js";

/** Resolves to true if the person goes on. */
export function confirmed(confirm, names) {
  const body = confirm.text.type === "mrkdwn" ? mrkdwn(confirm.text.text, names) : plain(confirm.text.text);
  const style = confirm.style === "danger" ? "danger" : "primary";
  const no = h("button", { class: "button", type: "button" }, plain(confirm.deny.text));
  const yes = h("button", { class: `button ${style}`, type: "button" }, plain(confirm.confirm.text));
  const dialog = h(
    "dialog",
    { class: "dialog confirm", "aria-label": confirm.title.text },
    h("header", {}, h("h2", {}, plain(confirm.title.text))),
    h("div", { class: "dialog-body" }, body),
    h("footer", {}, no, yes),
  );
  document.body.append(dialog);
  dialog.showModal();
  yes.focus();
  return new Promise((resolve) => {
    no.addEventListener("click", () => dialog.close());
    yes.addEventListener("click", () => dialog.close("yes"));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
