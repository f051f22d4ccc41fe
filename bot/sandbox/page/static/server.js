// Talks to the server that sent this page.

const PACE = 300;
const TIRED = 800;

let wake = () => {};
let hurry = false;

/** Looks at the state for ever; `seen` gets each one, `lost` is called while there is no answer. */
export async function watch(who, seen, lost) {
  let since = null;
  let me = null;
  for (;;) {
    const asked = Date.now();
    if (me !== who()) since = null;
    me = who();
    let state;
    try {
      state = await look(me, hurry ? null : since);
    } catch (error) {
      if (error.name === "AbortError") continue;
      lost();
      await pause(TIRED);
      continue;
    }
    hurry = false;
    if (me === who()) {
      since = state.version;
      show(seen, state);
    }
    await pause(Math.max(20, PACE - (Date.now() - asked)));
  }
}

/** What cannot be drawn is reported, and looked at again. */
function show(seen, state) {
  try {
    seen(state);
  } catch (error) {
    reportError(error);
  }
}

/** Something was done here: look again without waiting, on neither side. */
export function lookNow() {
  hurry = true;
  wake();
}

/** {ok: true}, or {ok: false, error} also when nobody answered. */
export async function post(what, body) {
  try {
    const answer = await fetch(`/sandbox/${what}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    return await answer.json();
  } catch {
    return { ok: false, error: "The sandbox does not answer." };
  } finally {
    lookNow();
  }
}

async function look(me, since) {
  const abort = new AbortController();
  wake = () => abort.abort();
  const query = new URLSearchParams(since === null ? { me } : { me, since });
  const answer = await fetch(`/sandbox/state?${query}`, { signal: abort.signal });
  if (!answer.ok) throw new Error(`the sandbox answered ${answer.status}`);
  return answer.json();
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
