// A run that is over, played again at any speed.

import { moment } from "./words.js";

const by = (id) => document.getElementById(id);

export class Replay {
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.playing = false;
    by("play").addEventListener("click", () => this.toggle());
    by("seek").addEventListener("input", () => this.go(Number(by("seek").value)));
  }

  get open() {
    return !by("replay").hidden;
  }

  // Show the bar, at the end of the run.
  begin() {
    const { begins, ends } = this.model;
    Object.assign(by("seek"), { min: begins, max: ends });
    by("replay").hidden = false;
    if (!this.playing) this.go(ends);
  }

  end() {
    this.playing = false;
    by("replay").hidden = true;
  }

  toggle() {
    this.playing = !this.playing;
    if (this.playing && this.model.now >= this.model.ends) this.go(this.model.begins);
    this.last = performance.now();
    this.show();
  }

  // Let the clock of the run go on by the time that has passed, times the speed.
  tick() {
    if (!this.playing) return;
    const now = performance.now();
    const next = this.model.now + ((now - this.last) / 1000) * Number(by("speed").value);
    this.last = now;
    if (next >= this.model.ends) this.playing = false;
    this.go(Math.min(next, this.model.ends));
  }

  go(seconds) {
    this.model.seek(seconds);
    this.show();
    this.changed();
  }

  show() {
    const { now, ends, begins } = this.model;
    by("play").textContent = this.playing ? "Pause" : "Play";
    by("seek").value = now;
    by("seek").setAttribute("aria-valuetext", `${moment(now)} of ${moment(ends)}`);
    by("moment").textContent = `${moment(Math.max(now, begins))} / ${moment(ends)}`;
  }
}
