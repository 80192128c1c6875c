// How quantities are written: as in files and reports.

const RATES = [[1e12, "Tbit/s"], [1e9, "Gbit/s"], [1e6, "Mbit/s"], [1e3, "kbit/s"], [1, "bit/s"]];

function short(value) {
  return String(Number(value.toPrecision(3)));
}

export function rate(bps) {
  const [size, unit] = RATES.find(([least]) => bps >= least) ?? RATES.at(-1);
  return `${short(bps / size)} ${unit}`;
}

export function duration(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms >= 10000 ? 1 : 2)} s`;
  if (ms >= 1) return `${short(ms)} ms`;
  return `${short(ms * 1000)} us`;
}

export function share(value) {
  if (value === 0) return "0";
  const percent = value * 100;
  return percent < 0.001 ? "< 0.001 %" : `${Number(percent.toPrecision(2))} %`;
}

export function moment(seconds) {
  const whole = Math.max(0, seconds);
  return `${Math.floor(whole / 60)}:${(whole % 60).toFixed(1).padStart(4, "0")}`;
}

export function classOf(coherence, bounds) {
  if (coherence < bounds.degraded) return "incoherent";
  return coherence >= bounds.coherent ? "coherent" : "degraded";
}

// A coherence in two digits, or in the few more that keep it in its class.
export function inDigits(coherence, bounds) {
  const kind = classOf(coherence, bounds);
  const digits = [2, 3].find((it) => classOf(Number(coherence.toFixed(it)), bounds) === kind) ?? 4;
  return coherence.toFixed(digits);
}

export const MARKS = { coherent: "●", degraded: "◐", incoherent: "○", faithful: "✓", invalid: "✕" };

export function median(values) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// An element with attributes and children; SVG where `svg` says so.
export function make(tag, attributes = {}, children = [], svg = false) {
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
