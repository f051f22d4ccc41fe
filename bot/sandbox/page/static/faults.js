// Switches that break Slack and the pager.

import { h, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { post } from "./server.js";

const SLOW = 2;
const LIMITED = 5;

let open = false;

export function drawFaults(box, ui) {
  const { faults, pager } = ui.state;
  const switches = [
    ["PagerDuty is down", pager.down, (on) => post("pager", { do: "down", down: on })],
    ["Slack is down", faults.down, (on) => post("faults", { down: on })],
    [`Slack is slow (${SLOW} s a call)`, faults.slow > 0, (on) => post("faults", { slow: on ? SLOW : 0 })],
    [`Slack refuses the next ${faults.limited || LIMITED} calls`, faults.limited > 0, (on) => post("faults", { limited: on ? LIMITED : 0 })],
    ["Slack delivers everything twice", faults.twice, (on) => post("faults", { twice: on })],
  ];
  const broken = switches.filter(([, on]) => on).length;
  redraw(box, [faults, pager.down], () => {
    const details = h(
      "details",
      { open },
      h("summary", { "data-focus": "break" }, icon("bolt"), h("h3", {}, "Break things"), broken > 0 && h("span", { class: "tag bad" }, `${broken} broken`), icon("chevron")),
      switches.map((each) => line(...each)),
    );
    details.addEventListener("toggle", () => {
      open = details.open;
      if (open) details.scrollIntoView({ block: "nearest" });
    });
    return details;
  });
}

function line(label, on, set) {
  return h(
    "button",
    { type: "button", class: "switch", role: "switch", "aria-checked": String(on), "data-focus": label.replace(/\d+/g, ""), on: { click: () => set(!on) } },
    h("span", {}, label),
    h("span", { class: "knob" }),
  );
}
