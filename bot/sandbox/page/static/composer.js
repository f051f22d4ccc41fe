// Where commands are typed: hints on "/", history on arrow-up, and examples as chips.

import { h, redraw } from "./dom.js";
import { examplesFor } from "./examples.js";
import { icon } from "./icons.js";
import { post } from "./server.js";

const drafts = new Map();
const sent = new Map();

let parts = null;
let ui = null;
let back = 0;

export function drawComposer(box, page) {
  ui = page;
  if (ui.place === "home") return;
  parts ??= build(box);
  const person = ui.names.who(ui.me);
  const channel = ui.state.channels.find((each) => each.id === ui.place);
  const place = channel.kind === "dm" ? ui.state.bot.name : `#${channel.name}`;
  const examples = examplesFor(person, ui.state);
  redraw(parts.chips, examples, () => examples.map(chip));
  parts.input.placeholder = `Message ${place}: type / for commands`;
  parts.input.setAttribute("aria-label", `Message ${place}`);
  if (parts.place !== key()) enter();
}

/** Puts a line into the field, ready to be sent. */
export function propose(line) {
  drafts.set(key(), line);
  if (!parts) return;
  write(line);
  parts.input.focus();
}

function build(box) {
  const input = h("textarea", { rows: "1", spellcheck: "false", autocomplete: "off", "aria-controls": "hints", "aria-describedby": "composer-error" });
  const send = h("button", { type: "button", class: "send", "aria-label": "Send" }, icon("send"));
  const made = {
    input,
    send,
    chips: h("div", { class: "chips", "aria-label": "Examples" }),
    hints: h("div", { class: "hints", id: "hints", role: "listbox", "aria-label": "Commands", hidden: true }),
    error: h("div", { class: "composer-error", id: "composer-error", role: "alert" }),
  };
  box.replaceChildren(made.chips, h("div", { class: "composer-box" }, made.hints, input, send), h("div", { class: "composer-foot" }, made.error, h("span", {}, h("b", {}, "Enter"), " sends, ", h("b", {}, "↑"), " brings back")));
  input.addEventListener("input", () => typed());
  input.addEventListener("keydown", pressed);
  input.addEventListener("blur", () => setTimeout(() => hint(""), 150));
  send.addEventListener("click", submit);
  return made;
}

function chip(line) {
  return h("button", { type: "button", class: "chip", "data-focus": line, on: { click: () => propose(line) } }, line);
}

function key() {
  return `${ui.me} ${ui.place}`;
}

function enter() {
  parts.place = key();
  parts.error.textContent = "";
  back = 0;
  write(drafts.get(key()) ?? "");
  hint("");
}

function write(line) {
  parts.input.value = line;
  typed(false);
}

function typed(hints = true) {
  const { input, send, error } = parts;
  drafts.set(key(), input.value);
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight, 160)}px`;
  send.disabled = !input.value.trim();
  error.textContent = "";
  hint(hints ? input.value : "");
}

function hint(line) {
  const word = line.split(" ")[0];
  const matching = line.startsWith("/") ? ui.state.commands.filter((each) => each.command.startsWith(word)) : [];
  parts.hints.hidden = matching.length === 0;
  redraw(parts.hints, matching, () => matching.map(hinted));
}

function hinted({ command, usage_hint: usage, description }) {
  return h(
    "button",
    { type: "button", role: "option", "aria-selected": "false", on: { mousedown: (event) => event.preventDefault(), click: () => propose(`${command} `) } },
    h("span", { class: "hint-command" }, command, " ", h("span", { class: "hint-usage" }, usage)),
    h("span", { class: "hint-about" }, description),
  );
}

function pressed(event) {
  const { input, hints } = parts;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  } else if (event.key === "Tab" && !hints.hidden && !input.value.includes(" ")) {
    event.preventDefault();
    hints.querySelector("button").click();
  } else if (event.key === "Escape") {
    hint("");
  } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    recall(event);
  }
}

function recall(event) {
  const lines = sent.get(ui.me) ?? [];
  const browsing = parts.input.value === "" || parts.input.value === lines[lines.length - back];
  const next = back + (event.key === "ArrowUp" ? 1 : -1);
  if (!browsing || next < 0 || next > lines.length) return;
  event.preventDefault();
  back = next;
  write(back ? lines[lines.length - back] : "");
}

async function submit() {
  const line = parts.input.value.trim();
  if (!line || ui.state.me !== ui.me) return;
  const place = key();
  const lines = sent.get(ui.me) ?? [];
  sent.set(ui.me, [...lines.filter((each) => each !== line), line]);
  back = 0;
  write("");
  const answer = await post("command", { me: ui.me, channel: ui.place, text: line });
  if (answer.ok) return;
  drafts.set(place, line);
  if (place !== key()) return;
  if (!parts.input.value) write(line);
  parts.error.textContent = answer.error;
}
