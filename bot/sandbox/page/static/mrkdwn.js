// Slack's mrkdwn as DOM nodes.

import { dateNode } from "./dates.js";
import { h } from "./dom.js";
import { emoji } from "./emoji.js";

const ATOM = /`([^`\n]+)`|<([^<>\n]+)>|(\bhttps?:\/\/[^\s<>|`*~\uE000-\uF8FF]*[^\s<>|`*~.,;:!?)\uE000-\uF8FF])/g;
const MARKED = /(?<![\p{L}\p{N}])([*_~])(?!\s)((?:(?!\1)[^\n])+?)(?<!\s)\1(?![\p{L}\p{N}])/u;
const TAGS = { "*": "strong", _: "em", "~": "s" };
const LINE = [
  ["quote", /^\s?(?:&gt;|>)\s?(.*)$/],
  ["item", /^\s*(?:[•◦▪]|-)\s+(.*)$/],
];

/** `names` knows people, channels and groups by id: {person(id), channel(id), group(id)};
 *  `verbatim` in it leaves bare addresses alone. */
export function mrkdwn(text, names) {
  const parts = text.replace(/[\uE000-\uF8FF]/g, "\uFFFD").split(/```([\s\S]*?)```/);
  return parts.map((part, index) => (index % 2 ? fenced(part, names) : lines(part, names))).flat();
}

/** Text in which only emoji are more than letters, as in plain_text objects. */
export function plain(text, withEmoji = true) {
  return withEmoji ? emojified(text) : [text];
}

export function mention(label, mine = false) {
  return h("span", { class: mine ? "mention mention-me" : "mention" }, label);
}

export function link(address, label) {
  if (!/^(https?:|mailto:|tel:)/i.test(address)) return null;
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label);
}

function fenced(part, names) {
  const code = part.replace(/^\n/, "").replace(/\n$/, "");
  const pieces = code.split(/<([^<>\n]+)>/);
  return h("pre", {}, pieces.map((each, index) => (index % 2 ? angle(each, names) : unescaped(each))));
}

function lines(part, names) {
  const groups = [];
  for (const line of part.split("\n")) {
    const [kind, content] = kindOf(line);
    const last = groups.at(-1);
    if (last?.kind === kind) last.lines.push(content);
    else groups.push({ kind, lines: [content] });
  }
  return groups.map((group) => drawn(group, groups, names)).filter(Boolean);
}

function kindOf(line) {
  for (const [kind, pattern] of LINE) {
    const found = pattern.exec(line);
    if (found) return [kind, found[1]];
  }
  return ["text", line];
}

function drawn({ kind, lines: content }, groups, names) {
  if (kind === "quote") return h("blockquote", {}, inline(content.join("\n"), names));
  if (kind === "item") return h("ul", {}, content.map((each) => h("li", {}, inline(each, names))));
  const text = content.join("\n");
  return text || groups.length === 1 ? h("span", { class: "run" }, inline(text, names)) : null;
}

function inline(text, names) {
  const atoms = [];
  const keep = (node) => String.fromCharCode(0xe000 + atoms.push(node) - 1);
  const kept = text.replace(ATOM, (whole, code, inside, bare) => {
    if (atoms.length > 6000) return whole;
    if (code !== undefined) return keep(h("code", {}, unescaped(code)));
    if (bare && names.verbatim) return whole;
    return keep(bare ? link(unescaped(bare), unescaped(bare)) : angle(inside, names));
  });
  return emphasised(kept, atoms);
}

function emphasised(text, atoms) {
  const found = MARKED.exec(text);
  if (!found) return leaf(text, atoms);
  const [whole, mark, inside] = found;
  return [
    ...leaf(text.slice(0, found.index), atoms),
    h(TAGS[mark], {}, emphasised(inside, atoms)),
    ...emphasised(text.slice(found.index + whole.length), atoms),
  ];
}

function leaf(text, atoms) {
  const pieces = text.split(/([\uE000-\uF8FF])/);
  return pieces.flatMap((each, index) => (index % 2 ? [atoms[each.charCodeAt(0) - 0xe000]] : emojified(unescaped(each))));
}

function emojified(text) {
  return text
    .split(/:([a-z0-9_+-]+):/)
    .map((each, index) => (index % 2 ? drawnEmoji(each) : each))
    .filter((each) => each !== "");
}

function drawnEmoji(name) {
  const sign = emoji(name);
  return sign ? h("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " "), title: `:${name}:` }, sign) : `:${name}:`;
}

function angle(inside, names) {
  const [address, label] = split(inside);
  if (address.startsWith("@")) return names.person(address.slice(1), label);
  if (address.startsWith("#")) return names.channel(address.slice(1), label);
  if (address.startsWith("!date^")) return dateNode(unescaped(inside), link) ?? unescaped(label ?? inside);
  if (address.startsWith("!subteam^")) return names.group(address.slice(9), label);
  if (/^!(here|channel|everyone)$/.test(address)) return mention(`@${address.slice(1)}`, true);
  return link(unescaped(address), unescaped(label ?? address)) ?? `<${unescaped(inside)}>`;
}

function split(inside) {
  const bar = inside.indexOf("|");
  return bar < 0 ? [inside, undefined] : [inside.slice(0, bar), inside.slice(bar + 1)];
}

function unescaped(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
