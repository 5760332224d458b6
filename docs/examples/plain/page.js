const form = /** @type {HTMLFormElement} */ (document.getElementById("upload"));
const result = /** @type {HTMLElement} */ (document.getElementById("result"));
const line = /** @type {HTMLElement} */ (document.getElementById("session"));

/** @param {import("idlewatch").State} state */
function sentence(state) {
  if (state.phase === "ended") return "You are signed out.";
  if (state.offline) return "The server can’t be reached.";
  if (state.held) return "You stay signed in while this goes on.";
  if (state.phase === "warned") return "You will be signed out soon.";
  return `You will be signed out after ${Math.round(state.idle_timeout / 60)} minutes without activity.`;
}

document.addEventListener("idlewatch:state", ({ detail }) => {
  line.textContent = sentence(detail);
});
// The client may have been faster than this script.
if (window.idlewatch?.state) line.textContent = sentence(window.idlewatch.state);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = new FormData(form);
  const files = body.getAll("files").length;
  // Without it the session would end in the middle of a long upload, which needs no input.
  const hold = window.idlewatch?.hold(files === 1 ? "Uploading a file" : `Uploading ${files} files`);
  result.textContent = "Uploading…";
  try {
    const response = await fetch(form.action, { method: "POST", body });
    result.textContent = response.ok ? "Uploaded." : "The server refused the upload.";
  } catch {
    result.textContent = "The upload broke off.";
  } finally {
    hold?.release();
  }
});
