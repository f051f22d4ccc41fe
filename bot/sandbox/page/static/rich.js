// rich_text blocks: sections, lists, quotes and preformatted text.

import { slackDate } from "./dates.js";
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { link, mention } from "./mrkdwn.js";

const STYLES = [["code", "code"], ["strike", "s"], ["italic", "em"], ["bold", "strong"]];

export function rich(elements, names) {
  return elements.map((it) => {
    if (it.type === "rich_text_section") return h("div", { class: "run" }, words(it.elements, names));
    if (it.type === "rich_text_quote") return h("blockquote", {}, words(it.elements, names));
    if (it.type === "rich_text_preformatted") return h("pre", {}, words(it.elements, names));
    if (it.type === "rich_text_list") return list(it, names);
    return h("span", { class: "unsupported" }, `unsupported element: ${it.type}`);
  });
}

function list(it, names) {
  const tag = it.style === "ordered" ? "ol" : "ul";
  const indent = { "margin-left": `${(it.indent ?? 0) * 1.6}em` };
  return h(tag, { style: indent }, it.elements.map((each) => h("li", {}, words(each.elements, names))));
}

function words(elements, names) {
  return elements.map((it) => STYLES.reduce((node, [style, tag]) => (it.style?.[style] ? h(tag, {}, node) : node), word(it, names)));
}

function word(it, names) {
  switch (it.type) {
    case "text":
      return it.text;
    case "link":
      return link(it.url, it.text ?? it.url) ?? it.text ?? it.url;
    case "emoji":
      return emoji(it.name) ?? `:${it.name}:`;
    case "user":
      return names.person(it.user_id);
    case "channel":
      return names.channel(it.channel_id);
    case "usergroup":
      return names.group(it.usergroup_id);
    case "broadcast":
      return mention(`@${it.range}`, true);
    case "date":
      return slackDate(it.timestamp, it.format, it.fallback ?? "");
    default:
      return h("span", { class: "unsupported" }, `unsupported element: ${it.type}`);
  }
}
