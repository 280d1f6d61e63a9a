// Charts, drawn from the table that stands below each of them: no number is computed here.
import { local, periods } from "./times.js";

let library = null;
const drawn = new Map(); // element → chart

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const palette = () => [1, 2, 3, 4, 5, 6, 7, 8].map((each) => token(`--c${each}`));

/** The rows of the table that belongs to a chart: column → {value, text, href}. */
function rowsOf(element) {
  const table = element.parentElement.querySelector(":scope > .numbers table, :scope table");
  return [...table.tBodies[0].rows].map((row) => {
    const found = {};
    for (const cell of row.cells)
      found[cell.dataset.c] = {
        value: cell.dataset.v, text: cell.textContent.trim(), href: cell.querySelector("a")?.getAttribute("href"),
        moment: cell.querySelector("time:not([data-ago])") ? new Date(Number(cell.dataset.v)) : null,
      };
    return found;
  });
}

/** The titles of the columns of that table: column → title. */
function titlesOf(element) {
  const table = element.parentElement.querySelector(":scope > .numbers table, :scope table");
  const heads = [...table.tHead.rows[0].cells];
  return Object.fromEntries([...table.tBodies[0].rows[0].cells].map((cell, at) => [cell.dataset.c, heads[at].textContent]));
}

/** Draw all charts below `root` that are on screen, or about to be. */
export function draw(root) {
  const elements = [...root.querySelectorAll("[data-chart]")];
  for (const [element, chart] of drawn)
    if (!element.isConnected) {
      chart.dispose();
      sizes.unobserve(element);
      drawn.delete(element);
    }
  if (!elements.length) return;
  library ??= import("./echarts.js");
  library.then((echarts) => elements.forEach((element) => paint(echarts, element)));
}

function paint(echarts, element) {
  if (!element.isConnected) return;
  if (!element.clientWidth || !element.clientHeight) return sizes.observe(element); // drawn once it has room
  let chart = drawn.get(element);
  if (!chart) {
    chart = echarts.init(element, null, { renderer: "canvas" });
    drawn.set(element, chart);
    sizes.observe(element);
    chart.on("click", ({ data }) => data?.href && location.assign(data.href));
  }
  const rows = rowsOf(element);
  const roles = JSON.parse(element.dataset.roles);
  const narrow = element.clientWidth < 340;
  const option = kinds[element.dataset.chart](rows, roles, { narrow, element, titles: titlesOf(element) });
  // richText tooltips are painted, not put into the page as HTML: nothing in a name can become markup
  chart.setOption({ ...common(), ...option }, { notMerge: element.dataset.chart !== "timeline" || !element.dataset.painted });
  element.dataset.painted = "1";
}

const sizes = new ResizeObserver((entries) => {
  // without room, as while its element is out of the page, a chart cannot be laid out
  for (const { target, contentRect } of entries)
    if (contentRect.width && contentRect.height) {
      if (drawn.has(target)) drawn.get(target).resize();
      else library?.then((echarts) => paint(echarts, target));
    }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  library?.then((echarts) => [...drawn.keys()].forEach((element) => paint(echarts, element)));
});

const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

function common() {
  return {
    color: palette(), animation: !still, animationDuration: 250, animationDurationUpdate: 400,
    textStyle: { fontFamily: token("--font"), color: token("--text") },
    tooltip: tip(),
  };
}

function tip(more = {}) {
  return {
    renderMode: "richText", confine: true, backgroundColor: token("--raised"), borderColor: token("--line-strong"),
    textStyle: { color: token("--text"), fontSize: 12 }, ...more,
  };
}

const quiet = () => token("--quiet");
const label = (more = {}) => ({ color: quiet(), fontSize: 11, hideOverlap: true, ...more });
const lines = () => ({ lineStyle: { color: token("--line") } });
const number = (cell) => (cell === undefined || cell.value === "" ? null : Number(cell.value));
const cut = (text, length = 18) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
/** The name of a value axis, above it; what a chart measures stands nowhere else in it. */
const named = (name, location = "end") => ({ name, nameLocation: location, nameGap: 8, nameTextStyle: { color: quiet(), fontSize: 11, align: "left" } });
/** A place on an ellipse of the chart's half of the panel, and where a label points away from its middle. */
function outside(at, count, element) {
  const angle = (2 * Math.PI * (at + 0.5)) / count;
  const [x, y] = [Math.cos(angle), Math.sin(angle)];
  const position = Math.abs(x) > 0.25 || count > 12 ? (x < 0 ? "left" : "right") : y < 0 ? "top" : "bottom";
  return { x: element.clientWidth * 0.48 * x, y: element.clientHeight * 0.8 * y, label: { position } };
}
const unique = (list) => [...new Set(list)];

