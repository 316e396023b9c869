// @ts-check
// One of several, as radio buttons that look like one row of keys.
import { h } from "./dom.js";

/**
 * @param {{legend: string, name: string, value: string, options: {value: string, text: string, stem?: string}[],
 *   onChange: (value: string) => void}} properties `stem` gives an option the colour of the stem
 */
export function choice({ legend, name, value, options, onChange }) {
  const set = h("fieldset", { class: "choice" }, h("legend", {}, legend));
  for (const option of options) {
    const input = h("input", { type: "radio", name, value: option.value, "data-testid": `${name}-${option.value}`, onchange: () => onChange(option.value) });
    input.checked = option.value === value;
    set.append(h("label", { "data-stem": option.stem }, input, h("span", {}, option.stem && h("i", { class: "swatch" }), option.text)));
  }
  return set;
}
