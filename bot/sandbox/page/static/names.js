// People, channels and groups of the workspace by id, as faces and as mentions.

import { h } from "./dom.js";
import { mention } from "./mrkdwn.js";

const SLACKBOT = { id: "USLACKBOT", name: "Slackbot", real_name: "Slackbot", color: "#7b61a8", app: true };

export function namesIn(state) {
  const people = new Map(state.people.map((each) => [each.id, each]));
  const channels = new Map(state.channels.map((each) => [each.id, each]));
  const groups = new Map((state.groups ?? []).map((each) => [each.id, each]));
  const who = (id) => people.get(id) ?? stranger(id, state.bot);
  return {
    who,
    byAccount: (account) => state.people.find((each) => isAccountOf(each, account)),
    person: (id, label) => mention(`@${people.has(id) || !label ? first(who(id)) : label}`, id === state.me),
    channel: (id, label) => mention(`#${channels.get(id)?.name ?? label ?? id}`),
    group: (id, label) => {
      const group = groups.get(id);
      return mention(group ? `@${group.handle}` : `@${(label || "group").replace(/^@/, "")}`, group?.users?.includes(state.me));
    },
  };
}

function stranger(id, bot) {
  if (id === bot.id) return { id, name: bot.name, real_name: bot.name, app: true };
  return id === SLACKBOT.id ? SLACKBOT : { id, name: id, real_name: id, color: "#6b7280" };
}

/** Whether a login at a target looks like this person's: `ada`, or `ada@example.com`. */
export function isAccountOf(person, account) {
  return account.toLowerCase().split("@")[0] === person.name.toLowerCase();
}

/** "Ada" of "Ada Okafor". */
export function first(person) {
  return (person.real_name || person.name).split(" ")[0];
}

export function avatar(person, size = "") {
  if (person.app && person.id !== SLACKBOT.id) return h("img", { class: `avatar ${size}`, src: "/page/icon.svg", alt: "" });
  const color = /^#?[0-9a-f]{3,8}$/i.test(person.color ?? "") ? `#${person.color.replace("#", "")}` : "#6b7280";
  const letter = [...(person.real_name || person.name)][0].toUpperCase();
  return h("span", { class: `avatar ${size}`, "aria-hidden": "true", style: { "background-color": color } }, letter);
}
