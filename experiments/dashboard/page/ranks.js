// A line for each rank: what its last step was made of, its last steps, and how long the last took.

import { duration, make } from "./words.js";

const GONE_STEPS = 2; // behind the others: a rank that takes no part any more

export class Ranks {
  constructor(root) {
    this.root = root;
  }

  begin(model) {
    this.rows = model.ranks.map(({ name }) => {
      const computes = make("i", { class: "computes" }), waits = make("i", { class: "waits" });
      const bar = make("span", { class: "bar", "aria-hidden": "true" }, [computes, waits]);
      const spark = make("canvas", { class: "spark", "aria-hidden": "true" });
      const text = make("span", {}, ["–"]);
      const row = make("li", {}, [make("b", { title: name }, [name]), bar, spark, text]);
      return { row, computes, waits, spark, text };
    });
    this.root.replaceChildren(...this.rows.map(({ row }) => row));
  }

  update(model) {
    if (!this.rows) return;
    const known = model.ranks.filter((rank) => rank.last);
    const slowest = Math.max(1, ...known.map((rank) => rank.last.ms));
    const peak = Math.max(1, ...known.flatMap((rank) => rank.history));
    const newest = Math.max(0, ...known.map((rank) => rank.last.step));
    const style = getComputedStyle(this.root);
    const colour = style.getPropertyValue("--curve").trim();
    model.ranks.forEach((rank, index) => {
      const { row, computes, waits, spark, text } = this.rows[index];
      const last = rank.last;
      computes.style.width = last ? `${(100 * last.computed) / slowest}%` : "0";
      waits.style.width = last ? `${(100 * last.exposed) / slowest}%` : "0";
      const said = last ? duration(last.ms) : "–";
      if (text.textContent !== said) text.textContent = said;
      row.toggleAttribute("data-gone", Boolean(last) && last.step < newest - GONE_STEPS);
      drawSpark(spark, rank.history, peak, colour);
    });
  }
}

function drawSpark(canvas, values, peak, colour) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio || 1;
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.beginPath();
  const gap = width / Math.max(20, values.length);
  values.forEach((value, index) => pen.lineTo(width - (values.length - 1 - index) * gap - 1, height - 1 - (value / peak) * (height - 3)));
  pen.stroke();
}
