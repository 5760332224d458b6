/** The client as the tag `{% idlewatch %}` loads it: it starts by itself, and loads what most pages do not need. */

import { DraftsOnDemand } from "./drafts/on_demand.js";
import { startWith } from "./start.js";

startWith((options) => new DraftsOnDemand(options));
