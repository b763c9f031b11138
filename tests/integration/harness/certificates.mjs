// Certificates of an authority of the test's own, by openssl.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { run } from './daemon.mjs';

async function openssl(...args) {
  const result = await run('openssl', args);
  assert.equal(result.code, 0, result.stderr);
}

/** An authority of the test's own. */
export async function makeAuthority(dir, name) {
  const file = path.join(dir, name);
  await openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
    ...['-keyout', `${file}.key`, '-out', `${file}.crt`],
  );
  return { cert: `${file}.crt`, key: `${file}.key` };
}

/** A certificate of that authority for `names`, such as `DNS:localhost`. */
export async function makeCertificate(dir, name, authority, names, days = 2) {
  const file = path.join(dir, name);
  await openssl(
    ...['req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`],
    ...['-keyout', `${file}.key`, '-out', `${file}.csr`],
  );
  await writeFile(`${file}.ext`, `subjectAltName=${names}\n`);
  await openssl(
    ...['x509', '-req', '-in', `${file}.csr`, '-CA', authority.cert, '-CAkey', authority.key],
    ...['-CAcreateserial', '-days', String(days), '-extfile', `${file}.ext`, '-out', `${file}.crt`],
  );
  return { cert: `${file}.crt`, key: `${file}.key` };
}
