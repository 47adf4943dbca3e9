// Makes the component: `node build.js OUT.wasm [WIT]`.

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { componentize } from '@bytecodealliance/componentize-js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [out, wit = here('../../../../wit')] = process.argv.slice(2);

const { component } = await componentize({
    sourcePath: here('connector.js'),
    witPath: wit,
    worldName: 'connector',
});
await writeFile(out, component);
