// @ts-check
// The keyboard, and the dialog that explains it.
import { h } from "./dom.js";

const NAME = "demix.keys";
const enabled = () => localStorage.getItem(NAME) !== "off";

/** @typedef {{toggle: () => void, step: (seconds: number) => void, mute: (index: number) => void, solo: (index: number) => void,
 *   hear: (system: string) => void, next: () => void, loop: () => void, loopStart: () => void, loopEnd: () => void, help: () => void}} Actions */

/** The key of a system: the first letter of its name. @param {string} system */
export const keyOf = (system) => system.charAt(0).toUpperCase();

/** @param {Actions} actions @param {string[]} systems @param {AbortSignal} signal */
export function listen(actions, systems, signal) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!enabled() || document.querySelector("dialog[open]")) return;
    const target = /** @type {Element} */ (event.target);
    if (target.matches("input:not([type=range]):not([type=radio]):not([type=checkbox]), textarea, select")) return;
    if (event.code === "Space" && target.matches("button, a, input, summary")) return;
    if (event.key.startsWith("Arrow") && target.matches("input, [role=group][tabindex]")) return;
    const action = actionFor(event, actions, systems);
    if (!action) return;
    event.preventDefault();
    action();
  }, { signal });
}

/** @param {KeyboardEvent} event @param {Actions} actions @param {string[]} systems @returns {(() => void) | null} */
function actionFor({ key, code, shiftKey, repeat }, actions, systems) {
  if (key === "ArrowLeft" || key === "ArrowRight") return () => actions.step((key === "ArrowLeft" ? -1 : 1) * (shiftKey ? 10 : 2));
  if (repeat) return null;
  if (code === "Space") return actions.toggle;
  if (key === "?") return actions.help;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(code);
  if (digit) return () => (shiftKey ? actions.solo : actions.mute)(Number(digit[1]) - 1);
  if (shiftKey || key.length !== 1) return null;
  const letter = key.toUpperCase();
  const system = systems.find((name) => keyOf(name) === letter);
  if (system) return () => actions.hear(system);
  return { X: actions.next, L: actions.loop, A: actions.loopStart, B: actions.loopEnd }[letter] ?? null;
}

/** @param {string[]} systems @param {(system: string) => string} titleOf @param {number} stems @returns {HTMLDialogElement} */
export function helpDialog(systems, titleOf, stems) {
  const row = (/** @type {string[]} */ keys, /** @type {string} */ text) =>
    [h("dt", {}, keys.flatMap((key, index) => (index ? [" ", h("kbd", {}, key)] : [h("kbd", {}, key)]))), h("dd", {}, text)];
  const check = h("input", { type: "checkbox", id: "keys-on" });
  check.checked = enabled();
  check.addEventListener("change", () => localStorage.setItem(NAME, check.checked ? "on" : "off"));
  const dialog = h("dialog", { "aria-labelledby": "help-title", "data-testid": "help-dialog" },
    h("form", { method: "dialog" },
      h("h2", { id: "help-title" }, "Keyboard"),
      h("dl", { class: "keys-list" },
        row(["Space"], "play, pause"),
        row(["\u2190", "\u2192"], "2 seconds back, on (with Shift 10 seconds)"),
        systems.map((system) => row([keyOf(system)], `hear ${titleOf(system)}`)),
        systems.length > 1 && row(["X"], "hear the next one"),
        row(["1", "\u2026", String(stems)], "mute a stem (with Shift: solo)"),
        row(["L"], "loop on, off"),
        row(["A", "B"], "the loop begins here, ends here"),
        row(["Shift + drag"], "on a waveform: loop what is marked"),
        row(["?"], "this help")),
      h("label", { class: "check" }, check, h("span", {}, "Use these keys")),
      h("p", { class: "fine" }, "All stems of one system together are the song itself: with nothing muted you hear the original, whichever net has cut it."),
      h("div", { class: "actions" }, h("button", { class: "primary" }, "Close"))));
  return dialog;
}
