const scroller = document.getElementById("scroller");
const source = document.getElementById("source");
const target = document.getElementById("target");
source.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", "dragged"));
target.addEventListener("dragover", (event) => event.preventDefault());
target.addEventListener("drop", (event) => {
  event.preventDefault();
  target.textContent = "Dropped";
});
document.getElementById("host").attachShadow({ mode: "open" }).append(document.createElement("input"));
const closed = document.getElementById("closed").attachShadow({ mode: "closed" });
closed.append(document.createElement("input"));

/** Everything a script can do by itself, none of which is a person's doing. */
window.pretend = () => {
  const text = document.getElementById("text");
  const options = { bubbles: true, cancelable: true, composed: true, clientX: 30, clientY: 30 };
  const events = [
    new PointerEvent("pointerdown", options),
    new PointerEvent("pointermove", { ...options, screenX: Math.random() * 500 }),
    new MouseEvent("mousemove", options),
    new MouseEvent("click", options),
    new WheelEvent("wheel", { ...options, deltaY: 10 }),
    new KeyboardEvent("keydown", { ...options, key: "a" }),
    new InputEvent("input", { ...options, data: "a" }),
    new ClipboardEvent("paste", options),
    new DragEvent("drop", options),
    new Event("scroll", options),
  ];
  if (window.TouchEvent) events.push(new TouchEvent("touchstart", options), new TouchEvent("touchmove", options));
  for (const event of events) text.dispatchEvent(event);
  text.value += "a";
  text.focus();
  text.blur();
  source.click();
  scroller.scrollTop += 20;
};

let timer = 0;
window.scrollByItself = () => {
  timer = setInterval(() => {
    scroller.scrollTop += 5;
  }, 50);
};
window.moveByItself = () => {
  const mover = document.getElementById("mover");
  timer = setInterval(() => {
    const at = Date.now();
    mover.style.setProperty("left", `${at % 60}px`);
    mover.style.setProperty("height", `${40 + (at % 40)}px`);
    mover.hidden = at % 3 === 0;
  }, 40);
};
window.rest = () => clearInterval(timer);
window.focusClosed = () => closed.querySelector("input").focus();

const frames = document.getElementById("frames");
function add(parent = frames) {
  const frame = document.createElement("iframe");
  frame.title = "A frame";
  parent.append(frame);
  return frame;
}
function loaded(frame, address) {
  return new Promise((resolve) => {
    frame.addEventListener("load", resolve, { once: true });
    frame.src = address;
  });
}
const body = (frame) => frame.contentDocument.body;
const field = (frame) => frame.contentDocument.querySelector("input");

/** Each makes a frame with an editor in it, and gives the place that takes the focus. */
window.editors = {
  async address() {
    const frame = add();
    await loaded(frame, "/life/frame/");
    return field(frame);
  },
  async nested() {
    const frame = add();
    await loaded(frame, "/life/nested/");
    return field(frame.contentDocument.querySelector("iframe"));
  },
  async navigated() {
    const frame = add();
    await loaded(frame, "/life/frame/");
    const next = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
    frame.contentDocument.querySelector("a").click();
    await next;
    return field(frame);
  },
  async in_a_box() {
    const box = document.createElement("div");
    const frame = add(box);
    frames.append(box);
    await loaded(frame, "/life/frame/");
    return field(frame);
  },
  async srcdoc() {
    const frame = add();
    const done = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
    frame.srcdoc = "<input>";
    await done;
    return field(frame);
  },
  async blank() {
    const frame = add();
    body(frame).append(document.createElement("input"));
    return field(frame);
  },
  async written() {
    const frame = add();
    await Promise.resolve();
    frame.contentDocument.open();
    frame.contentDocument.write("<input>");
    frame.contentDocument.close();
    return field(frame);
  },
  async never_closed() {
    const frame = add();
    await new Promise((resolve) => setTimeout(resolve, 50));
    frame.contentDocument.open();
    frame.contentDocument.write("<input>");
    return field(frame);
  },
  async editable() {
    const frame = add();
    body(frame).contentEditable = "true";
    return body(frame);
  },
  async design_mode() {
    const frame = add();
    frame.contentDocument.designMode = "on";
    return body(frame);
  },
  async in_a_shadow() {
    const host = document.createElement("div");
    frames.append(host);
    const frame = add(host.attachShadow({ mode: "open" }));
    await loaded(frame, "/life/frame/");
    return field(frame);
  },
};
