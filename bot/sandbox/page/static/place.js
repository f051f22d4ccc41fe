// What is open in the middle: a channel, the bot's messages, or its Home.

import { drawBlocks } from "./blocks.js";
import { h, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { drawMessages, leaveMessages } from "./messages.js";
import { avatar } from "./names.js";
import { post } from "./server.js";

const keptAtHome = new Map();

export function drawPlace($, ui) {
  const channel = ui.state.channels.find((each) => each.id === ui.place);
  const home = ui.place === "home";
  drawHead($("place-head"), ui, channel);
  $("messages").hidden = home;
  $("home").hidden = !home;
  $("composer").hidden = home;
  if (!home) return drawMessages($, ui, channel);
  leaveMessages();
  $("newer").hidden = true;
  drawHome($("home"), ui);
}

function drawHead(box, ui, channel) {
  const bot = ui.names.who(ui.state.bot.id);
  const dm = ui.state.channels.find((each) => each.kind === "dm");
  redraw(box, [ui.place, channel?.name, bot, dm?.id], () => {
    if (channel && channel.kind !== "dm") return h("h1", {}, icon("hash"), channel.name);
    return [
      h("h1", {}, avatar(bot, "small"), bot.name, h("span", { class: "badge" }, "APP")),
      h("div", { class: "tabs" }, tab(ui, "home", "Home"), dm && tab(ui, dm.id, "Messages")),
    ];
  });
}

function tab(ui, place, name) {
  return h("button", { type: "button", class: "tab", "aria-current": ui.place === place ? "page" : null, "data-focus": place, on: { click: () => ui.go(place) } }, name);
}

function drawHome(box, ui) {
  const { home, people, channels } = ui.state;
  redraw(box, [ui.me, home, people], () => {
    if (!home?.blocks?.length) return h("p", { class: "home-empty" }, "Nothing here yet. The app draws its Home a moment after you open it.");
    const press = async (what) => fault(box, await post("click", { me: ui.me, home: true, ...what }));
    if (!keptAtHome.has(ui.me)) keptAtHome.set(ui.me, new Map());
    const surface = { name: "home", names: ui.names, people, channels, press, kept: keptAtHome.get(ui.me), inputs: [] };
    return h("div", { class: "home-blocks" }, drawBlocks(home.blocks, surface));
  });
}

export function fault(box, answer) {
  box.querySelector(":scope > .press-error")?.remove();
  if (!answer.ok) box.append(h("div", { class: "press-error", role: "alert" }, `That did not work: ${answer.error}`));
}
