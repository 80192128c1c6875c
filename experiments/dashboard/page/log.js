// What happened, the latest first, and what was asked for.

import { make, moment } from "./words.js";

const SHOWN = 200, WISHES = 4;
const STATUS = { pending: "◌ asked for, waits for the step to end", accepted: "✓", refused: "✕ refused:" };

export class Log {
  constructor(root, wishes) {
    this.root = root;
    this.wishes = wishes;
    this.shown = "";
    this.asked = "";
  }

  update(model) {
    const { events } = model;
    const key = `${events.length} ${events.at(-1)?.t}`;
    if (key !== this.shown) {
      const lines = events.slice(-SHOWN).reverse().map(({ t, step, sentence }) =>
        make("li", {}, [make("time", {}, [moment(t)]), make("span", {}, [step === null ? sentence : `step ${step}: ${sentence}`])]));
      this.root.replaceChildren(...lines);
      this.shown = key;
    }
    const last = [...model.wishes.values()].slice(-WISHES).reverse();
    const asked = JSON.stringify(last);
    if (asked === this.asked) return;
    this.asked = asked;
    this.wishes.replaceChildren(...last.map(({ status, sentence, why }) => {
      const said = status === "accepted" ? `✓ ${sentence}: at ${why || "once"}` : `${STATUS[status]} ${status === "refused" ? `${sentence}: ${why}` : `: ${sentence}`}`;
      return make("li", { "data-status": status }, [said.replace(" : ", ": ")]);
    }));
  }
}
