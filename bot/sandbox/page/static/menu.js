// A small menu that opens at a button: arrows move, Escape closes.

import { h } from "./dom.js";

export function openMenu(anchor, entries) {
  const items = entries.map(({ label, about, act }) => {
    const item = h("button", { type: "button", role: "menuitem" }, h("span", {}, label), about && h("span", { class: "choice-about" }, about));
    item.addEventListener("click", () => {
      list.hidePopover();
      act();
    });
    return item;
  });
  const list = h("div", { class: "menu", role: "menu", popover: "auto" }, items);
  list.addEventListener("keydown", (event) => move(event, items));
  list.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    list.remove();
    if (anchor.isConnected) anchor.focus();
  });
  document.body.append(list);
  list.showPopover();
  place(list, anchor);
  items[0]?.focus();
}

function place(list, anchor) {
  const at = anchor.getBoundingClientRect();
  const top = at.bottom + list.offsetHeight + 8 < innerHeight ? at.bottom + 4 : at.top - list.offsetHeight - 4;
  list.style.top = `${Math.max(4, top)}px`;
  list.style.left = `${Math.max(4, Math.min(at.left, innerWidth - list.offsetWidth - 8))}px`;
}

function move(event, items) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const index = items.indexOf(document.activeElement);
  items[(index + step + items.length) % items.length].focus();
}
