// @ts-check
// One question with two answers, in a dialog that the keyboard reaches.
import { h } from "./dom.js";

/**
 * @param {{title: string, text: string, yes: string}} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes }) {
  const dialog = h("dialog", { "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text", class: "small" },
    h("form", { method: "dialog" },
      h("h2", { id: "confirm-title" }, title),
      h("p", { id: "confirm-text" }, text),
      h("div", { class: "actions" },
        h("button", { value: "" }, "Keep it"),
        h("button", { value: "yes", class: "danger", "data-testid": "confirm" }, yes))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
