// Part of the build: `node dist/declared/keep-main.js SCHEMAS_DIR` keeps what the YAML files in there say.

import { keepTrees } from "./kept-trees.ts";
import { readAnew } from "./yaml.ts";

keepTrees(process.argv[2] ?? "schemas", readAnew);
