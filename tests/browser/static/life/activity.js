const shadow = (id, mode) => document.getElementById(id).attachShadow({ mode });
shadow("host", "open").append(document.createElement("input"));
const closed = shadow("closed", "closed");
closed.append(document.createElement("input"));
window.focusClosed = () => closed.querySelector("input").focus();

const target = document.getElementById("target");
target.addEventListener("dragover", (event) => event.preventDefault());
target.addEventListener("drop", (event) => event.preventDefault());

/** Scroll, move and dispatch events without end, as no user does. */
window.actByItself = () => {
  const text = document.getElementById("text");
  const mover = document.getElementById("mover");
  setInterval(() => {
    const options = { bubbles: true, composed: true, screenX: Math.random() * 500 };
    text.dispatchEvent(new PointerEvent("pointerdown", options));
    text.dispatchEvent(new PointerEvent("pointermove", options));
    text.dispatchEvent(new KeyboardEvent("keydown", options));
    text.dispatchEvent(new InputEvent("input", options));
    text.focus();
    text.click();
    text.value += "a";
    document.getElementById("scroller").scrollTop += 5;
    mover.style.setProperty("left", `${Date.now() % 60}px`);
    mover.hidden = !mover.hidden;
  }, 50);
};

const frames = document.getElementById("frames");
function add(parent = frames) {
  const frame = document.createElement("iframe");
  frame.title = "A frame";
  parent.append(frame);
  return frame;
}
function loaded(frame, address) {
  return new Promise((resolve) => {
    frame.addEventListener("load", () => resolve(frame.contentDocument.querySelector("input, iframe")), { once: true });
    frame.src = address;
  });
}

/** Each makes a frame with an editor in it, and returns what takes the focus. */
window.editors = {
  async navigated() {
    const frame = add();
    (await loaded(frame, "/life/frame/")).focus();
    return loaded(frame, "/life/frame/?next");
  },
  async nested() {
    const box = document.createElement("div");
    const frame = add(box);
    frames.append(box);
    const inner = await loaded(frame, "/life/nested/");
    return inner.contentDocument.querySelector("input");
  },
  async in_a_shadow() {
    const host = document.createElement("div");
    frames.append(host);
    return loaded(add(host.attachShadow({ mode: "open" })), "/life/frame/");
  },
  async rewritten() {
    const { contentDocument } = add();
    await new Promise((resolve) => setTimeout(resolve, 50));
    contentDocument.open();
    contentDocument.write("<input>");
    return contentDocument.querySelector("input");
  },
  async design_mode() {
    const { contentDocument } = add();
    contentDocument.designMode = "on";
    return contentDocument.body;
  },
};
