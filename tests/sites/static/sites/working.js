/** Has a service worker answer for the page. */
navigator.serviceWorker.register("/worker.js");
