// Coherence and step time over the run, phase by phase, on one axis of time.

import { duration } from "./words.js";

const RIGHT = 10, TOP = 22, BOTTOM = 20, GAP = 14;
const SHARE = 0.62; // of the height, for coherence
const MOST = 1.2;
const LEAST_S = 30;

export class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    new ResizeObserver(() => this.model && this.draw(this.model, this.whole)).observe(canvas);
  }

  // Draw up to the model's moment; on the axis of the whole run, where that is known.
  draw(model, whole) {
    Object.assign(this, { model, whole });
    const { canvas } = this;
    const { width, height } = canvas.getBoundingClientRect();
    if (!width || !height || !model.run) return;
    const ratio = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const em = parseFloat(style.fontSize);
    pen.font = `${0.8 * em}px ${style.fontFamily}`;

    const LEFT = 3.6 * em;
    const begin = model.begins;
    const end = whole ? model.ends : Math.max(model.now, begin + LEAST_S);
    const x = (t) => LEFT + ((Math.min(Math.max(t, begin), end) - begin) / (end - begin || 1)) * (width - LEFT - RIGHT);
    const split = TOP + (height - TOP - BOTTOM) * SHARE;
    const y = (coherence) => split - (Math.min(coherence, MOST) / MOST) * (split - TOP);
    const top = split + GAP, bottom = height - BOTTOM;
    const slowest = Math.max(1, ...model.steps.map((step) => step.ms)) * 1.1;
    const yms = (ms) => bottom - (ms / slowest) * (bottom - top);

    this.drawPhases(pen, model, { x, begin, bottom, colour, right: width - RIGHT });
    this.drawPauses(pen, model, { x, bottom, colour });
    const bounds = model.run.bounds;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const bound of [bounds.coherent, bounds.degraded]) {
      line(pen, colour("soft"), 1, [5, 4], [[LEFT, y(bound)], [width - RIGHT, y(bound)]]);
      pen.fillStyle = colour("ink");
      pen.fillText(Number(bound.toFixed(2)), LEFT - 5, y(bound));
    }
    pen.fillText("0", LEFT - 5, split);
    pen.fillText(duration(slowest / 1.1), LEFT - 5, yms(slowest / 1.1) + 4);
    line(pen, colour("line"), 1, [], [[LEFT, split], [width - RIGHT, split]]);
    line(pen, colour("line"), 1, [], [[LEFT, bottom], [width - RIGHT, bottom]]);
    this.drawTime(pen, { x, begin, end, bottom, colour });
    const known = model.steps.filter((step) => step.coherence !== null);
    line(pen, colour("curve"), 2.5, [], known.map((step) => [x(step.t), y(step.coherence)]));
    pen.fillStyle = colour("curve");
    for (const step of known) dot(pen, x(step.t), y(step.coherence), known.length > 150 ? 1.5 : 2.8);
    line(pen, colour("time"), 2, [], model.steps.map((step) => [x(step.t), yms(step.ms)]));
    if (whole) line(pen, colour("ink"), 2, [], [[x(model.now), TOP - 4], [x(model.now), bottom]]);
    this.tell(model);
  }

  drawPhases(pen, model, { x, begin, bottom, colour, right }) {
    const phases = [{ t: begin, name: "reference" }, ...model.phases];
    pen.textBaseline = "alphabetic";
    pen.textAlign = "left";
    phases.forEach((phase, index) => {
      const from = x(phase.t);
      const to = index + 1 < phases.length ? x(phases[index + 1].t) : right;
      if (index % 2) {
        pen.fillStyle = colour("band");
        pen.fillRect(from, TOP, to - from, bottom - TOP);
      }
      line(pen, colour("soft"), 1, [], [[from, TOP - 8], [from, bottom]]);
      pen.save();
      pen.beginPath();
      pen.rect(from, 0, Math.max(0, to - from - 4), TOP);
      pen.clip();
      pen.fillStyle = colour("ink");
      pen.fillText(phase.name, from + 4, TOP - 7);
      pen.restore();
    });
  }

  // Time in which nothing was to be trained, which counts nowhere.
  drawPauses(pen, model, { x, bottom, colour }) {
    pen.fillStyle = pen.strokeStyle = colour("line");
    for (const { from, to } of model.pauses) {
      const [left, right] = [x(from), x(Math.min(to, model.now))];
      pen.globalAlpha = 0.6;
      pen.fillRect(left, TOP, Math.max(1, right - left), bottom - TOP);
      pen.globalAlpha = 1;
      pen.fillStyle = colour("soft");
      pen.textAlign = "center";
      pen.fillText("‖", (left + right) / 2, TOP + 14);
      pen.fillStyle = colour("line");
    }
  }

  drawTime(pen, { x, begin, end, bottom, colour }) {
    const step = [5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600].find((it) => (end - begin) / it <= 10) ?? 7200;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    pen.fillStyle = colour("soft");
    for (let t = Math.ceil(begin / step) * step; t <= end; t += step) pen.fillText(`${t} s`, x(t), bottom + 4);
  }

  // The same in words, for those who do not see it.
  tell(model) {
    const said = model.summary.filter((it) => it.ms !== null).map((it) => `${it.name}: ${duration(it.ms)} a step${it.coherence === null ? "" : `, coherence ${it.coherence.toFixed(2)}`}`).join("; ");
    if (said !== this.said) this.canvas.setAttribute("aria-label", `Coherence over time. ${said}`);
    this.said = said;
  }
}

function line(pen, colour, width, dash, points) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.setLineDash(dash);
  pen.beginPath();
  points.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.stroke();
  pen.setLineDash([]);
}

function dot(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}
