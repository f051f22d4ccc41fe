// What each person of the workspace has read, remembered by this browser.

const key = (person, channel) => `read ${person} ${channel}`;

export function markRead(person, channel, ts) {
  if (ts && ts > readUntil(person, channel)) localStorage.setItem(key(person, channel), ts);
}

export function unreadIn(channel, me) {
  const until = readUntil(me, channel.id);
  return channel.messages.filter((each) => each.ts > until && each.user !== me && !each.command);
}

export function waitsFor(person, latest) {
  return Object.entries(latest?.[person] ?? {}).some(([channel, ts]) => ts > readUntil(person, channel));
}

function readUntil(person, channel) {
  return localStorage.getItem(key(person, channel)) ?? "";
}
