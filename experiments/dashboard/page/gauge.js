// Coherence as a half circle with the bounds of its classes, each with a mark and a word.

import { MARKS, classOf, inDigits, make } from "./words.js";

const MOST = 1.1; // at the right end of the scale
const CENTRE = [110, 108], RADIUS = 84;

const svg = (tag, attributes, children) => make(tag, attributes, children, true);

function at(value, radius = RADIUS) {
  const angle = Math.PI * (1 - Math.min(Math.max(value, 0), MOST) / MOST);
  return [CENTRE[0] + radius * Math.cos(angle), CENTRE[1] - radius * Math.sin(angle)];
}

function arc(from, to) {
  return `M${at(from)} A${RADIUS} ${RADIUS} 0 0 1 ${at(to)}`;
}

export class Gauge {
  constructor(root, word) {
    this.root = root;
    this.word = word;
  }

  begin(bounds) {
    this.bounds = bounds;
    const parts = [["incoherent", 0, bounds.degraded, "3 3"], ["degraded", bounds.degraded, bounds.coherent, "10 3"], ["coherent", bounds.coherent, MOST, ""]];
    const arcs = parts.map(([name, from, to, dash]) => svg("path", { d: arc(from + 0.004, to - 0.004), fill: "none", stroke: `var(--${name})`, "stroke-width": 20, "stroke-dasharray": dash }));
    const marks = [bounds.degraded, bounds.coherent].map((bound) => {
      const [x, y] = at(bound, RADIUS + 17);
      return svg("text", { x, y, "text-anchor": bound > 0.7 ? "start" : "middle", "font-size": 11, fill: "var(--ink)" }, [String(Number(bound.toFixed(2)))]);
    });
    this.needle = svg("path", { stroke: "var(--ink)", "stroke-width": 4, "stroke-linecap": "round" });
    this.number = svg("text", { x: CENTRE[0], y: CENTRE[1] - 20, "text-anchor": "middle", "font-size": 34, "font-weight": 800, fill: "var(--ink)", stroke: "var(--panel)", "stroke-width": 6, "paint-order": "stroke" });
    const hub = svg("circle", { cx: CENTRE[0], cy: CENTRE[1], r: 6, fill: "var(--ink)" });
    this.root.replaceChildren(...arcs, ...marks, this.needle, hub, this.number);
    this.shown = undefined;
    this.update(null, "");
  }

  // Show a coherence; without one, say why. Returns its class.
  update(coherence, why) {
    if (!this.bounds) return "";
    const told = coherence === null ? why : inDigits(coherence, this.bounds);
    const kind = coherence === null ? "" : classOf(coherence, this.bounds);
    if (told === this.shown) return kind;
    this.shown = told;
    const tip = coherence === null ? 0 : coherence;
    const [from, to] = [at(tip, 58), at(tip, RADIUS + 12)];
    this.needle.setAttribute("d", `M${from}L${to}`);
    this.needle.style.visibility = coherence === null ? "hidden" : "visible";
    this.number.textContent = coherence === null ? "–" : told;
    this.root.setAttribute("aria-label", coherence === null ? `Coherence: ${why}` : `Coherence ${told}, ${kind}`);
    this.word.dataset.class = kind;
    this.word.textContent = kind ? `${MARKS[kind]} ${kind}` : why;
    return kind;
  }
}
