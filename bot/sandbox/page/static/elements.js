// Buttons, menus and fields of Block Kit, and the state each one has as Slack would report it.

import { confirmed } from "./confirm.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { link, plain } from "./mrkdwn.js";
import { openMenu } from "./menu.js";

const TYPED = { plain_text_input: "text", email_text_input: "email", url_text_input: "url", number_input: "text" };
const PICKED = { datepicker: ["date", "selected_date", "initial_date"], timepicker: ["time", "selected_time", "initial_time"] };
const LISTED = {
  static_select: ["selected_option", "initial_option"],
  users_select: ["selected_user", "initial_user"],
  channels_select: ["selected_channel", "initial_channel"],
  conversations_select: ["selected_conversation", "initial_conversation"],
};

export function button(it, block, surface) {
  const label = plain(it.text.text, it.text.emoji !== false);
  const props = { class: `button ${it.style ?? ""}`, "data-focus": `${block.block_id} ${it.action_id} ${it.value ?? ""}`, "aria-label": it.accessibility_label };
  const press = () => tell(surface, block, it, it.value ?? null, node);
  const anchor = it.url && link(it.url, label);
  const node = anchor || h("button", { ...props, type: "button", on: { click: press } }, label);
  if (anchor) {
    anchor.className = props.class;
    anchor.addEventListener("click", press);
  }
  return node;
}

export function menu(it, block, surface) {
  const entries = it.options.map((option) => ({
    label: plain(option.text.text),
    about: option.description?.text,
    act: () => tell(surface, block, it, option.value, node),
  }));
  const node = h(
    "button",
    { class: "button overflow", type: "button", "aria-label": "More actions", "aria-haspopup": "menu", "data-focus": `${block.block_id} ${it.action_id}` },
    icon("dots"),
  );
  node.addEventListener("click", () => openMenu(node, entries));
  return node;
}

/** An element outside an input block: choosing is telling the bot. */
export function pick(it, block, surface) {
  return field(it, block, surface, { "aria-label": it.placeholder?.text ?? "Choose" }, true);
}

/** An element to fill in; null for a kind that is not drawn. It is told at once only if it `tells`. */
export function field(it, block, surface, props, tells = block.dispatch_action === true) {
  const place = `${block.block_id} ${it.action_id}`;
  const state = surface.kept.get(place) ?? { type: it.type, ...first(it) };
  const change = (more, value) => {
    surface.kept.set(place, { type: it.type, ...more });
    if (tells) tell(surface, block, it, value, node);
  };
  surface.kept.set(place, state);
  surface.inputs.push({ block, element: it, place });
  const draw = drawing(it.type);
  const node = draw && draw(it, state, change, { ...props, "data-focus": place }, surface);
  return node;
}

export function isEmpty(state) {
  return Object.entries(state).every(([key, value]) => key === "type" || value === null || value === "" || (Array.isArray(value) && !value.length));
}

async function tell(surface, block, it, value, node) {
  if (node.getAttribute("aria-busy")) return;
  if (it.confirm && !(await confirmed(it.confirm, surface.names))) return;
  node.setAttribute("aria-busy", "true");
  await surface.press({ block_id: block.block_id, action_id: it.action_id, value });
  node.removeAttribute("aria-busy");
}

function drawing(type) {
  if (Object.hasOwn(TYPED, type)) return typed;
  if (Object.hasOwn(PICKED, type)) return dated;
  if (Object.hasOwn(LISTED, type)) return listed;
  return { datetimepicker: moment, radio_buttons: choices, checkboxes: choices }[type] ?? null;
}

function first(it) {
  if (Object.hasOwn(TYPED, it.type)) return { value: it.initial_value ?? null };
  if (it.type === "checkboxes") return { selected_options: it.initial_options ?? [] };
  if (it.type === "radio_buttons") return { selected_option: it.initial_option ?? null };
  if (it.type === "datetimepicker") return { selected_date_time: it.initial_date_time ?? null };
  const [key, initial] = LISTED[it.type] ?? PICKED[it.type]?.slice(1) ?? [];
  return key ? { [key]: it[initial] ?? null } : {};
}

