// The message list of a channel. A message is drawn anew only when it changed.

import { drawBlocks } from "./blocks.js";
import { now, timeOfDay } from "./clock.js";
import { h, reconcile } from "./dom.js";
import { icon } from "./icons.js";
import { mrkdwn, plain } from "./mrkdwn.js";
import { avatar } from "./names.js";
import { fault } from "./place.js";
import { post } from "./server.js";
import { markRead } from "./unread.js";

const TOGETHER = 300;
const NEAR = 40;

const kept = new Map();
const openThreads = new Set();
let shown = null;
let atEnd = true;
let top = 0;

export function drawMessages($, ui, channel) {
  const scroller = $("scroller");
  const entering = shown !== `${ui.me} ${channel.id}`;
  const news = lastTs(channel) > (scroller.dataset.last ?? "");
  if (entering) atEnd = true;
  shown = `${ui.me} ${channel.id}`;
  reconcile($("messages"), wanted(ui, channel, () => drawMessages($, ui, channel)));
  if (atEnd) toEnd(scroller);
  $("newer").hidden = atEnd || ($("newer").hidden && !news);
  scroller.dataset.last = lastTs(channel);
  markRead(ui.me, channel.id, lastTs(channel));
}

/** Whoever reads the newest message stays there, also when the list grows or its room shrinks. */
export function followMessages($) {
  const scroller = $("scroller");
  const stay = new ResizeObserver(() => shown && atEnd && toEnd(scroller));
  stay.observe(scroller);
  stay.observe($("messages"));
  $("newer").addEventListener("click", () => toEnd(scroller));
  scroller.addEventListener("scroll", () => {
    const near = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    atEnd = near || (atEnd && scroller.scrollTop >= top);
    top = scroller.scrollTop;
    if (atEnd) $("newer").hidden = true;
  });
}

function toEnd(scroller) {
  scroller.scrollTop = scroller.scrollHeight;
}

/** Coming back starts at the newest message. */
export function leaveMessages() {
  shown = null;
}

function lastTs(channel) {
  return channel.messages.at(-1)?.ts ?? "";
}

function wanted(ui, channel, again) {
  const rows = [[`start ${channel.id}`, channel.name + channel.kind, () => beginning(ui, channel)]];
  let previous = null;
  for (const each of channel.messages) {
    const day = new Date(each.ts * 1000).toDateString();
    if (day !== previous?.day) rows.push([`day ${channel.id} ${day}`, today(), () => h("div", { class: "day" }, h("span", {}, dayName(day)))]);
    const joined = day === previous?.day && joins(each, previous.message);
    const open = openThreads.has(each.ts);
    const people = ui.state.people.map((one) => [one.id, one.name, one.real_name, one.color]);
    const print = JSON.stringify([each, joined, open, people, ui.me]);
    rows.push([`${ui.me} ${channel.id} ${each.ts}`, print, () => message(each, { ui, channel, joined, open, again })]);
    previous = { day, message: each };
  }
  return rows;
}

function joins(it, before) {
  const same = it.user === before.user && it.ephemeral === before.ephemeral && it.command === before.command;
  return same && it.ts - before.ts < TOGETHER;
}

function message(it, { ui, channel, joined, open, again }) {
  const who = ui.names.who(it.user);
  const box = h("div", { class: "message-body" });
  const row = h(
    "article",
    { class: ["message", joined && "joined", it.ephemeral && "ephemeral", it.command && "typed"].filter(Boolean).join(" ") },
    (it.ephemeral || it.command) && !joined && h("div", { class: "only-you" }, icon("eye"), "Only visible to you"),
    joined ? h("span", { class: "gutter-time" }, timeOfDay(it.ts).replace(/ ?[AP]M$/, "")) : avatar(who),
    box,
  );
  box.append(
    ...(joined ? [] : [head(it, who)]),
    h("div", { class: "message-content" }, content(it, surfaceOf(it, ui, channel, box), ui), it.edited && h("span", { class: "edited" }, " (edited)")),
  );
  if (it.reply_count > 0) box.append(thread(it, ui, open, again));
  return row;
}

function head(it, who) {
  return h(
    "div",
    { class: "message-head" },
    h("span", { class: "author" }, who.app ? who.name : who.real_name || who.name),
    who.app && h("span", { class: "badge" }, "APP"),
    h("time", { datetime: new Date(it.ts * 1000).toISOString(), title: new Date(it.ts * 1000).toLocaleString() }, timeOfDay(it.ts)),
  );
}

function content(it, surface, ui) {
  if (it.command) return h("span", { class: "run command" }, plain(it.text, false));
  return it.blocks?.length ? drawBlocks(it.blocks, surface) : mrkdwn(it.text ?? "", ui.names);
}

function surfaceOf(it, ui, channel, box) {
  const where = { me: ui.me, channel: channel.id, ts: it.ts, ephemeral: it.ephemeral };
  const place = `${ui.me} ${it.ts}`;
  if (!kept.has(place)) kept.set(place, new Map());
  return {
    name: it.ts.replace(".", "-"),
    names: ui.names,
    people: ui.state.people,
    channels: ui.state.channels.filter((each) => each.kind !== "dm"),
    kept: kept.get(place),
    inputs: [],
    press: async (what) => fault(box, await post("click", { ...where, ...what })),
  };
}

function thread(it, ui, open, again) {
  const replies = it.replies ?? [];
  const faces = [...new Set(replies.map((each) => each.user))].slice(0, 4).map((id) => avatar(ui.names.who(id), "tiny"));
  const count = it.reply_count === 1 ? "1 reply" : `${it.reply_count} replies`;
  const toggle = () => {
    if (!openThreads.delete(it.ts)) openThreads.add(it.ts);
    again();
  };
  return h(
    "div",
    { class: "thread" },
    h("button", { type: "button", class: "thread-toggle", "aria-expanded": String(open), "data-focus": `thread ${it.ts}`, on: { click: toggle } }, faces, count),
    open && h("div", { class: "replies" }, replies.map((each) => reply(each, ui))),
  );
}

function reply(it, ui) {
  const who = ui.names.who(it.user);
  const surface = { name: it.ts, names: ui.names, people: [], channels: [], kept: new Map(), inputs: [], press: async () => {} };
  return h("article", { class: "message reply" }, avatar(who, "small"), h("div", { class: "message-body" }, head(it, who), h("div", { class: "message-content" }, content(it, surface, ui))));
}

function beginning(ui, channel) {
  const bot = ui.names.who(ui.state.bot.id);
  if (channel.kind === "dm") return h("div", { class: "beginning" }, avatar(bot, "large"), h("p", {}, "This is the start of your messages with ", h("strong", {}, bot.name), "."));
  return h("div", { class: "beginning" }, h("strong", { class: "beginning-name" }, icon("hash"), channel.name), h("p", {}, "This is the start of the channel. Type a command below, or pick one of the examples."));
}

function today() {
  return new Date(now() * 1000).toDateString();
}

function dayName(day) {
  if (day === today()) return "Today";
  return new Date(day).toLocaleDateString("en-US", { weekday: "long", month: "long", day: "numeric" });
}
