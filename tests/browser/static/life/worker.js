/** A service worker that answers from its cache first; `?shell` has it answer every navigation with the first page. */

const shell = location.search === "?shell";

addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET") event.respondWith(answer(shell && request.mode === "navigate" ? "/" : request.url, request));
});

async function answer(key, request) {
  const cache = await caches.open("pages");
  const cached = await cache.match(key);
  if (cached !== undefined) return cached;
  const response = await fetch(request);
  if (response.ok) await cache.put(key, response.clone());
  return response;
}
