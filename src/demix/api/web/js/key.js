// @ts-check
// The API key: asked for when the server wants one, kept for this tab only.
import { h } from "./dom.js";

const NAME = "demix.key";
/** @type {Promise<boolean> | null} */
let asking = null;

export const storedKey = () => sessionStorage.getItem(NAME);
export const forgetKey = () => sessionStorage.removeItem(NAME);

/**
 * Ask for the key; several calls that wait for it share one dialog.
 * @param {boolean} refused whether a key has just been turned down
 * @returns {Promise<boolean>} whether there is a key now
 */
export function askForKey(refused) {
  asking ??= ask(refused).finally(() => (asking = null));
  return asking;
}

/** @param {boolean} refused @returns {Promise<boolean>} */
function ask(refused) {
  const input = h("input", { id: "key", type: "password", autocomplete: "off", required: true, "data-testid": "key", "aria-describedby": "key-why" });
  const dialog = h("dialog", { "aria-labelledby": "key-title", class: "small" },
    h("form", { method: "dialog" },
      h("h2", { id: "key-title" }, "API key"),
      h("p", { id: "key-why" }, refused
        ? "The server did not accept this key. Enter another one."
        : "This server wants an API key. It is kept until you close this tab."),
      h("label", { for: "key" }, "Key"), input,
      h("div", { class: "actions" },
        h("button", { type: "submit", class: "primary", value: "ok" }, "Use this key"),
        h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const key = dialog.returnValue === "ok" ? input.value.trim() : "";
      if (key) sessionStorage.setItem(NAME, key);
      dialog.remove();
      resolve(key !== "");
    });
  });
}
