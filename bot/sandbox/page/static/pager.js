// Who is on call by the pager, and buttons to change it.

import { dayAndTime, now } from "./clock.js";
import { h, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { avatar, first } from "./names.js";
import { post } from "./server.js";
import { countdown } from "./ticking.js";

const LENGTHS = [1, 2, 5];
const chosen = new Map();

export function drawPager(box, ui) {
  const { pager, people } = ui.state;
  redraw(box, [pager, people, today()], () => [
    h("header", {}, icon("bell"), h("h3", {}, "On call ", h("span", { class: "quiet" }, "in PagerDuty")), pager.down && h("span", { class: "tag bad" }, "down")),
    pager.schedules.map((each) => schedule(each, ui)),
    h("div", { class: "trouble", role: "alert" }),
  ]);
}

/** "until Tuesday" turns into a plain time at midnight. */
function today() {
  return new Date(now() * 1000).toDateString();
}

function schedule(it, ui) {
  const running = it.now.length > 0;
  return h(
    "div",
    { class: "schedule" },
    h("div", { class: "schedule-name" }, it.name, " ", h("code", {}, it.id)),
    it.now.map((shift, index) => onCall(shift, ui, index === 0 && endOf(it))),
    !running && h("div", { class: "nobody" }, "Nobody is on call."),
    it.next.slice(0, 1).map((shift) => h("div", { class: "next" }, "next: ", name(shift, ui), `, ${dayAndTime(shift.start)} to ${dayAndTime(shift.end)}`)),
    controls(it, ui, running),
  );
}

function endOf(it) {
  return press("End", it, () => ({ do: "end_shift" }), { "aria-label": `End the shift of ${it.name}`, title: "End this shift now" });
}

function press(label, it, what, props = {}) {
  const click = (event) => send(event.currentTarget, { schedule: it.id, ...what() });
  return h("button", { type: "button", class: "small-button", "data-focus": `${label} ${it.id}`, ...props, on: { click } }, label);
}

function onCall(shift, ui, end) {
  return h(
    "div",
    { class: "shift" },
    avatar(ui.names.who(shift.user), "small"),
    h("strong", {}, name(shift, ui)),
    shift.level > 1 && h("span", { class: "tag" }, `level ${shift.level}`),
    shift.override && h("span", { class: "tag" }, "override"),
    shift.end
      ? h("span", { class: "shift-end" }, h("span", { class: "quiet" }, `until ${dayAndTime(shift.end)}`), countdown(shift.end, "over"))
      : h("span", { class: "quiet shift-end" }, "with no end"),
    end,
  );
}

function controls(it, ui, running) {
  const people = ui.state.people.filter((each) => !each.deleted);
  const spare = people.find((each) => !it.now.some((shift) => shift.user === each.id)) ?? people[0];
  const select = h(
    "select",
    { class: "select", "aria-label": `Who, for ${it.name}`, "data-focus": `who ${it.id}` },
    people.map((each) => h("option", { value: each.id, selected: each.id === (chosen.get(it.id) ?? spare?.id) }, first(each))),
  );
  select.addEventListener("change", () => chosen.set(it.id, select.value));
  return h(
    "div",
    { class: "controls" },
    select,
    running && press("Hand over", it, () => ({ do: "hand_over", to: select.value }), { title: "The rest of this shift goes to them" }),
    h(
      "span",
      { class: "joined-buttons", role: "group", "aria-label": "Start a shift" },
      h("span", { class: "quiet" }, "shift of"),
      LENGTHS.map((minutes) => press(`${minutes} min`, it, () => ({ do: "start_shift", who: select.value, minutes }))),
    ),
  );
}

async function send(button, what) {
  const box = button.closest(".card");
  const answer = await post("pager", what);
  const trouble = box.querySelector(".trouble");
  if (trouble) trouble.textContent = answer.ok ? "" : `That did not work: ${answer.error}`;
}

function name(shift, ui) {
  return ui.state.people.some((each) => each.id === shift.user) ? first(ui.names.who(shift.user)) : shift.name;
}
