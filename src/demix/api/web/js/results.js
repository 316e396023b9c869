// @ts-check
// The page "Results": the comparison reports on this server.
import { getJson } from "./api.js";
import { byId, fill, h } from "./dom.js";
import { complain } from "./notices.js";
import { enter, startShell } from "./shell.js";

const heading = h("h1", {}, "Results");

/** @param {{name: string, title: string, url: string}[]} results */
function show(results) {
  const frame = h("iframe", { class: "report", "data-testid": "report" });
  const open = h("a", { target: "_blank", rel: "noopener" }, "Open it alone");
  const select = h("select", { id: "which", "data-testid": "which" }, results.map(({ name, title }) =>
    h("option", { value: name }, `${name}: ${title.replace(/ \u00b7 demix$/, "")}`)));
  const choose = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    const result = results.find((one) => one.name === name) ?? results[0];
    select.value = result.name;
    if (frame.getAttribute("src") !== result.url) frame.setAttribute("src", result.url);
    frame.setAttribute("title", `Report ${result.name}`);
    open.setAttribute("href", result.url);
  };
  select.addEventListener("change", () => (location.hash = encodeURIComponent(select.value)));
  addEventListener("hashchange", choose);
  fill(byId("main"), heading, h("p", { class: "lede" }, "What the nets were measured to do: scores with their intervals, learning curves, cost, spectrograms."),
    h("div", { class: "result-bar" }, results.length > 1 && [h("label", { for: "which" }, "Report"), select], open), frame);
  choose();
}

async function start() {
  startShell();
  fill(byId("main"), heading, h("p", { class: "wait" }, "Loading ..."));
  enter("Results", heading, false);
  try {
    const { results } = await getJson("/results");
    if (results.length) return show(results);
    fill(byId("main"), heading, h("p", { class: "lede" }, "There is no report on this server yet."),
      h("p", {}, "To make one, run ", h("code", {}, "make compare"), " in the checkout of demix: it trains both nets on the songs in there, scores them and writes the report, in about ten minutes on two cores."));
  } catch (error) {
    fill(byId("main"), heading, h("p", {}, "The reports could not be listed."));
    complain(error);
  }
}

start();
