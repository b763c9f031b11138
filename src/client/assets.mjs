// Turns files into the C table that src/server/transports/assets.c serves. Knows no file system.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

/** Scripts are fetched on every page view of a site, so they may be an hour old; the page may not. */
const CACHE = { page: 'no-cache', script: 'public, max-age=3600, stale-while-revalidate=86400' };

const hash = (algorithm, bytes) => createHash(algorithm).update(bytes).digest('base64');

function bytesOf(name, bytes) {
  const lines = [];
  for (let i = 0; i < bytes.length; i += 24) lines.push([...bytes.subarray(i, i + 24)].join(','));
  return `static const unsigned char ${name}[] = {\n${lines.join(',\n')}};\n`;
}

/** Inline scripts and styles by their hash: nothing else runs on the page. The daemon adds frame-ancestors. */
export function policyOf(html) {
  const inline = (tag) =>
    [...html.matchAll(new RegExp(`<${tag}(?![^>]*\\bsrc=)[^>]*>([\\s\\S]*?)</${tag}>`, 'g'))]
      .map((match) => ` 'sha256-${hash('sha256', match[1])}'`)
      .join('');
  return [
    "default-src 'none'",
    `script-src 'self'${inline('script')}`,
    `style-src${inline('style') || " 'none'"}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

/** files: {path, type, body}. The same files give the same text. */
export function assetsSource(files) {
  let data = '';
  const rows = files.map(({ path, type, body }, i) => {
    const isPage = type.startsWith('text/html');
    const packed = gzipSync(body, { level: 9 });
    data += bytesOf(`plain_${i}`, body) + bytesOf(`gzip_${i}`, packed);
    const fields = {
      path,
      content_type: type,
      cache_control: isPage ? CACHE.page : CACHE.script,
      policy: isPage ? policyOf(body.toString('utf8')) : null,
      tag: hash('sha256', body)
        .replace(/[^A-Za-z0-9]/g, '')
        .slice(0, 22),
    };
    const text = Object.entries(fields)
      .map(([name, value]) => `.${name} = ${value === null ? 'NULL' : JSON.stringify(value)}`)
      .join(', ');
    return `  {${text},\n   .plain = plain_${i}, .plain_len = sizeof plain_${i}, .gzip = gzip_${i}, .gzip_len = sizeof gzip_${i}},\n`;
  });
  return (
    '/* Made by src/client/build.mjs. */\n#include "transports/assets.h"\n\n' +
    data +
    `\nconst asset assets_table[] = {\n${rows.join('')}};\n` +
    'const size_t assets_count = sizeof assets_table / sizeof assets_table[0];\n'
  );
}
