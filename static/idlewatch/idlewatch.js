/** The client as the tag `{% idlewatch %}` loads it: it starts by itself. */

import { start } from "./index.js";

start();
