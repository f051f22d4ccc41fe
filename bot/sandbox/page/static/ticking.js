// Texts that count down by themselves: <span data-until="epoch">.

import { left, now } from "./clock.js";
import { h } from "./dom.js";

export function countdown(end, over = "ending…") {
  return h("span", { class: "countdown", "data-until": end, "data-over": over, role: "timer" }, end > now() ? left(end) : over);
}

export function tick() {
  for (const each of document.querySelectorAll("[data-until]")) {
    const end = Number(each.dataset.until);
    const text = end > now() ? left(end) : each.dataset.over;
    if (each.textContent !== text) each.textContent = text;
    each.classList.toggle("soon", end - now() < 15);
  }
}
