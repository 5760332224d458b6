setInterval(async () => {
  const response = await fetch("/journey/answer/");
  document.getElementById("answer").textContent = response.status;
}, 300);
