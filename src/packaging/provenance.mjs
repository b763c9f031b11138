// Says where the files of an npm tarball come from, as an in-toto statement (SLSA provenance 1.0): the
// digest of each file, the commit, and the packages that it was built with. It is not signed.
//   node src/packaging/provenance.mjs TARBALL    prints it
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const run = (program, ...args) =>
  execFileSync(program, args, { cwd: root, maxBuffer: 64e6, stdio: ['ignore', 'pipe', 'ignore'] });
const digest = (algorithm, bytes) => ({ [algorithm]: createHash(algorithm).update(bytes).digest('hex') });

/** The commit, and whether its files were changed; a release without history has none. */
function source() {
  try {
    const commit = run('git', 'rev-parse', 'HEAD').toString().trim();
    const changed = run('git', 'status', '--porcelain', '--untracked-files=no').length > 0;
    return [{ name: 'source', digest: { gitCommit: commit }, annotations: { changed } }];
  } catch {
    return [];
  }
}

/** What the lock file names, with the digests that npm checks. */
function packages() {
  const lock = JSON.parse(readFileSync(path.join(root, 'src/client/package-lock.json'), 'utf8'));
  return Object.entries(lock.packages)
    .filter(([place, { integrity }]) => place !== '' && integrity?.startsWith('sha512-'))
    .map(([place, { version, integrity }]) => ({
      uri: `pkg:npm/${place.replace(/^.*node_modules\//, '').replace(/^@/, '%40')}@${version}`,
      digest: { sha512: Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex') },
    }));
}

export function provenanceOf(tarball) {
  const file = path.resolve(tarball);
  const names = run('tar', '-tzf', file).toString().trim().split('\n').sort();
  const files = names.map((name) => ({ name, digest: digest('sha256', run('tar', '-xOzf', file, name)) }));
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: path.basename(file), digest: digest('sha512', readFileSync(file)) }, ...files],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:active-users:make-npm-package',
        externalParameters: { version: readFileSync(path.join(root, 'VERSION'), 'utf8').trim() },
        resolvedDependencies: [...source(), ...packages()],
      },
      runDetails: { builder: { id: 'urn:active-users:makefile' } },
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(JSON.stringify(provenanceOf(process.argv[2]), null, 2));