function typed(it, state, change, props, surface) {
  const all = {
    ...props,
    class: "text-field",
    placeholder: it.placeholder?.text,
    minlength: it.min_length,
    maxlength: it.max_length,
    autocomplete: "off",
    inputmode: it.type === "number_input" ? "decimal" : null,
    autofocus: it.focus_on_load,
  };
  const node = it.multiline ? h("textarea", { ...all, rows: "3" }) : h("input", { ...all, type: TYPED[it.type] });
  node.value = state.value ?? "";
  const record = () => surface.kept.set(props["data-focus"], { type: it.type, value: node.value || null });
  const told = () => change({ value: node.value || null }, node.value);
  const soon = it.dispatch_action_config?.trigger_actions_on?.includes("on_character_entered");
  node.addEventListener("input", soon ? told : record);
  if (!soon) node.addEventListener("change", told);
  return node;
}

function dated(it, state, change, props) {
  const [type, key] = PICKED[it.type];
  const node = h("input", { ...props, class: "text-field short", type });
  node.value = state[key] ?? "";
  return settled(node, () => change({ [key]: node.value || null }, node.value));
}

function moment(it, state, change, props) {
  const node = h("input", { ...props, class: "text-field short", type: "datetime-local" });
  node.value = state.selected_date_time ? localInput(state.selected_date_time) : "";
  return settled(node, () => {
    const epoch = node.value ? Math.floor(new Date(node.value).getTime() / 1000) : null;
    change({ selected_date_time: epoch }, epoch);
  });
}

/** Dates change with every digit: what counts is what is there when one leaves the field. */
function settled(node, tell) {
  let told = node.value;
  const leave = () => {
    if (node.value !== told) tell();
    told = node.value;
  };
  node.addEventListener("blur", leave);
  node.addEventListener("keydown", (event) => event.key === "Enter" && leave());
  return node;
}

function localInput(epoch) {
  const zone = new Date(epoch * 1000).getTimezoneOffset() * 60;
  return new Date((epoch - zone) * 1000).toISOString().slice(0, 16);
}

function listed(it, state, change, props, surface) {
  const key = LISTED[it.type][0];
  const groups = offered(it, surface);
  const all = groups.flatMap((group) => group.options);
  const chosen = key === "selected_option" ? state[key]?.value : state[key];
  const node = h(
    "select",
    { ...props, class: "select" },
    h("option", { value: "", disabled: true, selected: chosen === undefined || chosen === null }, it.placeholder?.text ?? "Choose"),
    groups.map((group) => {
      const options = group.options.map((each) => h("option", { value: each.value, selected: each.value === chosen }, each.text.text));
      return group.label ? h("optgroup", { label: group.label.text }, options) : options;
    }),
  );
  node.addEventListener("change", () => {
    const option = all.find((each) => each.value === node.value);
    change({ [key]: key === "selected_option" ? option : option.value }, option.value);
  });
  return node;
}

function offered(it, surface) {
  const named = (value, text) => ({ value, text: { type: "plain_text", text } });
  if (it.type === "users_select") return [{ options: surface.people.map((each) => named(each.id, each.real_name || each.name)) }];
  if (it.type === "static_select") return it.option_groups ?? [{ options: it.options ?? [] }];
  return [{ options: surface.channels.map((each) => named(each.id, `#${each.name}`)) }];
}

function choices(it, state, change, props, surface) {
  const many = it.type === "checkboxes";
  const key = many ? "selected_options" : "selected_option";
  const chosen = new Set((many ? state[key] : [state[key]]).map((each) => each?.value));
  const name = `${props["data-focus"]} ${surface.name}`;
  const boxes = it.options.map((option, index) => {
    const box = h("input", { type: many ? "checkbox" : "radio", name, value: option.value, checked: chosen.has(option.value), "data-focus": `${props["data-focus"]} ${index}`, id: index === 0 ? props.id : null });
    return h("label", { class: "choice" }, box, h("span", {}, plain(option.text.text), option.description && h("span", { class: "choice-about" }, option.description.text)));
  });
  const group = h("div", { class: "choices", role: many ? "group" : "radiogroup", "aria-label": props["aria-label"], "aria-labelledby": props.id ? `${props.id}-label` : null, "aria-describedby": props["aria-describedby"] }, boxes);
  group.addEventListener("change", () => {
    const picked = it.options.filter((_, index) => boxes[index].querySelector("input").checked);
    change({ [key]: many ? picked : picked[0] }, many ? picked.map((each) => each.value) : picked[0].value);
  });
  return group;
}
