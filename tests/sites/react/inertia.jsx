/** A page of Inertia: it polls, and its links are followed without a navigation. */

import { Link, createInertiaApp, usePoll } from "@inertiajs/react";
import { createRoot } from "react-dom/client";

function Page({ place }) {
  usePoll(1000);
  return (
    <>
      <h1>Private {place}</h1>
      <Link href="/?next">Next</Link>
    </>
  );
}

createInertiaApp({
  resolve: () => Page,
  setup: ({ el, App, props }) => createRoot(el).render(<App {...props} />),
});