function axis(more) {
  return { axisLabel: label(), axisLine: lines(), axisTick: { show: false }, splitLine: lines(), ...more };
}

const kinds = {
  bar(rows, { label: name, value }, { element }) {
    const room = Math.max(14, Math.floor(element.clientWidth / 15));
    return {
      grid: { left: 6, right: 58, top: 6, bottom: 4, containLabel: true },
      xAxis: axis({ type: "value", axisLabel: { show: false }, splitLine: { show: false }, axisLine: { show: false } }),
      yAxis: axis({ type: "category", inverse: true, data: rows.map((row) => row[name].text), axisLabel: label({ formatter: (text) => cut(text, room), fontSize: 12, color: token("--text") }) }),
      tooltip: tip({ trigger: "item", formatter: ({ data }) => `${data.name}\n${data.said}` }),
      series: [{ type: "bar", barMaxWidth: 22, itemStyle: { borderRadius: [0, 4, 4, 0] },
        label: { show: true, position: "right", color: token("--text"), formatter: ({ data }) => data.said },
        data: rows.map((row) => ({ value: number(row[value]), name: row[name].text, said: row[value].text, href: row[name].href })) }],
    };
  },

  stacked(rows, { x, series, value }, { narrow, titles }) {
    const columns = unique(rows.map((row) => row[x].value));
    const names = unique(rows.map((row) => row[series].text));
    const timed = Boolean(rows[0][x].moment);
    const shown = timed ? periods(columns.map((each) => new Date(Number(each)))) : columns.map((each) => rows.find((row) => row[x].value === each)[x].text);
    const texts = new Map(columns.map((each, at) => [each, shown[at]]));
    const known = new Map(rows.map((row) => [`${row[x].value}/${row[series].text}`, row]));
    return {
      legend: { type: "scroll", top: 0, textStyle: { color: quiet() }, pageTextStyle: { color: quiet() } },
      grid: { left: columns.length > 4 && !timed ? 20 : 6, right: 12, top: 48, bottom: 4, containLabel: true },
      xAxis: axis({ type: "category", data: columns, axisLabel: label({ rotate: columns.length > 4 && !timed ? 28 : 0, interval: timed ? "auto" : 0, formatter: (each) => cut(texts.get(each) || each, narrow ? 10 : 16) }) }),
      yAxis: axis({ type: "value", ...named(titles[value]) }),
      tooltip: tip({ trigger: "item", formatter: ({ data, seriesName }) => `${texts.get(data.x)}\n${seriesName}: ${data.said}` }),
      series: names.map((name, at) => ({ name, type: "bar", stack: "all", barMaxWidth: 34, itemStyle: { decal: decal(at) },
        data: columns.map((each) => { const row = known.get(`${each}/${name}`); return row ? { value: number(row[value]), x: each, said: row[value].text, href: row[series].href } : null; }) })),
    };
  },

  line(rows, { x, series, value }, { narrow, titles }) {
    const names = series ? unique(rows.map((row) => row[series].text)) : [""];
    return {
      legend: series ? { type: "scroll", top: 0, textStyle: { color: quiet() } } : { show: false },
      grid: { left: 6, right: 16, top: series ? 48 : 26, bottom: 4, containLabel: true },
      xAxis: axis({ type: "time", splitLine: { show: false }, axisLabel: label({ rotate: 0 }), splitNumber: narrow ? 3 : 6 }),
      yAxis: axis({ type: "value", scale: false, ...named(titles[value]) }),
      tooltip: tip({ trigger: "axis", formatter: (all) => `${local(new Date(all[0].value[0]))}\n${all.map((each) => `${each.seriesName ? `${each.seriesName}: ` : ""}${each.data.said}`).join("\n")}` }),
      series: names.map((name, at) => ({ name, type: "line", showSymbol: rows.length < 60, symbol: symbols[at % symbols.length], symbolSize: 6, smooth: false, lineStyle: { type: ["solid", "dashed", "dotted"][at % 3] },
        data: rows.filter((row) => !series || row[series].text === name).map((row) => ({ value: [Number(row[x].value), number(row[value])], said: row[value].text })) })),
    };
  },

  funnel(rows, { label: name, value, share }, { narrow }) {
    const most = Math.max(1, ...rows.map((row) => number(row[value])));
    return {
      grid: { left: 6, right: narrow ? 90 : 150, top: 4, bottom: 4, containLabel: true },
      xAxis: { type: "value", max: most, show: false },
      yAxis: axis({ type: "category", inverse: true, data: rows.map((row, at) => `${at + 1}. ${row[name].text}`), axisLine: { show: false }, axisLabel: label({ fontSize: 12, color: token("--text"), formatter: (text) => cut(text, narrow ? 16 : 26) }) }),
      tooltip: tip({ formatter: ({ data }) => `${data.name}\n${data.said}` }),
      series: [{ type: "bar", barCategoryGap: "22%", showBackground: true, backgroundStyle: { color: token("--ground"), borderRadius: 4 }, itemStyle: { borderRadius: 4 },
        label: { show: true, position: "right", color: token("--text"), formatter: ({ data }) => data.said },
        data: rows.map((row) => ({ value: number(row[value]), name: row[name].text, said: row[value].text + (share && row[share] ? ` · ${row[share].text}` : ""), href: row[name].href })) }],
    };
  },

  heatmap(rows, { x, y, value }, { narrow, element, titles }) {
    const lanes = unique(rows.map((row) => row[y].text));
    const found = unique(rows.map((row) => row[x].text));
    // from and to the same names: in the same order
    const columns = found.some((each) => lanes.includes(each)) ? found.sort() : found;
    const most = Math.max(0.001, ...rows.map((row) => number(row[value]) || 0));
    return {
      grid: { left: 6, right: 12, top: 24, bottom: narrow ? 70 : 56, containLabel: true },
      xAxis: axis({ type: "category", data: columns, splitLine: { show: false }, axisLabel: label({ rotate: columns.length > 5 || narrow ? 40 : 0, interval: 0, formatter: (text) => cut(text, 14) }) }),
      yAxis: axis({ type: "category", data: lanes, inverse: true, ...named(`${titles[y]} ↓  ${titles[x]} →`, "start"), splitLine: { show: false }, axisLabel: label({ interval: 0, formatter: (text) => cut(text, narrow ? 12 : 22) }) }),
      visualMap: { min: 0, max: most, calculable: false, orient: "horizontal", left: "center", bottom: 0, itemHeight: 110, itemWidth: 10, text: [`${most >= 10 ? Math.round(most).toLocaleString() : most.toFixed(1)}`, "0"], textStyle: { color: quiet() }, inRange: { color: [token("--heat-0"), token("--heat-1"), token("--heat-2")] } },
      tooltip: tip({ formatter: ({ data }) => `${data.row} · ${data.column}\n${data.said}` }),
      series: [{ type: "heatmap", itemStyle: { borderColor: token("--surface"), borderWidth: 2, borderRadius: 3 },
        label: { show: element.clientWidth / (columns.length + 3) > 42, fontSize: 10, formatter: ({ data }) => data.said },
        data: rows.map((row) => ({ label: { color: token((number(row[value]) || 0) > 0.6 * most ? "--surface" : "--text") }, value: [columns.indexOf(row[x].text), lanes.indexOf(row[y].text), number(row[value])], row: row[y].text, column: row[x].text, said: row[value].text, href: row[value].href || row[x].href })) }],
    };
  },

  sankey(rows, { from, to, value, depth }, { narrow }) {
    // a step may follow itself at another depth: depth makes every node its own, so that no circle arises
    const at = (row, more) => (depth ? Number(row[depth].value) + more : more);
    const node = (row, role, more) => `${at(row, more)}\u0000${row[role].text}`;
    const names = unique(rows.flatMap((row) => [node(row, from, 0), node(row, to, 1)]));
    const colours = palette();
    const kindsOf = unique(names.map((each) => each.split("\u0000")[1]));
    return {
      tooltip: tip({ formatter: ({ data, name, value: total }) => (data.said ? `${data.source.split("\u0000")[1]} → ${data.target.split("\u0000")[1]}\n${data.said}` : `${name.split("\u0000")[1]}\n${Math.round(total).toLocaleString()}`) }),
      series: [{ type: "sankey", left: 4, right: narrow ? 76 : 120, top: 8, bottom: 8, nodeWidth: 12, nodeGap: 7, draggable: false, emphasis: { focus: "adjacency" },
        label: { color: token("--text"), fontSize: 11, formatter: ({ name }) => cut(name.split("\u0000")[1], narrow ? 11 : 18), textBorderColor: token("--surface"), textBorderWidth: 2 },
        labelLayout: { hideOverlap: true },
        lineStyle: { color: "source", opacity: 0.28, curveness: 0.5 },
        data: names.map((each) => ({ name: each, itemStyle: { color: /^\((end|start|other)\)$/.test(each.split("\u0000")[1]) ? token("--line-strong") : colours[kindsOf.indexOf(each.split("\u0000")[1]) % colours.length] } })),
        links: rows.map((row) => ({ source: node(row, from, 0), target: node(row, to, 1), value: number(row[value]), said: row[value].text })) }],
    };
  },

  graph(rows, { from, to, outcome }, { element }) {
    const nodes = new Map();
    for (const row of rows)
      for (const [role, own] of [[from, row.from_own], [to, row.to_own]])
        nodes.set(row[role].value, { id: row[role].value, name: row[role].text, own: own.value === "yes", href: row[role].href });
    const look = { united: ["solid", token("--c3")], refused: ["dashed", token("--bad")], contested: ["dotted", token("--warn")], withdrawn: ["dotted", quiet()] };
    return {
      tooltip: tip({ formatter: ({ data }) => data.said || data.name }),
      series: [{ type: "graph", layout: "none", left: "26%", right: "26%", top: 30, bottom: 34, preserveAspect: "contain", roam: true, scaleLimit: { min: 0.4, max: 4 },
        label: { show: true, color: token("--text"), fontSize: 11, distance: 6, formatter: ({ data }) => cut(data.name, Math.max(7, Math.floor(element.clientWidth * 0.028))), textBorderColor: token("--surface"), textBorderWidth: 3 },
        // where identifiers are too many, the tooltip and the table name the others
        labelLayout: { hideOverlap: true },
        edgeLabel: { show: false },
        // round an ellipse, each label outside of it: so none lies on another, nor on a link
        data: [...nodes.values()].map((each, at) => ({ ...each, ...outside(at, nodes.size, element), symbol: each.own ? "circle" : "emptyCircle", symbolSize: each.own ? 20 : 14, itemStyle: { color: each.own ? token("--c1") : token("--bad") } })),
        links: rows.map((row) => ({ source: row[from].value, target: row[to].value, said: `${row[from].text} – ${row[to].text}\n${row[outcome].text}`,
          lineStyle: { type: look[row[outcome].value]?.[0] || "solid", color: look[row[outcome].value]?.[1] || quiet(), width: row[outcome].value === "united" ? 2 : 2.5, opacity: 0.9, curveness: 0.08 } })) }],
    };
  },

  timeline(rows, { at, channel, type }, { narrow, element }) {
    const scaled = element.dataset.scale === "time";
    const lanes = unique(rows.map((row) => row[channel].text));
    const x = (row) => (scaled ? Number(row[at].value) : Number(row.place.value));
    const starts = new Map(rows.filter((row) => row.place.value % 1 === 0 && row.start.value === "yes").map((row) => [Number(row.place.value), Number(row[at].value)]));
    const shape = { marketing: "diamond", sales: "triangle", commerce: "circle", service: "rect", other: "roundRect" };
    const colour = { marketing: token("--c4"), sales: token("--c2"), commerce: token("--c1"), service: token("--c5"), other: token("--c8") };
    const point = (row) => {
      const moment = row.moment.value;
      const filled = row.direction.value === "inbound";
      const tint = moment === "ouch" ? token("--bad") : moment ? token("--good") : colour[row.component.value] || colour.other;
      return {
        value: [x(row), lanes.indexOf(row[channel].text)],
        symbol: moment === "ouch" ? cross : moment ? star : shape[row.component.value] || "roundRect",
        symbolSize: moment ? 17 : 12,
        itemStyle: { color: filled || moment ? tint : token("--surface"), borderColor: tint, borderWidth: 2 },
        said: `${row[type].text} on ${row[channel].text}\n${local(new Date(Number(row[at].value)))}${moment ? ` · ${moment}` : ""}${Number(row.friction.value) ? ` · friction ${row.friction.text}` : ""}${filled ? "" : " · by us"}`,
      };
    };
    const count = rows.length ? Math.max(...rows.map((row) => Number(row.place.value))) + 1 : 1;
    const shown = narrow ? 14 : 48; // the newest touchpoints first; the rest by the slider
    // from the newest backwards, as many labels as have room
    const apart = Math.ceil((108 * Math.min(count, shown)) / Math.max(1, element.clientWidth - 110));
    const labelled = [...starts.keys()].sort((a, b) => b - a).reduce((kept, each) => (kept.length && kept.at(-1) - each < apart ? kept : [...kept, each]), []);
    const horizontal = scaled ? { type: "time", axisLabel: label() } : {
      type: "value", min: -0.5, max: (all) => all.max + 0.5, minInterval: 1, interval: 1,
      axisLabel: label({ customValues: labelled, formatter: (each) => (starts.has(each) ? local(new Date(starts.get(each))) : ""), hideOverlap: true }),
    };
    const window = { startValue: scaled ? undefined : Math.max(-0.5, count - shown - 0.5), start: scaled ? 0 : undefined, end: 100 };
    return {
      grid: [{ left: narrow ? 74 : 96, right: 14, top: 8, bottom: 118 }, { left: narrow ? 74 : 96, right: 14, height: 42, bottom: 56 }],
      xAxis: [axis({ ...horizontal, gridIndex: 0, splitLine: { show: false }, axisLabel: { show: false } }), axis({ ...horizontal, gridIndex: 1, splitLine: { show: false } })],
      yAxis: [axis({ type: "category", data: lanes, inverse: true, gridIndex: 0, splitLine: { show: true, lineStyle: { color: token("--line"), type: "dashed" } }, axisLabel: label({ interval: 0, fontSize: 12, color: token("--text"), formatter: (text) => cut(text, narrow ? 9 : 12) }) }),
        axis({ type: "value", gridIndex: 1, min: 0, max: (all) => Math.max(3, all.max), splitNumber: 1, splitLine: { show: false }, name: "friction", nameLocation: "middle", nameRotate: 0, nameGap: narrow ? 34 : 44, nameTextStyle: { color: quiet(), fontSize: 11 }, axisLabel: { show: false } })],
      dataZoom: [
        { type: "inside", xAxisIndex: [0, 1], filterMode: "weakFilter", ...window, zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
        { type: "slider", xAxisIndex: [0, 1], height: 20, bottom: 6, filterMode: "weakFilter", showDetail: false, borderColor: token("--line-strong"), fillerColor: token("--accent-ground"), ...window },
      ],
      tooltip: tip({ formatter: ({ data }) => data.said }),
      series: [
        { type: "scatter", xAxisIndex: 0, yAxisIndex: 0, data: rows.map(point), clip: true },
        { type: "bar", xAxisIndex: 1, yAxisIndex: 1, barWidth: 5, itemStyle: { color: token("--bad") }, data: rows.filter((row) => Number(row.friction.value)).map((row) => ({ value: [x(row), Number(row.friction.value)], said: `friction ${row.friction.text}: ${row[type].text}` })) },
      ],
    };
  },
};

const symbols = ["circle", "rect", "triangle", "diamond"];
const star = "path://M12 2l3 7 7 .6-5.300 4.700 1.600 7.100L12 17.600 5.700 21.400l1.600-7.100L2 9.600 9 9z";
const cross = "path://M4 1l8 8 8-8 3 3-8 8 8 8-3 3-8-8-8 8-3-3 8-8-8-8z";

function decal(at) {
  return at < 8 ? undefined : { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [3, 3], rotation: 0.8, color: token("--surface") };
}

document.addEventListener("click", ({ target }) => {
  if (!target.matches?.("[data-toggle-scale]")) return;
  const element = target.closest("[data-body], .card, .panel").querySelector("[data-chart=timeline]");
  element.dataset.scale = element.dataset.scale === "time" ? "" : "time";
  target.setAttribute("aria-pressed", String(element.dataset.scale === "time"));
  delete element.dataset.painted;
  draw(element.parentElement);
});
