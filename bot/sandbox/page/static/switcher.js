// Who you are: everybody of the workspace in one strip.

import { h, redraw } from "./dom.js";
import { isOnCall } from "./examples.js";
import { avatar, first } from "./names.js";
import { waitsFor } from "./unread.js";

export function drawSwitcher(box, ui) {
  const { state } = ui;
  const people = state.people.filter((each) => !each.deleted);
  const facts = people.map((each) => [each, isOnCall(state, each), each.id !== ui.me && waitsFor(each.id, state.latest)]);
  redraw(box, [ui.me, facts], () => [h("span", { class: "you-are" }, "You are"), ...facts.map((each) => pill(ui, ...each))]);
}

function pill(ui, person, onCall, waits) {
  const notes = [onCall && "on call", person.title].filter(Boolean).join(", ");
  return h(
    "button",
    { type: "button", class: "pill", "aria-pressed": String(person.id === ui.me), "data-focus": person.id, title: notes, on: { click: () => ui.become(person.id) } },
    avatar(person, "small"),
    h("span", {}, first(person)),
    onCall && h("span", { class: "on-call" }, "on call"),
    waits && h("span", { class: "waits", role: "img", "aria-label": "has unread messages" }),
  );
}
