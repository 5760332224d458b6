/** Asks the server again and again, as dashboards do. */
const output = document.querySelector("output[data-url]");
setInterval(async () => {
  const answer = await fetch(output.dataset.url);
  output.textContent = `${answer.status}`;
}, 300);
