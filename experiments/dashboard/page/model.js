// What is known of a run at a moment of its clock. Items are those of experiments/dashboard/digest.py.

import { median } from "./words.js";

const KEPT = 80; // steps of a rank that are drawn
const GAUGED = 5; // steps whose median the gauge shows

export class Model {
  constructor() {
    this.clear();
  }

  // Forget what was received, too: another run.
  clear() {
    this.run = null;
    this.result = null;
    this.condition = { state: "starting", steerable: false, saved: false, error: "" };
    this.items = []; // in the order in which they came
    this.begins = 0; // seconds of the run's clock, a little before the first step
    this.ends = 0; // and when the last thing happened
    this.ranked = false;
    this.unsorted = false;
    this.reset();
  }

  // Forget all but what was received: the clock is before everything.
  reset() {
    this.now = 0;
    this.next = 0;
    this.steps = [];
    this.phases = [];
    this.events = [];
    this.wishes = new Map();
    this.verdict = null;
    this.stage = "";
    this.paused = false;
    this.pauses = [];
    this.policy = this.run?.policy;
    this.strategy = this.run?.strategy;
    this.ranks = (this.run?.ranks ?? []).map((name) => ({ name, last: null, history: [] }));
    this.spans = (this.run?.spans ?? []).map((span) => ({
      state: [span.state, span.state], up: true, flows: [null, null], upgrades: span.upgrades,
    }));
  }

  begin(run) {
    const { condition } = this;
    this.clear();
    Object.assign(this, { run, condition });
    this.reset();
  }

  // Keep items; while a run lives, time is that of the last one.
  receive(items, live) {
    let sorted = true;
    for (const item of items) {
      this.ends = Math.max(this.ends, item[1]);
      if (item[0] === "rank" && !this.ranked) {
        this.ranked = true;
        this.begins = Math.max(0, item[1] - 2);
      }
      sorted &&= !this.items.length || this.items.at(-1)[1] <= item[1];
      this.items.push(item);
    }
    if (live) for (const item of items) this.apply(item);
    if (live) this.next = this.items.length;
    if (!sorted) this.unsorted = true;
  }

  // Go to a moment, forwards or backwards.
  seek(seconds) {
    if (this.unsorted) {
      this.items.sort((a, b) => a[1] - b[1]);
      this.unsorted = false;
    }
    if (seconds < this.now) this.reset();
    while (this.next < this.items.length && this.items[this.next][1] <= seconds) this.apply(this.items[this.next++]);
    this.now = Math.max(seconds, 0);
  }

  get coherence() {
    const phase = this.phases.at(-1);
    if (!phase || !this.steps.length) return null;
    const last = this.steps.filter((step) => step.t > phase.t && step.coherence !== null).slice(-GAUGED);
    return median(last.map((step) => step.coherence));
  }

  // The phases so far, each with the median of its steps.
  get summary() {
    const phases = [{ t: 0, name: "reference" }, ...this.phases];
    return phases.map((phase, index) => {
      const until = phases[index + 1]?.t ?? Infinity;
      const steps = this.steps.filter((step) => step.t > phase.t && step.t <= until);
      return { ...phase, until, ms: median(steps.map((step) => step.ms)), coherence: median(steps.map((step) => step.coherence).filter((it) => it !== null)) };
    });
  }

  apply(item) {
    const [kind, t, ...rest] = item;
    this.now = Math.max(this.now, t);
    this[`on_${kind}`]?.(t, ...rest);
  }

  on_rank(t, rank, step, ms, computed, exposed) {
    const known = this.ranks[rank];
    if (!known) return;
    known.last = { t, step, ms, computed, exposed };
    known.history.push(ms);
    if (known.history.length > KEPT) known.history.shift();
  }

  on_step(t, step, phase, ms, coherence) {
    this.steps.push({ t, step, ms, coherence });
    if (phase && this.phases.length && phase !== "reference") this.phases.at(-1).name = phase;
  }

  on_flow(t, span, way, bps, used, lost, dropped, down, queued, queue) {
    this.spans[span].flows[way] = { t, bps, used, lost, dropped, down, queued, queue };
  }

  on_state(t, span, state) {
    Object.assign(this.spans[span], { state, up: state.every((way) => way.up) });
  }

  on_up(t, span, up) {
    this.spans[span].up = up;
  }

  on_upgrades(t, span, upgrades) {
    this.spans[span].upgrades = upgrades;
  }

  on_phase(t, name) {
    const last = this.phases.at(-1);
    if (last && last.t === t) last.name = name;
    else this.phases.push({ t, name });
  }

  on_event(t, step, sentence) {
    this.events.push({ t, step, sentence });
  }

  on_stage(t, text) {
    this.stage = text;
  }

  on_verdict(t, verdict, reasons) {
    this.verdict = { verdict, reasons };
  }

  on_wish(t, id, status, sentence, why) {
    const known = this.wishes.get(id);
    this.wishes.set(id, { t, status, sentence: sentence || known?.sentence || "", why });
    if (status !== "pending") {
      const said = status === "accepted" ? `asked for: ${this.wishes.get(id).sentence}` : `refused: ${this.wishes.get(id).sentence}: ${why}`;
      this.events.push({ t, step: null, sentence: said });
    }
  }

  on_routing(t, policy) {
    this.policy = policy;
  }

  on_strategy(t, name) {
    this.strategy = name;
  }

  on_paused(t, paused) {
    this.paused = paused;
    if (paused) this.pauses.push({ from: t, to: Infinity });
    else if (this.pauses.length) this.pauses.at(-1).to = t;
  }
}
