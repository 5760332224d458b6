// A request that meets the end of the session is answered by 401 with `HX-Redirect`, and htmx would leave at once: also
// a page in which something is typed and not sent. The client in this page hears of the end as well, and covers such a
// page instead.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { xhr } = /** @type {CustomEvent<{xhr: XMLHttpRequest}>} */ (event).detail;
  if (xhr.getResponseHeader("Idlewatch-Ended") !== null) event.preventDefault();
});
