// Block Kit as Slack draws it. What is not known here is shown as such, never dropped.

import { button, field, menu, pick } from "./elements.js";
import { h } from "./dom.js";
import { mrkdwn, plain } from "./mrkdwn.js";
import { rich } from "./rich.js";

const BLOCKS = { header, section, context, divider, actions, input, image, rich_text: richText };

/** `surface` is where the blocks stand: {names, people, press, kept, inputs, errors}. */
export function drawBlocks(blocks, surface) {
  return blocks.map((block) => {
    const draw = Object.hasOwn(BLOCKS, block.type) ? BLOCKS[block.type] : unsupported;
    return h("div", { class: `block block-${draw === unsupported ? "unsupported" : block.type}` }, draw(block, surface));
  });
}

export function text(object, names) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwn(object.text, { ...names, verbatim: object.verbatim }) : h("span", { class: "run" }, plain(object.text, object.emoji !== false));
}

function header(block, { names }) {
  return h("div", { role: "heading", "aria-level": "3" }, text(block.text, names));
}

function section(block, surface) {
  const { names } = surface;
  const fields = (block.fields ?? []).map((each) => h("div", { class: "field" }, text(each, names)));
  return [
    h("div", { class: "section-text" }, text(block.text, names), fields.length > 0 && h("div", { class: "fields" }, fields)),
    block.accessory && h("div", { class: "accessory" }, element(block.accessory, block, surface)),
  ];
}

function context(block, { names }) {
  return block.elements.map((each) => (each.type === "image" ? picture(each) : h("span", { class: "context-text" }, text(each, names))));
}

function divider() {
  return h("hr");
}

function actions(block, surface) {
  return block.elements.map((each) => element(each, block, surface));
}

function input(block, surface) {
  const id = `input-${surface.name}-${block.block_id}`;
  const error = surface.errors?.[block.block_id];
  const about = [block.hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return [
    h("label", { for: id, id: `${id}-label` }, text(block.label, surface.names), block.optional && h("span", { class: "optional" }, " (optional)")),
    field(block.element, block, surface, { id, "aria-describedby": about || null, "aria-invalid": error ? "true" : null }) ?? unsupported(block.element, "element"),
    error && h("div", { class: "input-error", id: `${id}-error`, role: "alert" }, error),
    block.hint && h("div", { class: "hint", id: `${id}-hint` }, text(block.hint, surface.names)),
  ];
}

function image(block) {
  return picture(block);
}

function richText(block, { names }) {
  return rich(block.elements, names);
}

function element(it, block, surface) {
  if (it.type === "button") return button(it, block, surface);
  if (it.type === "overflow") return menu(it, block, surface);
  if (it.type === "image") return picture(it);
  return pick(it, block, surface) ?? unsupported(it, "element");
}

function picture(it) {
  return h("span", { class: "picture", role: "img", "aria-label": it.alt_text }, it.alt_text);
}

function unsupported(it, what = "block") {
  return h("span", { class: "unsupported" }, `unsupported ${typeof what === "string" ? what : "block"}: ${it.type}`);
}
