// The page: messages go into the model, and what changed is drawn, ten times a second at the most.

import { Chart } from "./chart.js";
import { Controls, post } from "./controls.js";
import { Feed } from "./feed.js";
import { Gauge } from "./gauge.js";
import { Log } from "./log.js";
import { NetworkMap } from "./map.js";
import { Model } from "./model.js";
import { Ranks } from "./ranks.js";
import { Replay } from "./replay.js";
import { chooseTheme } from "./theme.js";
import { MARKS, duration, make } from "./words.js";

const FRAME_MS = 100;
const STATES = {
  starting: "◌ starting", live: "● live", finished: "▶ replay", interrupted: "▶ interrupted",
  failed: "✕ failed", died: "✕ died",
};
const by = (id) => document.getElementById(id);

const model = new Model();
const gauge = new Gauge(by("gauge"), by("class-word"));
const chart = new Chart(by("chart"));
const ranks = new Ranks(by("ranks"));
const log = new Log(by("log"), by("wishes"));
const map = new NetworkMap(by("map"), by("legend"), choose);
const controls = new Controls(model, { say: (text) => banner(text, 8000), choose });
const replay = new Replay(model, dirty);
const waiting = [];
let pending = false, lost = false, spoken = "", bannerTimer = 0;

function choose(index, focus) {
  map.mark(index);
  controls.choose(index);
  if (focus && model.condition.steerable) by("upgrade").focus();
}

function dirty() {
  if (pending) return;
  pending = true;
  setTimeout(() => requestAnimationFrame(show), FRAME_MS);
}

function show() {
  draw();
  waiting.splice(0).forEach((done) => done());
}

// A promise that all that is known now is shown.
const shown = () => new Promise((done) => (pending ? waiting.push(done) : done()));

const over = () => !["starting", "live"].includes(model.condition.state);

const TAKE = {
  begin({ mode, offers, again }) {
    document.body.dataset.mode = mode;
    by("again").dataset.offered = again;
    model.clear();
    replay.end();
    banner("");
    if (mode === "choose") showOffers(offers);
  },
  run(run) {
    model.begin(run);
    by("name").textContent = run.name;
    document.title = `${run.name} · spanlab`;
    const spans = run.spans.filter((span) => !span.to_scale);
    by("scale-note").textContent = `drawn to distance${spans.length ? `, but for ${spans.map(({ name }) => name).join(", ")}` : ""}`;
    gauge.begin(run.bounds);
    ranks.begin(model);
    controls.begin();
    map.begin(model);
  },
  items({ items }) {
    model.receive(items, !over());
    if (over()) replay.begin();
  },
  result(result) {
    model.result = result;
  },
  condition(condition) {
    model.condition = condition;
    if (over() && model.items.length) replay.begin();
    const why = { died: "The run died: ", failed: "The run failed: ", interrupted: "The run was interrupted: " }[condition.state];
    if (why) banner(`${why}${condition.error || "it left no reason"}${model.items.length ? ". What it did so far is kept." : ""}`);
  },
  bye() {
    lose("The dashboard was ended. What you see is what came before; the page goes on when it is started again.");
  },
};

function showOffers(offers) {
  document.title = "spanlab";
  by("name").textContent = "";
  by("offers").replaceChildren(...offers.map((offer) => {
    const start = make("button", { type: "button", class: "main" }, [`Start ${offer.name}`]);
    start.addEventListener("click", async () => {
      start.disabled = true;
      const answer = await post("/start", { scenario: offer.name }).catch(() => null);
      start.disabled = false;
      if (!answer?.ok) banner(answer ? (await answer.json()).error : "the server does not answer", 8000);
    });
    const many = (count, thing) => `${count} ${thing}${count === 1 ? "" : thing.endsWith("s") ? "es" : "s"}`;
    const facts = [many(offer.campuses, "campus"), many(offer.spans, "span"), many(offer.workers, "worker"), offer.strategy, many(offer.steps, "step")].join(", ");
    return make("li", {}, [make("h3", {}, [offer.name]), make("p", {}, [offer.about]), make("small", {}, [facts]), start]);
  }));
}

