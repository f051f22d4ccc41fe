// Who has what at each target, as the target itself tells it, and who has just left.

import { timeOfDay } from "./clock.js";
import { h, reconcile, redraw } from "./dom.js";
import { icon } from "./icons.js";
import { avatar } from "./names.js";
import { countdown } from "./ticking.js";

const KINDS = {
  postgres: { title: "PostgreSQL", icon: "database" },
  webhook: { title: "Endpoint", icon: "plug" },
  vault: { title: "Vault", icon: "plug" },
  okta: { title: "Okta", icon: "plug" },
};
const OURS = "rotakey";

const before = new Map();
const departed = new Map();

export function titleOf(target) {
  return KINDS[target.kind]?.title ?? target.kind;
}

export function drawTargets(box, ui) {
  const { targets } = ui.state;
  const cards = targets.map((each) => [each.name, each.kind, () => h("section", { class: "card", "aria-label": `${titleOf(each)} ${each.name}` })]);
  reconcile(box, cards);
  for (const [index, each] of targets.entries()) drawTarget(box.children[index], each, ui);
}

function drawTarget(box, target, ui) {
  redraw(box, [target.name, target.kind], () => [
    h("header", {}, icon(KINDS[target.kind]?.icon ?? "plug"), h("h3", {}, `${titleOf(target)} `, h("span", { class: "quiet" }, target.name)), h("span", { class: "read-at", title: "when it was read" })),
    h("div", { class: "trouble", role: "alert" }),
    h("div", { class: "roles", "aria-live": "polite" }),
    h("div", { class: "sessions" }),
  ]);
  put(box.querySelector(".read-at"), target.at ? timeOfDay(target.at, true) : "");
  put(box.querySelector(".trouble"), target.error ? `Cannot be read: ${target.error}` : "");
  box.classList.toggle("unreadable", Boolean(target.error));
  if (!target.error) notice(target);
  reconcile(box.querySelector(".roles"), roles(target, ui));
  drawStrangers(box.querySelector(".sessions"), target);
}

function put(box, text) {
  if (box.textContent !== text) box.textContent = text;
}

/** Remembers who left which role since the last look. */
function notice(target) {
  const now = new Map(target.roles.map((each) => [each.role, new Set(each.members.map((member) => member.account))]));
  for (const [role, accounts] of before.get(target.name) ?? []) {
    for (const account of accounts) if (!now.get(role)?.has(account)) departed.set(placeOf(target, role), { account, at: target.at });
  }
  before.set(target.name, now);
}

function placeOf(target, role) {
  return JSON.stringify([target.name, role]);
}

function roles(target, ui) {
  const { people } = ui.state;
  return target.roles.map(({ role, members }) => {
    const rows = members.map((each) => ({ ...each, sessions: sessionsOf(each.account, target), lease: leaseOf(each, target, role, ui) }));
    const gone = departed.get(placeOf(target, role));
    const print = JSON.stringify([rows, gone, people.map((each) => [each.name, each.color])]);
    return [role, print, (old) => drawn(role, rows, gone, { ui, target, old })];
  });
}

function sessionsOf(account, target) {
  return (target.sessions ?? []).find((each) => each.account === account)?.count ?? 0;
}

/** The lease that this access is for, the one that ends last if there are several. */
function leaseOf({ account, grantor }, target, role, { state, names }) {
  if (grantor !== OURS) return undefined;
  const person = names.byAccount(account)?.id;
  const gives = (name) => state.resources.find((each) => each.name === name)?.gives ?? [];
  const fits = (lease) => lease.person === person && gives(lease.resource).some((each) => each.target === target.name && each.role === role);
  const ends = state.leases.filter(fits).map((each) => each.until ?? Infinity);
  const last = Math.max(...ends);
  return Number.isFinite(last) ? last : undefined;
}

function drawn(role, rows, gone, { ui, target, old }) {
  const known = new Set([...(old?.querySelectorAll(".member") ?? [])].map((each) => each.dataset.account));
  const members = rows.map((each) => member(each, ui, target, old && !known.has(each.account)));
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

function member({ account, grantor, sessions, lease }, ui, target, arrived) {
  const person = ui.names.byAccount(account) ?? { name: account, real_name: account };
  return h(
    "div",
    { class: arrived ? "member arrived" : "member", "data-account": account },
    avatar(person, "small"),
    h("span", { class: "account" }, account),
    grantor && h("span", { class: "quiet", title: `who granted it, by ${titleOf(target)}` }, "by ", h("code", {}, grantor)),
    lease && h("span", { class: "member-left", title: "what is left of the lease" }, countdown(lease)),
    sessions > 0 && h("span", { class: "live" }, sessions === 1 ? "1 live session" : `${sessions} live sessions`),
  );
}

/** Sessions of accounts that are in no role. */
function drawStrangers(box, target) {
  const members = new Set(target.roles.flatMap((each) => each.members.map((one) => one.account)));
  const others = (target.sessions ?? []).filter((each) => !members.has(each.account) && each.count > 0);
  const text = others.map((each) => `${each.account} (${each.count})`).join(", ");
  put(box, text && `Also connected, without a role: ${text}`);
}
