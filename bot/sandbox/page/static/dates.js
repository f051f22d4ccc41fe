// Slack's <!date^…> formats, in the reader's zone.

import { now } from "./clock.js";
import { h } from "./dom.js";

const DATE = /^!date\^(-?\d+)\^([^^|]*)(?:\^([^|]*))?(?:\|(.*))?$/s;

/** What `!date^…` between angle brackets shows; null if it is none. `link` makes a link of an address. */
export function dateNode(inside, link) {
  const found = DATE.exec(inside);
  if (!found) return null;
  const [, epoch, format, address, fallback] = found;
  const shown = slackDate(Number(epoch), format, fallback ?? "");
  return address && link ? link(address, shown) ?? shown : shown;
}

export function slackDate(epoch, format, fallback) {
  const at = new Date(epoch * 1000);
  if (Number.isNaN(at.getTime())) return document.createTextNode(fallback);
  const full = at.toLocaleString([], { dateStyle: "full", timeStyle: "long" });
  return h("time", { datetime: at.toISOString(), title: full, "data-slack-date": format, "data-epoch": epoch }, filled(at, format));
}

/** "Today" and "5 minutes ago" do not stay true by themselves. */
export function refreshDates(root = document) {
  for (const shown of root.querySelectorAll("time[data-slack-date]")) {
    const text = filled(new Date(shown.dataset.epoch * 1000), shown.dataset.slackDate);
    if (shown.textContent !== text) shown.textContent = text;
  }
}

const FORMATS = {
  date_num: (at) => [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-"),
  date: (at) => `${english(at, { month: "long" })} ${ordinal(at.getDate())}, ${at.getFullYear()}`,
  date_short: (at) => english(at, { month: "short", day: "numeric", year: "numeric" }),
  date_long: (at) => `${english(at, { weekday: "long" })}, ${FORMATS.date(at)}`,
  date_pretty: (at) => near(at) ?? FORMATS.date(at),
  date_short_pretty: (at) => near(at) ?? FORMATS.date_short(at),
  date_long_pretty: (at) => near(at) ?? FORMATS.date_long(at),
  time: (at) => at.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" }),
  time_secs: (at) => at.toLocaleTimeString([], { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  ago,
};

function filled(at, format) {
  return format.replace(/\{(\w+)\}/g, (token, name) => (Object.hasOwn(FORMATS, name) ? FORMATS[name](at) : token));
}

function near(at) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const days = Math.round((midnight(at) - midnight(new Date(now() * 1000))) / 86_400_000);
  return { [-1]: "yesterday", 0: "today", 1: "tomorrow" }[days] ?? null;
}

function ago(at) {
  const seconds = Math.round(at.getTime() / 1000 - now());
  const units = [["year", 31_557_600], ["month", 2_629_800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, size] = units.find(([, each]) => Math.abs(seconds) >= each) ?? units.at(-1);
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}

function english(at, parts) {
  return at.toLocaleDateString("en-US", parts);
}

function ordinal(day) {
  const ending = { one: "st", two: "nd", few: "rd" }[new Intl.PluralRules("en", { type: "ordinal" }).select(day)];
  return `${day}${ending ?? "th"}`;
}

function two(number) {
  return String(number).padStart(2, "0");
}
