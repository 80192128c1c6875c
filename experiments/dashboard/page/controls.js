// What people may ask of a run. Nothing changes here: each control sends a wish, and the run answers.

import { duration, make, rate, share } from "./words.js";

const by = (id) => document.getElementById(id);
const POINTS = 1000;
// Sliders move along powers of ten; delay and loss begin with none at all.
const SCALES = {
  rate: { least: 1e9, most: 8e11, zero: false, write: rate, unit: (value) => `${Math.round(value / 1e8) / 10} Gbit/s` },
  delay: { least: 0.01, most: 200, zero: false, write: duration, unit: (value) => `${value} ms` },
  loss: { least: 1e-6, most: 0.1, zero: true, write: share, unit: (value) => Number(value.toPrecision(2)) },
};

export function toPoint({ least, most, zero }, value) {
  if (zero && value < least) return 0;
  const share = Math.log(Math.min(Math.max(value, least), most) / least) / Math.log(most / least);
  return Math.round((zero ? 1 : 0) + share * (POINTS - (zero ? 1 : 0)));
}

export function fromPoint({ least, most, zero }, point) {
  if (zero && point <= 0) return 0;
  const share = (point - (zero ? 1 : 0)) / (POINTS - (zero ? 1 : 0));
  return Number((least * (most / least) ** share).toPrecision(2));
}

export class Controls {
  constructor(model, { say, choose }) {
    this.model = model;
    this.say = say;
    this.moved = new Set();
    by("span").addEventListener("change", () => choose(by("span").selectedIndex, false));
    by("upgrade").addEventListener("change", () => this.tellUpgrade());
    const span = () => this.facts.name;
    this.on("do-upgrade", () => ({ upgrade: span(), with: by("upgrade").value }));
    this.on("do-age", () => ({ age: span(), by: `${Number(by("years").value)} years` }));
    this.on("do-fail", () => ({ fail: span(), ...(by("outage").value && { for: by("outage").value }) }));
    this.on("do-restore", () => ({ restore: span() }));
    this.on("do-policy", () => ({ policy: by("policy").value }));
    this.on("do-strategy", () => ({ strategy: by("strategy").value }));
    this.on("do-set", () => this.wanted());
    this.on("pause", () => (this.model.paused ? { resume: true } : { pause: true }));
    this.on("finish", () => ({ finish: true }));
    for (const name of Object.keys(SCALES)) {
      by(name).max = POINTS;
      by(name).addEventListener("input", () => {
        this.moved.add(name);
        this.tellSlider(name);
      });
    }
    by("undo-set").addEventListener("click", () => {
      this.moved.clear();
      this.update();
    });
  }

  on(id, wish) {
    by(id).addEventListener("click", () => this.ask(wish()));
  }

  async ask(wish) {
    try {
      const answer = await post("/wishes", wish);
      if (!answer.ok) return this.say((await answer.json().catch(() => ({}))).error ?? `refused (${answer.status})`);
      if ("set" in wish) this.moved.clear();
    } catch {
      this.say("the server does not answer: nothing was asked for");
    }
  }

  get facts() {
    return this.model.run.spans[this.index];
  }

  begin() {
    const { run } = this.model;
    this.index = 0;
    by("span").replaceChildren(...run.spans.map(({ name }) => make("option", {}, [name])));
    by("policy").replaceChildren(...Object.entries(run.policies).map(([name, about]) => make("option", { title: about }, [name])));
    by("strategy").replaceChildren(...Object.entries(run.strategies).map(([name, about]) => make("option", { title: about }, [name])));
    by("policy").value = run.policy;
    by("strategy").value = run.strategy;
    this.routed = run.policy;
    this.trained = run.strategy;
    this.listed = null;
  }

  choose(index) {
    this.index = index;
    this.moved.clear();
    this.listed = null;
    by("span").selectedIndex = index;
    this.update();
  }

  update() {
    const { model } = this;
    if (!model.run) return;
    const { condition } = model;
    const off = !condition.steerable;
    by("steering").disabled = off || !this.facts;
    by("pause").disabled = by("finish").disabled = off;
    write(by("pause"), model.paused ? "Resume" : "Pause");
    write(by("controls-note"), off ? reason(condition) : "");
    if (model.policy !== this.routed) by("policy").value = this.routed = model.policy;
    if (model.strategy !== this.trained) by("strategy").value = this.trained = model.strategy;
    const span = model.spans[this.index];
    if (!span) return;
    const state = span.state[0];
    write(by("span-now"), `${this.facts.about}; now ${span.up ? "" : "down, "}${rate(state.rate_bps)}, ${duration(state.delay_ms)}, loss ${share(state.loss)}`);
    by("do-age").disabled = by("years").disabled = !this.facts.ages;
    this.list(span.upgrades);
    const now = { rate: state.rate_bps, delay: state.delay_ms, loss: state.loss };
    for (const [name, scale] of Object.entries(SCALES)) {
      if (!this.moved.has(name)) by(name).value = toPoint(scale, now[name]);
      this.tellSlider(name, now[name]);
    }
    by("do-set").disabled = by("undo-set").disabled = !this.moved.size;
  }

  list(upgrades) {
    if (upgrades === this.listed) return;
    this.listed = upgrades;
    by("upgrade").replaceChildren(...upgrades.map(([name]) => make("option", {}, [name])));
    if (!upgrades.length) by("upgrade").append(make("option", { value: "" }, ["none fits"]));
    by("do-upgrade").disabled = !upgrades.length;
    const best = upgrades.findIndex(([name]) => name === "coherent-400g");
    by("upgrade").selectedIndex = Math.max(0, best);
    this.tellUpgrade();
  }

  tellUpgrade() {
    const found = (this.listed ?? []).find(([name]) => name === by("upgrade").value);
    write(by("upgrade-about"), found?.[1] ?? "");
  }

  tellSlider(name, now) {
    const scale = SCALES[name];
    const value = this.moved.has(name) || now === undefined ? fromPoint(scale, Number(by(name).value)) : now;
    const text = scale.write(value);
    write(by(`${name}-out`), text);
    by(`${name}-out`).classList.toggle("changed", this.moved.has(name));
    by(name).setAttribute("aria-valuetext", text);
    by("do-set").disabled = by("undo-set").disabled = !this.moved.size;
  }

  wanted() {
    const wish = { set: this.facts.name };
    for (const name of this.moved) wish[name] = SCALES[name].unit(fromPoint(SCALES[name], Number(by(name).value)));
    return wish;
  }
}

export function post(path, content) {
  return fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content) });
}

function reason(condition) {
  if (condition.state === "live") return "off: this run was not started with --live";
  if (condition.state === "starting") return "off until the run begins";
  return "off: the run is over, this is a replay";
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
