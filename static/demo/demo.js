// The demo page's own script: it shows the state of the session, and uses the API of the client.

const POLL_EVERY = 3000;
const TICK_EVERY = 250;

const DETAIL = {
  active: "Any activity restarts the idle clock.",
  idle: "You will be signed out because of inactivity, unless you stay.",
  absolute: "The session is about to reach its absolute timeout; sign in again to start a new one.",
};

/** Shows the state of the session, and counts down between two frames. */
class StateView {
  constructor(root) {
    this.root = root;
    this.frame = null;
    this.since = 0;
  }

  start() {
    document.addEventListener("idlewatch:state", (event) => this.receive(event.detail));
    this.show(this.root.dataset.phase, Number(this.root.dataset.remaining));
    this.receive(window.idlewatch?.state);
    setInterval(() => this.tick(), TICK_EVERY);
  }

  receive(frame) {
    if (!frame) {
      return;
    }
    this.frame = frame;
    this.since = performance.now();
    this.part("detail").textContent = this.detail(frame);
    this.part("bar").max = frame.idle_timeout;
    this.tick();
  }

  detail(frame) {
    if (frame.held) {
      return "Held: the idle clock is stopped.";
    }
    return DETAIL[frame.phase === "warned" ? frame.reason : "active"] ?? "";
  }

  tick() {
    if (!this.frame) {
      return;
    }
    const elapsed = this.frame.held ? 0 : (performance.now() - this.since) / 1000;
    this.show(this.frame.phase, Math.max(0, this.frame.remaining - elapsed));
  }

  show(phase, remaining) {
    const whole = Math.ceil(remaining);
    this.root.dataset.phase = phase;
    this.root.dataset.remaining = String(whole);
    this.part("phase").textContent = phase;
    this.part("remaining").textContent = `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
    this.part("bar").value = remaining;
  }

  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }
}

/** Holds the session, and releases it. */
class HoldButton {
  constructor(button) {
    this.button = button;
    this.handle = null;
  }

  start() {
    this.button.addEventListener("click", () => this.toggle());
  }

  toggle() {
    if (this.handle) {
      this.handle.release();
      this.handle = null;
    } else {
      this.handle = window.idlewatch?.hold("Trying the demo") ?? null;
    }
    const held = this.handle !== null;
    this.button.setAttribute("aria-pressed", String(held));
    this.button.textContent = held ? this.button.dataset.stop : this.button.dataset.start;
  }
}

/** Asks the server for the time, as a page does that watches something. */
class Poll {
  constructor(form) {
    this.form = form;
    this.timer = null;
  }

  start() {
    this.form.addEventListener("change", () => this.restart());
  }

  restart() {
    clearInterval(this.timer);
    const kind = new FormData(this.form).get("poll");
    if (kind === "off") {
      this.say("The poll is off.");
      return;
    }
    const headers = kind === "passive" ? { "Idlewatch-Passive": "1" } : {};
    const ask = () => this.ask(headers);
    this.timer = setInterval(ask, POLL_EVERY);
    ask();
  }

  async ask(headers) {
    try {
      const response = await fetch(this.form.dataset.url, { headers });
      const answer = await response.json();
      this.say(response.ok ? `The server says ${answer.time}.` : `${response.status}: ${answer.reason ?? "signed out"}`);
    } catch (error) {
      this.say(`No answer: ${error.message}`);
    }
  }

  say(text) {
    this.form.querySelector('[data-part="answer"]').textContent = text;
  }
}

new StateView(document.getElementById("idlewatch-state")).start();
new HoldButton(document.getElementById("hold")).start();
new Poll(document.getElementById("poll")).start();
