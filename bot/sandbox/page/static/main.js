// The page: looks at the state again and again, and lets each part draw what it shows of it.

import { refreshDates } from "./dates.js";
import { setClock } from "./clock.js";
import { drawComposer, propose } from "./composer.js";
import { drawFaults } from "./faults.js";
import { drawGuide } from "./guide.js";
import { drawLeases, tickLeases } from "./leases.js";
import { drawModal } from "./modal.js";
import { followMessages } from "./messages.js";
import { namesIn } from "./names.js";
import { drawPager } from "./pager.js";
import { drawPlace } from "./place.js";
import { lookNow, post, watch } from "./server.js";
import { drawSidebar } from "./sidebar.js";
import { drawSwitcher } from "./switcher.js";
import { drawTargets } from "./targets.js";
import { tick } from "./ticking.js";
import { unreadIn } from "./unread.js";

const $ = (id) => document.getElementById(id);

const ui = { me: new URLSearchParams(location.search).get("me") ?? "", place: null, state: null, names: null, later: null, places: new Map() };

ui.become = (person) => {
  if (person === ui.me) return;
  if (ui.place) ui.places.set(ui.me, ui.place);
  ui.me = person;
  ui.later = null;
  ui.place = ui.places.get(person) ?? null;
  history.replaceState(null, "", `?me=${encodeURIComponent(person)}`);
  document.documentElement.classList.add("switching");
  lookNow();
};

ui.go = (place) => {
  ui.place = place;
  if (place === "home") post("home", { me: ui.me });
  draw();
};

/** Waits for the Slack of whoever one has just become. */
ui.propose = (line) => {
  ui.later = line;
  if (ui.state.me !== ui.me) return;
  ui.later = null;
  if (ui.place === "home") ui.go(ui.state.channels[0].id);
  propose(line);
};

function seen(state) {
  $("link").replaceChildren();
  document.body.classList.remove("lost");
  const everybody = state.people.filter((each) => !each.deleted);
  if (!everybody.some((each) => each.id === ui.me) && everybody.length) return ui.become(everybody[0].id);
  ui.state = state;
  ui.names = namesIn(state);
  setClock(state.clock);
  document.documentElement.classList.remove("switching");
  draw();
  if (ui.later) ui.propose(ui.later);
}

function lost() {
  document.body.classList.add("lost");
  $("link").textContent = "The sandbox does not answer. Trying again…";
}

function draw() {
  const there = ui.place === "home" || ui.state.channels.some((each) => each.id === ui.place);
  if (!there) ui.place = firstPlace();
  drawSwitcher($("switcher"), ui);
  drawPlace($, ui);
  drawSidebar($("sidebar"), ui);
  drawComposer($("composer"), ui);
  drawModal(ui);
  drawGuide($("guide"), ui);
  drawTargets($("targets"), ui);
  drawLeases($("leases"), ui);
  drawPager($("pager"), ui);
  drawFaults($("faults"), ui);
  tick();
}

/** Where something waits, else the channel for asking. */
function firstPlace() {
  const rooms = ui.state.channels.filter((each) => each.kind !== "dm");
  const room = rooms.find((each) => unreadIn(each, ui.me).length) ?? rooms.find((each) => /access/.test(each.name)) ?? ui.state.channels[0];
  return room?.id ?? "home";
}

followMessages($);
watch(() => ui.me, seen, lost);
setInterval(() => {
  tick();
  tickLeases();
}, 200);
setInterval(refreshDates, 5000);
