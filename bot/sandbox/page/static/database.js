// Who is in which role, as the database tells it, and who has just left.

import { timeOfDay } from "./clock.js";
import { h, reconcile, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./names.js";

let before = null;
const departed = new Map();

export function drawDatabase(box, ui) {
  const { database } = ui.state;
  redraw(box, ["database"], () => [
    h("header", {}, icon("database"), h("h3", {}, "PostgreSQL ", h("span", { class: "quiet" })), h("span", { class: "read-at" })),
    h("div", { class: "trouble", role: "alert" }),
    h("div", { class: "roles", "aria-live": "polite" }),
    h("div", { class: "sessions" }),
  ]);
  put(box.querySelector("h3 .quiet"), database.name ?? "");
  put(box.querySelector(".read-at"), database.at ? `read ${timeOfDay(database.at, true)}` : "");
  put(box.querySelector(".trouble"), database.error ? `Cannot be read: ${database.error}` : "");
  box.classList.toggle("unreadable", Boolean(database.error));
  if (!database.error) notice(database);
  reconcile(box.querySelector(".roles"), roles(ui));
  drawStrangers(box.querySelector(".sessions"), database);
}

function put(box, text) {
  if (box.textContent !== text) box.textContent = text;
}

/** Remembers who left which role since the last look. */
function notice(database) {
  const now = new Map(database.roles.map((each) => [each.role, new Set(each.members.map((member) => member.account))]));
  for (const [role, accounts] of before ?? []) {
    for (const account of accounts) if (!now.get(role)?.has(account)) departed.set(role, { account, at: database.at });
  }
  before = now;
}

function roles(ui) {
  const { database, people } = ui.state;
  return database.roles.map(({ role, members }) => {
    const rows = members.map((each) => ({ ...each, sessions: sessionsOf(each.account, database) }));
    const gone = departed.get(role);
    const print = JSON.stringify([rows, gone, people.map((each) => [each.name, each.color])]);
    return [role, print, (old) => drawn(role, rows, gone, ui, old)];
  });
}

function sessionsOf(account, database) {
  return (database.sessions ?? []).find((each) => each.account === account)?.count ?? 0;
}

function drawn(role, rows, gone, ui, old) {
  const known = new Set([...(old?.querySelectorAll(".member") ?? [])].map((each) => each.dataset.account));
  const members = rows.map((each) => member(each, ui, old && !known.has(each.account)));
  const back = gone && rows.some((each) => each.account === gone.account);
  return h(
    "div",
    { class: rows.length ? "role held" : "role" },
    h("code", { class: "role-name" }, role),
    h(
      "div",
      { class: "members" },
      members.length ? members : h("div", { class: "nobody" }, "nobody"),
      gone && !back && h("div", { class: "gone" }, h("s", {}, gone.account), ` gone at ${timeOfDay(gone.at, true)}`),
    ),
  );
}

function member({ account, grantor, sessions }, ui, arrived) {
  const person = ui.names.byAccount(account) ?? { name: account, real_name: account };
  return h(
    "div",
    { class: arrived ? "member arrived" : "member", "data-account": account },
    avatar(person, "small"),
    h("span", { class: "account" }, account),
    grantor && h("span", { class: "quiet", title: "who granted it, by PostgreSQL" }, "granted by ", h("code", {}, grantor)),
    sessions > 0 && h("span", { class: "live" }, sessions === 1 ? "1 live session" : `${sessions} live sessions`),
  );
}

/** Sessions of accounts that are in no role. */
function drawStrangers(box, database) {
  const members = new Set(database.roles.flatMap((each) => each.members.map((one) => one.account)));
  const others = (database.sessions ?? []).filter((each) => !members.has(each.account) && each.count > 0);
  const text = others.map((each) => `${each.account} (${each.count})`).join(", ");
  put(box, text && `Also connected, without a role: ${text}`);
}
