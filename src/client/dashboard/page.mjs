// The dashboard as one file: its style and script stand in the page, and nothing else is asked for.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));

async function bundle(options) {
  const { outputFiles } = await build({
    absWorkingDir: here,
    bundle: true,
    write: false,
    minify: true,
    charset: 'utf8',
    target: 'es2022',
    ignoreAnnotations: true, // the package says that nothing here has side effects
    ...options,
  });
  return outputFiles[0].text.trim();
}

/** The HTML, as bytes. */
export async function dashboardPage() {
  const style = await bundle({
    stdin: {
      contents: "@import 'uplot/dist/uPlot.min.css'; @import './dashboard.css';",
      loader: 'css',
      resolveDir: here,
    },
  });
  const script = await bundle({ entryPoints: ['main.ts'], format: 'iife' });
  const html = readFileSync(path.join(here, 'dashboard.html'), 'utf8');
  const put = (text, name, value) => text.replace(`<!-- ${name} -->`, () => value);
  return Buffer.from(put(put(html, 'style', style), 'script', script));
}
