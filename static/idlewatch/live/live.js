/** The live page as its template loads it: it starts by itself. */

import { start } from "./page.js";

start();
