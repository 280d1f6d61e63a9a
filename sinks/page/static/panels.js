// A panel's body comes from the server as HTML and is put in place; numbers that differ from before are marked.
import { draw } from "./charts.js";
import { show } from "./times.js";

const PAUSE = 2000; // milliseconds between two looks at one panel, however much happens
// Milliseconds after the last change when a panel looks again: the loader writes within a second or two, and reconciles
// owners, copies and sessions every few seconds, under load at most once a minute.
const SETTLES = [2500, 6000, 15000, 65000];
// A run of reconciliation may come later still. The answer says how far it is behind; a panel looks again until it is past
// the change, and the time that the change needs to be loaded, at most for AT_MOST.
const LOADED = 5000;
const LATER = 20000;
const AT_MOST = 30 * 60000;

class Panel {
  constructor(element) {
    this.element = element;
    this.body = element.querySelector("[data-body]");
    this.problem = element.querySelector("[data-problem]");
    this.kinds = new Set((element.dataset.kinds || "").split(" ").filter(Boolean));
    this.profiles = new Set((element.dataset.profiles || "").split(" ").filter(Boolean));
    this.timer = 0;
    this.settle = 0;
    this.asked = 0;
    this.text = this.body.innerHTML;
    this.seen = true;
    this.missed = false;
  }

  /** Whether nothing was ever shown. */
  empty() {
    return this.text.includes("skeleton") || !this.text.trim();
  }

  concerns(change) {
    if (!change.kinds.some((kind) => this.kinds.has(kind))) return false;
    return !this.profiles.size || !change.profiles || change.profiles.some((each) => this.profiles.has(each));
  }

  changed() {
    if (!this.seen || document.hidden) {
      this.missed = true;
      return;
    }
    // A person's panel asks at once: the server waits until ClickHouse has the state that was told of.
    const pause = this.profiles.size ? 0 : PAUSE;
    this.changedAt = Date.now();
    this.looks = 0;
    if (!this.timer) this.timer = setTimeout(() => this.load(), Math.max(50, this.asked + pause - Date.now()));
    this.settleIn(SETTLES[0]);
  }

  settleIn(milliseconds) {
    clearTimeout(this.settle);
    this.settle = setTimeout(() => this.load(), milliseconds);
  }

  /** Look again later until an answer is as much younger than the last change as ClickHouse may need for all of it. */
  settled(age, next, behind) {
    if (!this.changedAt) return;
    const since = Date.now() - this.changedAt;
    while (this.looks < SETTLES.length && since - age >= SETTLES[this.looks] - 100) this.looks += 1;
    if (this.looks < SETTLES.length) this.settleIn(Math.max(300, next + 50, SETTLES[this.looks] - since));
    else if (since - age - behind < LOADED && since < AT_MOST) this.settleIn(Math.max(LATER, next + 50));
  }

  async load() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.asked = Date.now();
    const turn = (this.turn = (this.turn || 0) + 1);
    try {
      const answer = await fetch(this.element.dataset.src, { headers: { "X-Touchline-Part": "1" } });
      const text = await answer.text();
      if (turn !== this.turn) return; // a later look was faster
      if (!answer.ok) throw new Error(text.slice(0, 300));
      const moved = answer.headers.get("X-Touchline-Profile");
      this.put(text);
      this.well();
      const told = (name) => 1000 * Number(answer.headers.get(`X-Touchline-${name}`) || 0);
      this.settled(told("Age"), told("Next"), told("Behind"));
      if (moved) this.element.dispatchEvent(new CustomEvent("moved", { bubbles: true, detail: moved }));
    } catch (error) {
      this.failed(error instanceof TypeError ? "The server of this page does not answer." : error.message);
    }
  }

  put(text) {
    this.element.removeAttribute("data-waiting");
    if (text === this.text) return;
    const first = this.empty();
    this.text = text;
    const parsed = new DOMParser().parseFromString(text, "text/html").body;
    const before = new Map([...this.body.querySelectorAll("[data-k]")].map((each) => [each.dataset.k, each.dataset.v]));
    const rows = new Set([...this.body.querySelectorAll("[data-row]")].map((each) => each.dataset.row));
    const opened = [...this.body.querySelectorAll("details[open]")].map((each) => each.querySelector("summary")?.textContent);
    const scrolls = [...this.body.querySelectorAll(".scroll")].map((each) => each.scrollTop);
    const focus = this.body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const pictures = new Map([...this.body.querySelectorAll("[data-chart]")].map((each, at) => [at, each]));
    show(parsed);
    // A drawn chart stays in place and gets the new numbers: no flicker.
    [...parsed.querySelectorAll("[data-chart]")].forEach((each, at) => {
      const old = pictures.get(at);
      if (old && old.dataset.chart === each.dataset.chart) {
        old.dataset.roles = each.dataset.roles;
        each.replaceWith(old);
      }
    });
    this.body.replaceChildren(...parsed.childNodes);
    this.body.setAttribute("aria-busy", "false");
    for (const details of this.body.querySelectorAll("details"))
      if (opened.includes(details.querySelector("summary")?.textContent)) details.open = true;
    this.body.querySelectorAll(".scroll").forEach((each, at) => (each.scrollTop = scrolls[at] || 0));
    if (focus) this.body.querySelector(`[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
    if (!first) {
      for (const each of this.body.querySelectorAll("[data-k]"))
        if (before.has(each.dataset.k) && before.get(each.dataset.k) !== each.dataset.v) each.classList.add("changed");
      if (rows.size)
        for (const each of this.body.querySelectorAll("[data-row]"))
          if (!rows.has(each.dataset.row)) each.classList.add("arrived");
    }
    draw(this.body);
  }

  failed(message) {
    this.element.classList.add("stale");
    this.body.setAttribute("aria-busy", "false");
    this.problem.textContent = this.empty() ? message : `${message} This is as it was before.`;
    this.problem.hidden = false;
    this.missed = true;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.load(), 4000);
  }

  well() {
    clearTimeout(this.retry);
    this.missed = false;
    this.element.classList.remove("stale");
    this.problem.hidden = true;
  }
}

/** Start every panel of the page; returns what passes a change on to them. */
export function start() {
  const panels = [...document.querySelectorAll("[data-panel]")].map((element) => new Panel(element));
  const byElement = new Map(panels.map((panel) => [panel.element, panel]));
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const panel = byElement.get(entry.target);
      panel.seen = entry.isIntersecting;
      if (panel.seen && panel.missed) panel.load();
    }
  }, { rootMargin: "300px" });
  for (const panel of panels) {
    watch.observe(panel.element);
    show(panel.element);
    if (panel.empty()) panel.load();
    else draw(panel.body);
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) for (const panel of panels) if (panel.missed) panel.load();
  });
  return {
    change: (change) => panels.forEach((panel) => panel.concerns(change) && panel.changed()),
    all: () => panels.forEach((panel) => (panel.seen && !document.hidden ? panel.load() : (panel.missed = true))),
    panels,
  };
}
