// Campuses and spans, drawn to distance. Each span is two lines, one for each way: the fuller, the
// wider and the darker; dashed while frames are lost, dotted while it is down. Queues are five cells.

import { duration, make, rate, share } from "./words.js";

const STEPS = [0.02, 0.3, 0.6, 0.85]; // of a way's rate, between the five looks
const WIDTHS = [2, 4, 6, 8, 10];
const LOOKS = ["idle", "to 30 %", "to 60 %", "to 85 %", "full"];
const CELLS = 5;
const CAMPUS = 17; // radius in pixels
const STALE_S = 1.5;
const NARROW = 520; // pixels, on which labels must be short
const APART = 7; // of the two ways from the middle of their span

const svg = (tag, attributes, children) => make(tag, attributes, children, true);

export function lookOf(used) {
  return STEPS.filter((least) => used >= least).length;
}

export class NetworkMap {
  constructor(root, legend, choose) {
    this.root = root;
    this.choose = choose;
    this.chosen = 0;
    drawLegend(legend);
    new ResizeObserver(() => this.model && this.layOut()).observe(root);
  }

  begin(model) {
    this.model = model;
    this.layOut();
  }

  // Place everything: after another run, or another size of the page.
  layOut() {
    const { run } = this.model;
    const { width, height } = this.root.getBoundingClientRect();
    if (!run || !width || !height) return;
    this.root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.root.replaceChildren();
    const place = fit(run.campuses, width, height);
    const centre = [width / 2, height / 2];
    this.drawn = run.spans.map((span, index) => this.drawSpan(span, index, place, centre));
    for (const { group } of this.drawn) this.root.append(group);
    for (const campus of run.campuses) this.root.append(drawCampus(campus, place(campus), centre));
    this.taken = [...this.root.querySelectorAll(".campus")].map((it) => it.getBBox());
    for (const { label } of this.drawn) this.root.append(label);
    this.root.append(drawScale(place.scale, height));
    this.update();
    this.choose(this.chosen < run.spans.length ? this.chosen : 0, false);
  }

