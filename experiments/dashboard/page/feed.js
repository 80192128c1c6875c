// The server's messages, in order and without loss: a connection that breaks, or a laptop that
// slept, goes on after the last message that was seen.

const SILENCE_MS = 5000;
const AGAIN_MS = 1500;

export class Feed {
  constructor(take, tell) {
    this.take = take; // gets each message
    this.tell = tell; // gets "connected" or "lost"
    this.last = "";
    this.heard = performance.now();
    this.open();
    setInterval(() => this.watch(), 1000);
    // A hidden page's timers and sockets may have slept: look at once when it is seen again.
    document.addEventListener("visibilitychange", () => document.hidden || this.watch());
  }

  open() {
    this.source?.close();
    clearTimeout(this.again);
    this.source = new EventSource(`/events?last=${encodeURIComponent(this.last)}`);
    this.source.onmessage = (event) => {
      this.last = event.lastEventId;
      this.hear();
      this.take(JSON.parse(event.data));
    };
    this.source.addEventListener("beat", () => this.hear());
    this.source.onerror = () => {
      this.tell("lost");
      this.source.close();
      this.again = setTimeout(() => this.open(), AGAIN_MS);
    };
    this.heard = performance.now();
  }

  hear() {
    this.heard = performance.now();
    this.tell("connected");
  }

  watch() {
    if (performance.now() - this.heard < SILENCE_MS) return;
    this.tell("lost");
    this.open();
  }
}
