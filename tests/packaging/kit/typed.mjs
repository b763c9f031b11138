// Literals beside types, by the compiler: it names wrong types, and fields that there are none of.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Process, tempDir } from '../../integration/harness.mjs';

const packaging = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const tsc = path.resolve(packaging, '../../src/client/node_modules/.bin/tsc');

/** What the compiler says of each source; `packages` are what they import. */
export async function faultsOf(t, packages, sources) {
  const dir = await tempDir(t);
  for (const name of packages) {
    const at = path.join(dir, 'node_modules', name);
    await mkdir(path.dirname(at), { recursive: true });
    await symlink(path.join(packaging, 'node_modules', name), at);
  }
  const files = sources.map((_, i) => `source${i}.ts`);
  for (const [i, source] of sources.entries()) await writeFile(path.join(dir, files[i]), source);
  const flags = '--noEmit --strict --skipLibCheck --module nodenext --moduleResolution nodenext'.split(' ');
  const compiler = new Process(tsc, [...flags, ...files], {}, { cwd: dir });
  await compiler.waitExit(60_000);
  return files.map((file) => compiler.stdout.split('\n').filter((line) => line.startsWith(file)).join('\n'));
}
