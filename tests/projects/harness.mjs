// Builds a project as its owner would, with the package installed as npm would, and serves it on a
// host whose /presence is the daemon.
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Socket } from '../integration/harness.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const BUILD = path.resolve(here, '../../build/client');
export const projectDir = (name) => path.join(here, name);

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };

/** The package in the node_modules of `dir`. */
export async function installPackage(dir) {
  const manifest = JSON.parse(await readFile(path.join(BUILD, 'package.json'), 'utf8'));
  const target = path.join(dir, 'node_modules', manifest.name);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  for (const file of [...manifest.files, 'package.json'])
    await cp(path.join(BUILD, file), path.join(target, file));
}

/** Every file below `dir` as a page: index.html is the folder, and .html may be left out. */
export async function pagesOf(dir, headers = {}) {
  const pages = {};
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const at = '/' + path.relative(dir, file).split(path.sep).join('/');
    const page = {
      type: TYPES[path.extname(file)] ?? 'application/octet-stream',
      body: await readFile(file),
      headers,
    };
    pages[at] = page;
    pages[at.replace(/index\.html$/, '').replace(/\.html$/, '')] = page;
  }
  return pages;
}

/** Everything a watcher of the customer hears from now on. */
export async function watchCounts(t, daemon, customerId) {
  const socket = await Socket.join(t, daemon.httpPort, { customerId });
  await socket.next('metrics:update');
  return () => [...new Set(socket.updates.map(({ count }) => count))];
}

