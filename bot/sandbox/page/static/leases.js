// The leases, each with the time it has left. Bars shrink from where the lease was first seen.

import { dayAndTime, now } from "./clock.js";
import { h, reconcile, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { avatar, first } from "./names.js";
import { countdown } from "./ticking.js";

export function drawLeases(box, ui) {
  const { leases } = ui.state;
  redraw(box, ["leases"], () => [
    h("header", {}, icon("clock"), h("h3", {}, "Leases ", h("span", { class: "quiet" }, "in Redis"))),
    h("div", { class: "lease-list" }),
  ]);
  const soonest = [...leases].sort((one, other) => (one.until ?? Infinity) - (other.until ?? Infinity));
  const rows = soonest.map((each) => [each.grant, JSON.stringify([each, ui.names.who(each.person)]), () => lease(each, ui)]);
  if (!rows.length) rows.push(["none", "", () => h("p", { class: "nobody" }, "None: nobody has access.")]);
  reconcile(box.querySelector(".lease-list"), rows);
  tickLeases();
}

export function tickLeases() {
  for (const bar of document.querySelectorAll(".bar-left[data-from]")) {
    const { from, end } = bar.dataset;
    const part = (end - now()) / Math.max(1, end - from);
    bar.style.width = `${100 * Math.min(1, Math.max(0, part))}%`;
    bar.classList.toggle("soon", end - now() < 15);
  }
}

function lease({ grant, person, resource, until }, ui) {
  const who = ui.names.who(person);
  return h(
    "div",
    { class: "lease" },
    avatar(who, "small"),
    h("span", { class: "lease-what" }, h("strong", {}, first(who)), " → ", h("code", {}, resource)),
    until ? countdown(until) : h("span", { class: "countdown" }, "no end"),
    h("div", { class: "lease-rest" }, h("div", { class: "bar" }, bar(grant, until)), h("span", { class: "quiet" }, until ? `until ${dayAndTime(until, true)}` : "until given back")),
  );
}

function bar(grant, until) {
  if (!until) return h("div", { class: "bar-left endless" });
  return h("div", { class: "bar-left", "data-from": firstSeen(grant, until), "data-end": until });
}

/** When this end was first seen: kept over a reload, so that the bar does not jump back to full. */
function firstSeen(grant, until) {
  const key = `lease ${grant} ${until}`;
  const seen = sessionStorage.getItem(key) ?? String(now());
  sessionStorage.setItem(key, seen);
  return seen;
}
