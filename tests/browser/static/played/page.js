/** What pages of every kind do. */

document.getElementById("open").addEventListener("click", () => document.getElementById("first").showModal());

window.toggled = 0;
for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("close", () => (window.toggled += 1));

customElements.define(
  "kept-counter",
  class extends HTMLElement {
    connectedCallback() {
      this.connections = (this.connections ?? 0) + 1;
    }
  },
);
