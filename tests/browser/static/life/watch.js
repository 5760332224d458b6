// Keeps what a test asks for afterwards.
window.kept = { shows: [], seen: [], violations: [], warned: null, ticks: 0, stayed: false };
const content = () => document.body.innerText.includes("patient");
window.addEventListener("pageshow", (event) => {
  window.kept.shows.push(event.persisted);
  requestAnimationFrame(() => window.kept.seen.push(content()));
});
document.addEventListener("resume", () => {
  // A hidden tab draws nothing: a moment later must do.
  setTimeout(() => window.kept.seen.push(content()), 50);
});
document.addEventListener("securitypolicyviolation", (event) => {
  window.kept.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`);
});
document.addEventListener("idlewatch:warned", (event) => {
  window.kept.warned = { at: Date.now(), remaining: event.detail.remaining };
});
function tick() {
  window.kept.ticks += 1;
  setTimeout(tick, 100);
}
tick();
