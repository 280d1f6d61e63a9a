// What a page does in the browser: live panels, filters, keys. Everything it shows comes from the server.
import { follow } from "./live.js";
import { start } from "./panels.js";

const panels = start();
const { base, worker } = document.body.dataset;
const live = document.getElementById("live");
const text = document.getElementById("live-text");
const toast = document.getElementById("toast");
let connected = "waiting";
let health = { clickhouse: true, kafka: true };

function status() {
  const [state, words] =
    connected !== "live" ? [connected === "down" ? "down" : "waiting", connected === "down" ? "not connected: trying again" : "connecting"]
    : !health.clickhouse ? ["down", "ClickHouse does not answer"]
    : !health.kafka ? ["down", "Kafka does not answer: not live"]
    : ["live", "live"];
  live.dataset.state = state;
  if (text.textContent !== words) text.textContent = words;
}

if (base) follow(`${base}/live`, worker, ({ state, change }) => {
  if (state) {
    const again = state === "live" && connected === "down";
    connected = state;
    if (again) panels.all(); // whatever was missed meanwhile
  }
  if (change) {
    const back = change.health && ((change.health.clickhouse && !health.clickhouse) || (change.health.kafka && !health.kafka));
    if (change.health) health = change.health;
    if (back) panels.all();
    else panels.change(change);
  }
  status();
});

let hide = 0;
document.addEventListener("moved", ({ detail }) => {
  const url = new URL(location.href);
  if (url.searchParams.get("id") === detail) return;
  url.searchParams.set("id", detail);
  history.replaceState(null, "", url);
  for (const each of document.querySelectorAll("[data-panel]")) {
    const source = new URL(each.dataset.src, location.href);
    source.searchParams.set("id", detail);
    each.dataset.src = source.pathname + source.search;
    each.dataset.profiles = detail;
  }
  for (const panel of panels.panels) {
    panel.profiles.add(detail);
    panel.load();
  }
  say("This person was merged into another profile: now you see the person as one.");
});

function say(words) {
  toast.textContent = words;
  toast.hidden = false;
  clearTimeout(hide);
  hide = setTimeout(() => (toast.hidden = true), 6000);
}

// A filter is chosen by its change; empty ones stay out of the address.
document.addEventListener("change", ({ target }) => {
  if (!("submit" in target.dataset)) return;
  const form = target.form;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  location.href = `${form.getAttribute("action") || location.pathname}?${keep(query, form)}`;
});

function keep(query, form) {
  const id = new URLSearchParams(location.search).get("id");
  if (id && !form.getAttribute("action")) query.set("id", id);
  return query;
}

// Keys: / searches; arrows go through rows and panels; Escape closes what is open, or leaves the field.
document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input:not([type=radio]), select, textarea");
  if (event.key === "/" && !field && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    document.getElementById("search")?.focus();
  } else if (event.key === "Escape") {
    const open = [...document.querySelectorAll("details.more[open], details.meaning[open]")];
    open.forEach((each) => (each.open = false));
    if (open.length) open[0].querySelector("summary").focus();
    else if (field) field.blur();
    toast.hidden = true;
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !field && event.target.type !== "radio") {
    step(event, event.key === "ArrowDown" ? 1 : -1);
  }
});

function step(event, by) {
  const inside = event.target.closest(".scroll, .card");
  const links = inside ? [...inside.querySelectorAll("a[href]")] : [];
  const stops = links.length > 1 && event.target.matches("a, .scroll") ? links : [...document.querySelectorAll(".panel, .card[tabindex]")];
  if (!stops.length) return;
  const at = stops.indexOf(event.target.closest("a, .panel, .card"));
  const next = stops[at + by];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

document.addEventListener("click", ({ target }) => {
  for (const each of document.querySelectorAll("details.more[open], details.meaning[open]"))
    if (!each.contains(target)) each.open = false;
});
status();
