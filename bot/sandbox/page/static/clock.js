// The server's clock, ticking here between two looks at it.

let offset = null;

export function setClock(epoch) {
  const seen = epoch - Date.now() / 1000;
  if (offset === null || Math.abs(seen - offset) > 0.3) offset = seen;
}

export function now() {
  return Date.now() / 1000 + (offset ?? 0);
}

export function timeOfDay(epoch, seconds = false) {
  const parts = { hour: "numeric", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}) };
  return new Date(epoch * 1000).toLocaleTimeString([], parts);
}

/** The time alone where it is today, else with its day. */
export function dayAndTime(epoch, seconds = false) {
  const day = (moment) => new Date(moment * 1000).toDateString();
  if (day(epoch) === day(now())) return timeOfDay(epoch, seconds);
  return new Date(epoch * 1000).toLocaleString([], { weekday: "short", hour: "numeric", minute: "2-digit" });
}

/** What is left until `end`, in the two largest units: "3h 58m", "1m 42s", "9s". */
export function left(end) {
  const seconds = Math.max(0, Math.ceil(end - now()));
  const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days}d ${hours % 24}h`;
  if (hours) return `${hours}h ${pad(minutes % 60)}m`;
  if (minutes) return `${minutes}m ${pad(seconds % 60)}s`;
  return `${seconds}s`;
}

function pad(number) {
  return String(number).padStart(2, "0");
}