  drawSpan(span, index, place, centre) {
    const [a, b] = span.ends.map((name) => place(this.model.run.campuses.find((it) => it.name === name)));
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
    const along = [(b[0] - a[0]) / length, (b[1] - a[1]) / length];
    const across = [-along[1], along[0]];
    const bend = span.bend * Math.min(90, length / 3);
    const middle = [0, 1].map((axis) => (a[axis] + b[axis]) / 2 + across[axis] * bend);
    const control = (shift) => [0, 1].map((axis) => (a[axis] + b[axis]) / 2 + across[axis] * (2 * bend + shift));
    const path = (from, to, shift) => {
      const [p, q] = [from, to].map((end) => [0, 1].map((axis) => end[axis] + across[axis] * shift));
      return { d: `M${p} Q${control(shift)} ${q}`, at: (s) => curve(p, control(shift), q, s), from: p, to: q };
    };
    const spine = path(a, b, 0).d;
    const group = svg("g", { class: "span", tabindex: "0", role: "button", "aria-pressed": "false" });
    group.append(svg("path", { class: "halo", d: spine }), svg("path", { class: "hit", d: spine }));
    const ways = [path(a, b, APART), path(b, a, -APART)].map((it) => {
      const line = svg("path", { class: "way", d: it.d });
      const head = svg("path", { class: "head", d: arrow(it.at(0.68), it.at(0.72)) });
      const cells = svg("g", { class: "queue" }, queueCells(it, CAMPUS + 9));
      group.append(line, head, cells);
      return { line, head, cells: [...cells.children] };
    });
    const select = () => this.choose(index, true);
    group.addEventListener("click", select);
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      select();
    });
    const label = svg("g", { class: "label", "aria-hidden": "true" });
    label.style.pointerEvents = "none";
    const texts = ["title", "alarm", "more"].map((name) => svg("text", { class: name }));
    const tag = svg("rect", { class: "tag", rx: 5 });
    label.append(tag, ...texts);
    // Labels stand rather outside of the middle of the map, where fewer spans cross them.
    const outwards = (middle[0] - centre[0]) * across[0] + (middle[1] - centre[1]) * across[1] < 0 ? -1 : 1;
    const course = path(a, b, 0);
    const spots = [outwards, -outwards].flatMap((side) =>
      [0.5, 0.38, 0.62, 0.25, 0.75].map((s) => ({ point: course.at(s), out: across.map((it) => it * side) })));
    return { group, ways, label, tag, texts, spots, rect: null, said: "" };
  }

  mark(index) {
    this.chosen = index;
    this.drawn?.forEach(({ group }, other) => group.setAttribute("aria-pressed", String(other === index)));
  }

  update() {
    if (!this.drawn) return;
    this.model.spans.forEach((span, index) => {
      const drawn = this.drawn[index];
      const facts = this.model.run.spans[index];
      drawn.ways.forEach(({ line, head, cells }, way) => {
        const flow = this.fresh(span.flows[way]);
        const look = flow && span.up ? lookOf(flow.used) : 0;
        const lossy = flow && (flow.lost > 0 || flow.dropped > 0);
        set(line, "class", `way u${look}${span.up ? (lossy ? " lossy" : "") : " down"}`);
        set(line, "stroke-width", span.up ? WIDTHS[look] : 5);
        set(head, "class", `head u${look}`);
        const full = Math.ceil(Math.min(1, flow?.queue ?? 0) * CELLS - 0.02);
        cells.forEach((cell, number) => set(cell, "class", number < full ? "cell full" : full ? "cell" : "cell none"));
      });
      this.write(drawn, facts, span);
    });
  }

  // What was sampled lately: between trainings nothing is, and nothing flows.
  fresh(flow) {
    return flow && this.model.now - flow.t < STALE_S ? flow : null;
  }

  write(drawn, facts, span) {
    const state = span.state[0];
    const flows = span.flows.map((flow) => this.fresh(flow));
    const used = flows.map((flow) => (flow ? Math.min(1, flow.used) : 0));
    const [to, back] = used.map((it) => `${Math.round(it * 100)} %`);
    const lost = Math.max(...flows.map((flow) => flow?.lost ?? 0));
    const dropped = Math.max(...flows.map((flow) => flow?.dropped ?? 0));
    const alarms = [];
    if (!span.up) alarms.push("✕ down");
    if (span.up && lost) alarms.push(`loses ${share(lost)}`);
    if (span.up && dropped) alarms.push(`queue drops ${share(dropped)}`);
    const lines = [
      `${facts.name}  ${facts.stated ? "" : "≈ "}${Number(facts.km.toPrecision(3))} km${facts.to_scale ? "" : " (not to scale)"}`,
      alarms.join(", "),
      `${this.root.clientWidth < NARROW ? "" : `${rate(state.rate_bps)}, ${duration(state.delay_ms)}  `}→ ${to}  ← ${back}`,
    ];
    const said = lines.join("\n");
    if (said === drawn.said) return;
    drawn.said = said;
    drawn.group.setAttribute("aria-label", `${facts.name}, ${facts.km.toPrecision(3)} km, ${rate(state.rate_bps)}, ${duration(state.delay_ms)} one way, ${alarms.join(", ") || "works"}, used ${to} and back ${back}`);
    const others = this.drawn.filter((it) => it !== drawn && it.rect).map((it) => it.rect);
    drawn.rect = place(drawn, lines, [...this.taken, ...others], this.root.viewBox.baseVal);
  }
}

// Write a label's lines and put it beside its span, where it covers least of what else there is.
function place({ texts, tag, spots }, lines, taken, box) {
  const em = parseFloat(getComputedStyle(texts[0]).fontSize) * 1.1;
  const shown = lines.filter(Boolean);
  texts.forEach((text, index) => (text.textContent = lines[index]));
  const width = Math.max(...texts.map((text) => (text.textContent ? text.getComputedTextLength() : 0))) + em;
  const height = (shown.length * 1.25 + 0.4) * em;
  const within = (value, half, most) => Math.max(half + 2, Math.min(most - half - 2, value));
  const tried = spots.map(({ point, out }, order) => {
    const far = APART + 10 + (Math.abs(out[0]) * width + Math.abs(out[1]) * height) / 2;
    const x = within(point[0] + out[0] * far, width / 2, box.width) - width / 2;
    const y = within(point[1] + out[1] * far, height / 2, box.height) - height / 2;
    const rect = { x, y, width, height };
    return { rect, cost: order + taken.reduce((sum, other) => sum + overlap(rect, other), 0) };
  });
  const { rect } = tried.reduce((best, it) => (it.cost < best.cost ? it : best));
  for (const [name, value] of Object.entries(rect)) tag.setAttribute(name, value);
  let line = 0;
  texts.forEach((text) => {
    text.setAttribute("x", rect.x + width / 2);
    if (text.textContent) text.setAttribute("y", rect.y + (1.15 + 1.25 * line++) * em);
  });
  return rect;
}

