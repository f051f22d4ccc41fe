// "Try this": four steps that tick themselves off as the state shows that they happened.

import { h, redraw } from "./dom.js";
import { approves, isOnCall, mainResource, requestLine } from "./examples.js";
import { icon } from "./icons.js";
import { first, isAccountOf } from "./names.js";
import { titleOf } from "./targets.js";

const KEY = "guide";

let seen = null;

export function drawGuide(box, ui) {
  seen ??= restored(ui.state);
  observe(ui.state);
  localStorage.setItem(KEY, JSON.stringify(seen));
  const cast = castOf(ui.state);
  if (!cast.asker || !cast.approver) return box.replaceChildren();
  const done = [seen.onCall.length > 0, seen.asked, seen.approved.length > 0, seen.gone];
  const next = done.indexOf(false);
  redraw(box, [cast, done, ui.me, seen.closed], () => [
    h("header", {}, h("h2", {}, next < 0 ? "That's the basics" : "Try this"), h("span", { class: "quiet" }, next < 0 ? "Now hand over the pager or break things." : `${done.filter(Boolean).length} of 4`), next < 0 && again(box, ui), fold(box, ui)),
    !seen.closed && h("ol", {}, steps(cast, ui).map((each, index) => step(index, each, done[index], index === next))),
  ]);
}

/** What this browser has seen so far, unless the sandbox has begun anew since. */
function restored(state) {
  const saved = JSON.parse(localStorage.getItem(KEY) ?? "null");
  return saved && saved.version <= state.version ? saved : fresh(state);
}

function fresh({ version, clock, leases }) {
  return { version, began: clock, before: leases.map((each) => each.grant), onCall: [], asked: false, approved: [], gone: false, closed: false };
}

function castOf({ people, pager, ...state }) {
  const here = people.filter((each) => !each.deleted);
  const others = here.filter((each) => !isOnCall({ pager }, each));
  const approver = others.find(approves) ?? others.at(-1);
  const asker = others.find((each) => each !== approver && !approves(each)) ?? others.find((each) => each !== approver);
  return { onCall: here.find((each) => isOnCall({ pager }, each)), asker, approver, line: requestLine({ pager, ...state }), target: targetsOf(mainResource(state), state).map(titleOf).join(" and "), card: channelOfCard(state)?.name };
}

function observe(state) {
  const { leases } = state;
  const people = new Map(state.people.map((each) => [each.id, each]));
  seen.version = state.version;
  const asked = leases.filter((each) => each.resource === mainResource(state));
  for (const { grant, person } of asked) {
    if (seen.onCall.includes(grant) || seen.approved.some((each) => each.grant === grant)) continue;
    if (people.has(person) && isOnCall(state, people.get(person))) seen.onCall.push(grant);
    else if (!seen.before.includes(grant)) seen.approved.push({ grant, person });
  }
  seen.asked ||= seen.approved.length > 0 || wasAsked(state, people.get(state.me));
  const targets = targetsOf(mainResource(state), state);
  const inside = targets.flatMap((target) => target.roles.flatMap((each) => each.members.map((one) => one.account)));
  const out = (id) => people.has(id) && !inside.some((account) => isAccountOf(people.get(id), account));
  const holds = (id) => leases.some((each) => each.person === id);
  const over = (each) => !leases.some((lease) => lease.grant === each.grant) && (out(each.person) || holds(each.person));
  seen.gone ||= targets.every((each) => !each.error) && seen.approved.some(over);
}

function targetsOf(resource, { resources, targets }) {
  const gives = resources.find((each) => each.name === resource)?.gives ?? [];
  return targets.filter((each) => gives.some((one) => one.target === each.name));
}

/** A card with an Approve button is there, or I asked without being on call. */
function wasAsked(state, me) {
  const asks = (it) => it.command && it.ts > seen.began && /^\S+ request /.test(it.text);
  const typed = state.channels.some((each) => each.messages.some(asks));
  return Boolean(channelOfCard(state)) || (typed && me !== undefined && !isOnCall(state, me));
}

function channelOfCard(state) {
  const asks = (block) => (block.elements ?? []).some((each) => each.action_id === "approve");
  return state.channels.find((each) => each.messages.some((one) => one.ts > seen.began && (one.blocks ?? []).some(asks)));
}

function steps({ onCall, asker, approver, line, target, card }, ui) {
  const where = card ? `press Approve on the card in #${card}.` : "press Approve on the card.";
  return [
    onCall
      ? [`Request as ${first(onCall)}, who is on call`, ["Granted at once: ", doing(ui, onCall, line, true)]]
      : ["Request while on call", ["Nobody is on call now. Start a shift below."]],
    [`Request as ${first(asker)}, who is not`, ui.me === asker.id ? ["Somebody has to approve: ", doing(ui, asker, line)] : [doing(ui, asker, line)]],
    [`Approve as ${first(approver)}`, ui.me === approver.id ? [where[0].toUpperCase() + where.slice(1)] : [becoming(ui, approver), ` and ${where}`]],
    ["Watch both go away when time is up", [`See the lease in Redis and the role in ${target} below. Or type `, h("code", {}, line.replace(/ request (\S+) .*/, " done $1")), "."]],
  ];
}

function doing(ui, person, line, free = false) {
  const word = free || ui.me === person.id ? [] : [becoming(ui, person), " and type "];
  return [word, h("button", { type: "button", class: "chip", "data-focus": `guide ${line}`, on: { click: () => speak(ui, person, line) } }, line)];
}

function speak(ui, person, line) {
  ui.become(person.id);
  ui.propose(line);
}

function becoming(ui, person) {
  return h("button", { type: "button", class: "link", "data-focus": `be ${person.id}`, on: { click: () => ui.become(person.id) } }, `Switch to ${first(person)}`);
}

function step(index, [title, how], done, current) {
  return h(
    "li",
    { class: done ? "done" : current ? "current" : "", "aria-current": current ? "step" : null },
    h("span", { class: "mark", role: "img", "aria-label": done ? "done" : `step ${index + 1}` }, done ? icon("check") : String(index + 1)),
    h("div", {}, h("div", { class: "step-title" }, title), current && h("div", { class: "step-how" }, how)),
  );
}

function again(box, ui) {
  const start = () => {
    seen = fresh(ui.state);
    drawGuide(box, ui);
  };
  return h("button", { type: "button", class: "link fold", "data-focus": "again", on: { click: start } }, "Start over");
}

function fold(box, ui) {
  const toggle = () => {
    seen.closed = !seen.closed;
    drawGuide(box, ui);
  };
  return h("button", { type: "button", class: "link fold", "data-focus": "fold", "aria-expanded": String(!seen.closed), on: { click: toggle } }, seen.closed ? "Show" : "Hide");
}
