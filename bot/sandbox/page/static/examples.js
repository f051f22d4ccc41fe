// Commands worth trying, for whoever one is.

export function isOnCall(state, person) {
  return state.pager.schedules.some((each) => each.now.some((shift) => shift.user === person.id));
}

export function approves(person) {
  return /\bapprov/i.test(person.title ?? "");
}

export function mainCommand(state) {
  return state.commands[0]?.command ?? "/access";
}

/** The first resource one may ask for: the policy's, else the one in the command's usage hint. */
export function mainResource(state) {
  const hinted = /^request\s+(\S+)/.exec(state.commands[0]?.usage_hint ?? "");
  return state.resources?.[0]?.name ?? hinted?.[1] ?? "prod-db";
}

export function requestLine(state, length = "1m") {
  return `${mainCommand(state)} request ${mainResource(state)} ${length} because orders are stuck`;
}

export function examplesFor(person, state) {
  const command = mainCommand(state);
  const resource = mainResource(state);
  if (isOnCall(state, person)) return [requestLine(state), `${command} mine`, `${command} done ${resource}`, `${command} help`];
  if (approves(person)) return [`${command} who ${resource}`, `${command} mine`, `${command} list`, `${command} help`];
  return [requestLine(state), `${command} list`, `${command} mine`, `${command} help`];
}