function overlap(a, b) {
  const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return across > 0 && down > 0 ? across * down : 0;
}

// A function from a campus to its pixels, the same scale both ways.
function fit(campuses, width, height) {
  const xs = campuses.map((it) => it.x), ys = campuses.map((it) => it.y);
  const left = Math.min(...xs), right = Math.max(...xs), low = Math.min(...ys), high = Math.max(...ys);
  const margin = [Math.min(120, width * 0.2), Math.min(50, height * 0.16)];
  const scale = Math.min((width - 2 * margin[0]) / (right - left || 1), (height - 2 * margin[1]) / (high - low || 1));
  const point = (campus) => [width / 2 + (campus.x - (left + right) / 2) * scale, height / 2 - (campus.y - (low + high) / 2) * scale];
  point.scale = campuses.length > 1 ? scale : 0;
  return point;
}

function drawCampus(campus, [x, y], centre) {
  const above = y <= centre[1];
  const name = svg("text", { x, y: above ? y - CAMPUS - 8 : y + CAMPUS + 20 }, [campus.name]);
  const workers = svg("text", { class: "workers", x, y: y + 5 }, [`${campus.workers}`]);
  const title = svg("title", {}, [`${campus.name}: ${campus.workers} workers`]);
  return svg("g", { class: "campus" }, [title, svg("circle", { cx: x, cy: y, r: CAMPUS }), name, workers]);
}

function drawScale(scale, height) {
  if (!scale) return svg("g");
  const wanted = 90 / scale;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const km = [5, 2, 1].map((times) => times * power).find((it) => it <= wanted) ?? power;
  const y = height - 8;
  const bar = svg("path", { d: `M8 ${y - 6}v6h${km * scale}v-6`, fill: "none", stroke: "currentColor" });
  return svg("g", { class: "scale" }, [bar, svg("text", { x: 14, y: y - 5 }, [`${km} km`])]);
}

function curve(p, c, q, s) {
  return [0, 1].map((axis) => (1 - s) ** 2 * p[axis] + 2 * s * (1 - s) * c[axis] + s * s * q[axis]);
}

function arrow(from, to) {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1;
  const [x, y] = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
  const corner = (along, across) => [to[0] + x * along - y * across, to[1] + y * along + x * across];
  return `M${corner(12, 0)}L${corner(-4, 9)}L${corner(-4, -9)}Z`;
}

// Cells at the beginning of a way, on its outer side.
function queueCells(way, begin) {
  const length = Math.hypot(way.to[0] - way.from[0], way.to[1] - way.from[1]) || 1;
  const along = [0, 1].map((axis) => (way.to[axis] - way.from[axis]) / length);
  const out = [-along[1] * 12, along[0] * 12];
  return Array.from({ length: CELLS }, (_, number) => {
    const [x, y] = [0, 1].map((axis) => way.from[axis] + along[axis] * (begin + 8 * number) + out[axis]);
    return svg("rect", { class: "cell", x: x - 3, y: y - 3, width: 6, height: 6 });
  });
}

function drawLegend(root) {
  const sample = (attributes) => svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, [svg("path", { d: "M1 6h24", ...attributes })]);
  const items = LOOKS.map((look, index) => [sample({ stroke: `var(--u${index})`, "stroke-width": WIDTHS[index] }), look]);
  items.push([sample({ stroke: "var(--u2)", "stroke-width": 5, "stroke-dasharray": "9 4" }), "loses frames"]);
  items.push([sample({ stroke: "var(--soft)", "stroke-width": 4, "stroke-dasharray": "1 7", "stroke-linecap": "round" }), "down"]);
  const cells = Array.from({ length: CELLS }, (_, index) => svg("rect", { x: 1 + 5 * index, y: 4, width: 4, height: 5, fill: index < 2 ? "currentColor" : "none", stroke: "currentColor" }));
  items.push([svg("svg", { width: 28, height: 12, "aria-hidden": "true" }, cells), "queue"]);
  root.replaceChildren(...items.map(([picture, text]) => make("li", {}, [picture, text])));
}

function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}
