/** The client as the tag `{% idlewatch %}` loads it: it starts by itself. The parts are put together in `index.js`. */

import { start } from "./index.js";

start();
