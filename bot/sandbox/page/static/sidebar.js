// Slack's sidebar: channels, direct messages and the app.

import { h, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./names.js";
import { unreadIn } from "./unread.js";

export function drawSidebar(box, ui) {
  const { state } = ui;
  const channels = state.channels.map((each) => ({ id: each.id, name: each.name, kind: each.kind, unread: ui.place === each.id ? 0 : unreadIn(each, ui.me).length }));
  const rooms = channels.filter((each) => each.kind !== "dm");
  const dms = channels.filter((each) => each.kind === "dm");
  const bot = ui.names.who(state.bot.id);
  redraw(box, [channels, ui.place, ui.me, state.team, bot], () => [
    h("div", { class: "team" }, state.team.name),
    group("Channels", rooms.map((each) => entry(ui, each.id, icon("hash"), each.name, each.unread))),
    group("Direct messages", dms.map((each) => entry(ui, each.id, avatar(bot, "tiny"), bot.name, each.unread, true))),
    group("Apps", [entry(ui, "home", icon("home"), `${bot.name} Home`, 0)]),
    h("div", { class: "sidebar-foot" }, me(ui)),
  ]);
}

function group(title, entries) {
  return h("div", { class: "group" }, h("h2", {}, title), entries);
}

function entry(ui, place, sign, name, unread, counted = false) {
  const here = ui.place === place;
  return h(
    "button",
    { type: "button", class: unread ? "entry unread" : "entry", "aria-current": here ? "page" : null, "data-focus": place, on: { click: () => ui.go(place) } },
    h("span", { class: "sign" }, sign),
    h("span", { class: "entry-name" }, name),
    unread > 0 && counted && h("span", { class: "count", "aria-label": `${unread} unread` }, String(unread)),
  );
}

function me(ui) {
  const person = ui.names.who(ui.me);
  return [avatar(person), h("div", {}, h("div", { class: "me-name" }, person.real_name || person.name), h("div", { class: "me-title" }, person.title))];
}
