// Elements without markup strings: text becomes text nodes and nothing else.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props = {}, ...children) {
  return dress(document.createElement(tag), props, children);
}

export function svg(paths, props = {}) {
  const icon = document.createElementNS(SVG, "svg");
  const shapes = paths.map((d) => dress(document.createElementNS(SVG, "path"), { d }, []));
  return dress(icon, { viewBox: "0 0 20 20", "aria-hidden": "true", class: "icon", ...props }, shapes);
}

function dress(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    } else if (name === "style") {
      for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat(4).filter((each) => each !== null && each !== undefined && each !== false));
  return element;
}

const drawn = new WeakMap();

/** Draws `box` anew only if `key` changed since; keeps the focus on what has the same data-focus. */
export function redraw(box, key, make) {
  const text = JSON.stringify(key);
  if (drawn.get(box) === text) return false;
  drawn.set(box, text);
  keepingFocus(box, () => box.replaceChildren(...[make()].flat(4).filter(Boolean)));
  return true;
}

export function keepingFocus(box, change) {
  const active = document.activeElement;
  const name = active && box.contains(active) ? active.dataset.focus : undefined;
  const caret = name !== undefined && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null;
  change();
  if (name === undefined || active.isConnected) return;
  const again = [...box.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === name);
  if (!again) return;
  again.focus({ preventScroll: true });
  if (caret && caret[0] !== null) again.setSelectionRange(...caret);
}

/** Makes the children of `box` equal to `wanted` ([key, fingerprint, make]); equal ones stay untouched. */
export function reconcile(box, wanted) {
  const there = new Map([...box.children].map((child) => [child.dataset.key, child]));
  let previous = null;
  for (const [key, fingerprint, make] of wanted) {
    let child = there.get(key);
    there.delete(key);
    if (!child || drawn.get(child) !== fingerprint) child = swap(box, child, key, fingerprint, make);
    const place = previous ? previous.nextSibling : box.firstChild;
    if (child !== place) box.insertBefore(child, place);
    previous = child;
  }
  for (const gone of there.values()) gone.remove();
}

function swap(box, old, key, fingerprint, make) {
  const fresh = make(old);
  fresh.dataset.key = key;
  drawn.set(fresh, fingerprint);
  if (old) keepingFocus(box, () => old.replaceWith(fresh));
  return fresh;
}