function draw() {
  pending = false;
  if (!model.run) return drawHead();
  const why = /^reference/.test(model.phases.at(-1)?.name ?? "reference") ? "measuring the reference" : "no step yet";
  const coherence = model.coherence;
  const kind = gauge.update(coherence, why);
  map.update();
  ranks.update(model);
  chart.draw(model, replay.open);
  log.update(model);
  controls.update();
  const step = model.steps.at(-1);
  by("now-step").textContent = step ? `${step.step} of ${model.run.steps}` : "–";
  by("now-ms").textContent = step ? duration(step.ms) : "–";
  by("now-real").textContent = step && model.run.time !== 1 ? `real ${duration(step.ms / model.run.time)}` : "";
  by("now-phase").textContent = model.phases.at(-1)?.name ?? (step ? "reference" : "–");
  drawHead();
  speak(kind);
}

function drawHead() {
  const { state } = model.condition;
  by("condition").dataset.state = lost ? "lost" : model.paused ? "paused" : state;
  by("condition").textContent = lost ? "✕ no connection" : model.paused && !over() ? "‖ paused" : STATES[state] ?? state;
  by("condition").hidden = document.body.dataset.mode === "choose" && !lost;
  by("stage").textContent = over() || document.body.dataset.mode === "choose" ? "" : model.stage || (state === "starting" ? "building the network: some fifteen seconds" : "");
  by("again").hidden = !(over() && by("again").dataset.offered === "true");
  const ended = !amid() && model.result;
  by("headline").textContent = ended ? model.result.headline : "";
  const judged = model.result && over() ? model.result : model.verdict;
  by("verdict").dataset.verdict = judged?.verdict ?? "";
  const word = judged ? `${judged.verdict === "degraded" ? "!" : MARKS[judged.verdict] ?? ""} emulation ${judged.verdict}` : "not judged yet";
  if (by("verdict-word").textContent !== word) {
    by("verdict-word").textContent = word;
    const reasons = judged?.reasons ?? [];
    const list = reasons.length ? make("ul", {}, reasons.map((reason) => make("li", {}, [reason]))) : make("p", {}, [judged ? "Nothing speaks against it." : "The verdict comes when training has begun."]);
    by("verdict-reasons").replaceChildren(list);
  }
}

// Whether the replay stands before the end, where the result is not known yet.
function amid() {
  return replay.open && model.now < model.ends - 0.05;
}

// Say aloud what matters, when it changes: not every step.
function speak(kind) {
  const verdict = by("verdict").dataset.verdict;
  const words = [model.phases.at(-1)?.name, kind && `training is ${kind}`, verdict && `emulation ${verdict}`, model.condition.state].filter(Boolean).join(", ");
  if (words === spoken || replay.playing) return;
  spoken = words;
  by("spoken").textContent = words;
}

function banner(text, forMs = 0) {
  clearTimeout(bannerTimer);
  by("banner").textContent = text;
  by("banner").hidden = !text;
  if (text && forMs) bannerTimer = setTimeout(() => banner(""), forMs);
}

function lose(text) {
  if (lost) return;
  lost = true;
  banner(text);
  document.body.dataset.connection = "lost";
  dirty();
}

function connected() {
  if (!lost) return;
  lost = false;
  document.body.dataset.connection = "";
  banner("");
  dirty();
}

by("save").addEventListener("click", async (event) => {
  event.preventDefault();
  const answer = await fetch("/session.yaml").catch(() => null);
  if (!answer?.ok) return banner(answer ? (await answer.json()).error : "the server does not answer", 8000);
  const file = make("a", { href: URL.createObjectURL(await answer.blob()), download: `${model.run?.name ?? "session"}-session.yaml` });
  file.click();
  setTimeout(() => URL.revokeObjectURL(file.href), 10000);
});
by("again").addEventListener("click", () => post("/choose", {}));
chooseTheme(by("theme"), dirty);
if (location.search) history.replaceState(null, "", location.pathname); // the cookie has the token now
const feed = new Feed(
  (message) => {
    TAKE[message.kind]?.(message);
    dirty();
  },
  (state) => (state === "lost" ? lose("The dashboard's server does not answer. What you see is what came before; trying again.") : connected()),
);
setInterval(() => replay.tick(), FRAME_MS / 2);
window.spanlab = { ask: (wish) => controls.ask(wish), feed, model, replay, shown }; // for those who look inside, and for tests
