// The modal open for me. What was typed stays when the app changes the view under it.

import { drawBlocks } from "./blocks.js";
import { h, keepingFocus } from "./dom.js";
import { isEmpty } from "./elements.js";
import { plain } from "./mrkdwn.js";
import { post } from "./server.js";

const REQUIRED = "Please complete this required field.";

let open = null;

export function drawModal(ui) {
  const { view } = ui.state;
  if (open && (!view || view.id !== open.id || ui.me !== open.me)) {
    end();
  }
  if (!view) return;
  open ??= begin(ui, view);
  const print = JSON.stringify([view, ui.state.people]);
  if (open.print === print) return;
  open.print = print;
  open.errors = view.errors ?? {};
  fill(ui, view);
}

function begin(ui, view) {
  const form = h("form", { novalidate: true });
  const dialog = h("dialog", { class: "dialog", "aria-modal": "true" }, form);
  const scrim = h("div", { id: "scrim" }, dialog);
  const opened = { id: view.id, me: ui.me, scrim, dialog, form, kept: new Map(), errors: {}, print: null };
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(ui);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(ui);
  });
  document.body.append(scrim);
  behind(true);
  return opened;
}

function end() {
  open.scrim.remove();
  open = null;
  behind(false);
}

/** Slack itself waits behind the modal; who you are and what is true do not. */
function behind(waits) {
  for (const id of ["sidebar", "place"]) document.getElementById(id).inert = waits;
}

function fill(ui, view) {
  const { dialog, form } = open;
  const scrolled = form.querySelector(".dialog-body")?.scrollTop ?? 0;
  open.surface = {
    name: view.id,
    names: ui.names,
    people: ui.state.people,
    channels: ui.state.channels.filter((each) => each.kind !== "dm"),
    kept: open.kept,
    inputs: [],
    errors: open.errors,
    press: async (what) => complain(await post("click", { me: ui.me, view: view.id, ...what })),
  };
  dialog.setAttribute("aria-label", view.title?.text ?? "");
  keepingFocus(form, () => form.replaceChildren(head(ui, view), body(view), foot(ui, view)));
  form.querySelector(".dialog-body").scrollTop = scrolled;
  if (!dialog.open) {
    dialog.show();
    (form.querySelector("[autofocus]") ?? form.querySelector(".dialog-body :is(input, textarea, select, button)") ?? form.querySelector("footer button:last-child"))?.focus();
  }
}

function head(ui, view) {
  const leave = h("button", { type: "button", class: "leave", "aria-label": "Close", "data-focus": "leave", on: { click: () => close(ui) } }, "×");
  return h("header", {}, h("img", { class: "avatar small", src: "/page/icon.svg", alt: "" }), h("h2", {}, plain(view.title?.text ?? "")), leave);
}

function body(view) {
  return h("div", { class: "dialog-body" }, drawBlocks(view.blocks ?? [], open.surface));
}

function foot(ui, view) {
  const submittable = view.submit || (view.blocks ?? []).some((each) => each.type === "input");
  return h(
    "footer",
    {},
    h("span", { class: "dialog-error", role: "alert" }),
    h("button", { type: "button", class: "button", "data-focus": "close", on: { click: () => close(ui) } }, plain(view.close?.text ?? "Close")),
    submittable && h("button", { type: "submit", class: "button primary", "data-focus": "submit" }, plain(view.submit?.text ?? "Submit")),
  );
}

async function submit(ui) {
  const { surface, kept, form } = open;
  const values = {};
  const missing = {};
  for (const { block, element, place } of surface.inputs) {
    const state = kept.get(place);
    (values[block.block_id] ??= {})[element.action_id] = state;
    if (block.type === "input" && !block.optional && isEmpty(state)) missing[block.block_id] = REQUIRED;
  }
  if (Object.keys(missing).length) return showErrors(ui, missing);
  const button = form.querySelector("button[type=submit]");
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  const id = open.id;
  const answer = await post("view", { me: ui.me, view_id: id, values, close: false });
  button.removeAttribute("aria-busy");
  if (open?.id === id) complain(answer);
}

function showErrors(ui, errors) {
  open.errors = errors;
  fill(ui, ui.state.view);
  const first = Object.keys(errors)[0];
  const { element } = open.surface.inputs.find((each) => each.block.block_id === first);
  [...open.form.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus.startsWith(`${first} ${element.action_id}`))?.focus();
}

async function close(ui) {
  const { id } = open;
  const answer = await post("view", { me: ui.me, view_id: id, close: true });
  if (open?.id === id) complain(answer);
}

function complain(answer) {
  const line = open?.form.querySelector(".dialog-error");
  if (line) line.textContent = answer.ok ? "" : `That did not work: ${answer.error}`;
}
