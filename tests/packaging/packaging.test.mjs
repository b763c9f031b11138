// What a packager and a builder meet: flags, install and uninstall, pages, units, the library.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

import { Process, run, suite, tempDir, waitFor } from '../integration/harness.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const MAKE = ['-C', root, '--no-print-directory'];

/** Without what the outer make hands on. */
const make = (args, env = {}) => {
  const { MAKEFLAGS, MAKEOVERRIDES, MFLAGS, ...inherited } = process.env;
  const done = spawnSync('make', [...MAKE, ...args], { env: { ...inherited, ...env } });
  return { code: done.status, stdout: String(done.stdout), stderr: String(done.stderr) };
};

const must = (args, env) => {
  const done = make(args, env);
  assert.equal(done.code, 0, done.stderr + done.stdout);
  return done.stdout;
};

const filesBelow = async (dir) =>
  (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(dir, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();

suite(
  'flags of the builder',
  async (test, shared) => {
    const out = await tempDir(shared);
    /** The commands that compile one file and link the daemon, which are not run. */
    const commands = (args, env) => {
      const text = must(['-n', 'V=1', `OUT=${out}`, `${out}/active-users`, ...args], env);
      const all = text.split('\n');
      return {
        compile: all.find((line) => line.includes(' -c ') && line.includes('src/server/status.c')),
        link: all.find((line) => line.includes(`-o ${out}/active-users `)),
        object: all.find((line) => line.includes('active_users.o')),
        text,
      };
    };
    const words = (line) => line.trim().split(/\s+/);

    delete process.env.WERROR; // of the run that this is a part of
    const given = { CPPFLAGS: '-D_FORTIFY_SOURCE=3', CFLAGS: '-O1', LDFLAGS: '-Wl,-O1', CC: 'c99' };
    const ways = {
      environment: () => commands(['CI=', 'WERROR='], given),
      'command line': () => commands(Object.entries({ ...given, CI: '', WERROR: '' }).map((p) => p.join('='))),
    };
    for (const [way, build] of Object.entries(ways))
      test(`by ${way}: they come last, and nothing is dropped`, () => {
        const { compile, link } = build();
        for (const flag of [
          '-Iinclude',
          '-Isrc/server',
          '-fstack-protector-strong',
          '-fPIE',
          '-O1',
        ])
          assert.ok(words(compile).includes(flag), `${flag}: ${compile}`);
        assert.equal(words(compile)[0], 'c99');
        assert.ok(words(compile).lastIndexOf('-O1') > words(compile).lastIndexOf('-O2'));
        assert.deepEqual(compile.match(/-D_FORTIFY_SOURCE=\d/g), ['-D_FORTIFY_SOURCE=3']);
        for (const flag of ['-pie', '-Wl,-z,relro,-z,now', '-Wl,-O1'])
          assert.ok(words(link).includes(flag), `${flag}: ${link}`);
        assert.ok(!words(compile).includes('-Werror'), compile);
      });

    test('without any: hardened, and warnings are errors in CI or when asked for', () => {
      const clean = { CPPFLAGS: '', CFLAGS: '', LDFLAGS: '' };
      assert.ok(words(commands(['CI=', 'WERROR='], clean).compile).includes('-D_FORTIFY_SOURCE=2'));
      for (const flags of [['CI=1'], ['CI=', 'WERROR=1']])
        assert.ok(words(commands(flags, clean).compile).includes('-Werror'), flags.join(' '));
    });

    test('a file compiles with them for real', () => {
      const object = `${out}/obj/src/server/status.o`;
      const text = must(['V=1', 'WERROR=1', 'CI=', `OUT=${out}`, object], {
        ...given,
        CC: 'gcc',
      });
      assert.match(text, /\[1 of \d+\] src\/server\/status\.c\n/);
      assert.equal(must(['CI=1', `OUT=${out}`, `${out}/obj/src/server/config.o`]), '');
    });

    test('the tools for another machine are taken', () => {
      const library = must([
        '-n',
        'V=1',
        `OUT=${out}`,
        `${out}/libactive_users.a`,
        'AR=x-ar',
        'OBJCOPY=x-objcopy',
        'LD=x-ld',
      ]);
      for (const tool of ['x-ar qcs', 'x-objcopy --wildcard', 'x-ld -r'])
        assert.ok(library.includes(tool), tool);
      const asked = must(
        ['-n', `OUT=${out}`, `${out}/active-users`, 'PKG_CONFIG=echo -lfrom-another'],
        {},
      );
      assert.match(asked, /-lfrom-another --libs/);
    });
  },
  { concurrency: 1 },
);

suite(
  'packages',
  async (test, shared) => {
    const dir = await tempDir(shared);
    const script = async (name, text) => {
      await writeFile(path.join(dir, name), `#!/bin/sh\n${text}\n`);
      await chmod(path.join(dir, name), 0o755);
    };
    await script('dpkg-query', 'exit 1');
    await script('apt-get', `touch ${dir}/installed`);
    await script('sudo', 'exec "$@"');
    const PATH = `${dir}:${process.env.PATH}`;

    test('NO_DEPS=1 names what is missing and installs nothing', async () => {
      const done = make(['deps-build', 'NO_DEPS=1'], { PATH });
      assert.notEqual(done.code, 0);
      assert.match(
        done.stderr,
        /missing, and NO_DEPS=1 forbids to install: build-essential pkg-config/,
      );
      assert.ok(!(await readdir(dir)).includes('installed'));
    });

    test('without it a target that installs says what', async () => {
      assert.match(must(['deps-build'], { PATH }), /^installing: build-essential pkg-config/);
      assert.ok((await readdir(dir)).includes('installed'));
    });

    test('make help says which targets install', () => {
      const help = must(['help']);
      for (const target of ['run', 'test', 'bench', 'sanitize', 'lint', 'deps', 'deb'])
        assert.match(help, new RegExp(`^  ${target} .*install`, 'm'));
      assert.match(help, /^  check .*installs nothing/m);
    });

    test('no compiler, or no library: one line, and what installs it', async () => {
      const out = `OUT=${path.join(dir, 'out')}`;
      const object = path.join(dir, 'out/obj/src/server/status.o');
      const without = (...words) => {
        const { code, stderr } = make([out, object, ...words], { CI: '1' });
        assert.notEqual(code, 0);
        return stderr.split('\n').filter((line) => !line.startsWith('make'));
      };
      assert.deepEqual(without('CC=no-such-compiler -m64'), [
        'there is no compiler (no-such-compiler): "make deps-build" installs what building needs',
        '',
      ]);
      const [line, ...rest] = without('PKG_CONFIG=false');
      assert.match(line, /^missing libraries, by false: libuv hiredis .*; "make deps-build" installs them$/);
      assert.deepEqual(rest, ['']);
    });

    test('make run without npm says in one line what is missing, and how to get it', async () => {
      const bare = path.join(dir, 'bare');
      await mkdir(bare);
      for (const tool of ['bash', 'sh', 'make', 'sed', 'grep', 'find', 'env', 'sort'])
        await symlink(spawnSync('which', [tool]).stdout.toString().trim(), path.join(bare, tool));
      const done = spawnSync('make', [...MAKE, 'deps-client'], { env: { PATH: bare } });
      assert.equal(done.status, 0, String(done.stderr));
      assert.match(
        String(done.stdout),
        /^npm is missing, so this daemon has no browser SDK and \/client\.js is 404: "make deps" installs it\n$/,
      );
    });
  },
  { concurrency: 1 },
);

suite('the version', async (test) => {
  const version = (await readFile(path.join(root, 'VERSION'), 'utf8')).trim();
  const escaped = version.replaceAll('.', '\\.');

  test('is that of the file VERSION, for programs, package and release', async () => {
    for (const program of ['active-users', 'au-load']) {
      const { stdout } = await run(path.join(root, 'build', program), ['--version']);
      assert.equal(stdout, `${program} ${version}\n`);
    }
    const manifest = JSON.parse(await readFile(path.join(root, 'build/client/package.json'), 'utf8'));
    assert.equal(manifest.version, version);
    assert.ok(must(['-n', 'dist']).includes(`active-users-${version}.tar.gz`));
  });

  test('is what pages, library and packages say', async (t) => {
    for (const page of ['active-users.1', 'active-users.conf.5', 'au-load.1'])
      assert.ok((await readFile(path.join(root, 'build/pages', page), 'utf8')).includes(`"Active Users ${version}"`), page);
    const dest = await tempDir(t);
    must(['install', `DESTDIR=${dest}`, 'PREFIX=/usr']);
    assert.match(await readFile(path.join(dest, 'usr/lib/pkgconfig/active_users.pc'), 'utf8'), new RegExp(`^Version: ${escaped}$`, 'm'));
    assert.ok(must(['-n', 'container', 'ENGINE=podman']).includes(`--build-arg VERSION=${version} `));
    assert.ok(must(['-n', 'deb-built']).includes(`build/active-users-${version}.tar.gz`));
  });

  test('stands in the file VERSION and the changes, and in no other file', () => {
    const { stdout, status } = spawnSync('git', ['grep', '-nIE', `(^|[^0-9.])${escaped}($|[^0-9.])`], { cwd: root, encoding: 'utf8' });
    if (status > 1) return; // a release has no history
    const others = stdout
      .trim()
      .split('\n')
      .filter((line) => !/^(VERSION|CHANGELOG\.md|[^:]*package-lock\.json):/.test(line))
      .filter((line) => !/openmetrics-text/i.test(line)); // another thing's
    assert.deepEqual(others, []);
  });

  test('is the newest of the changes, with its day, or these are of the next one', async () => {
    const changes = await readFile(path.join(root, 'CHANGELOG.md'), 'utf8');
    assert.match(/^## .*$/m.exec(changes)[0], new RegExp(`^## (${escaped} - \\d{4}-\\d\\d-\\d\\d$|Unreleased)`));
  });
});

suite('a build without Node', async (test, shared) => {
  const dir = await tempDir(shared);
  const files = ['docs/openapi.yaml', 'docs/asyncapi.yaml'];
  const script = path.join(root, 'src/packaging/plain-assets.sh');
  const made = spawnSync(script, files, { cwd: root, encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);

  test('serves the descriptions of the API, packed and not', async () => {
    const bytes = (name) =>
      Buffer.from(
        new RegExp(`${name}\\[\\] = \\{([^}]*)\\}`).exec(made.stdout)[1].split(',').map(Number),
      );
    for (const [i, file] of files.entries()) {
      const text = await readFile(path.join(root, file));
      assert.ok(bytes(`plain_${i}`).equals(text), file);
      assert.ok(gunzipSync(bytes(`gzip_${i}`)).equals(text), file);
      assert.ok(made.stdout.includes(`.path = "/${path.basename(file)}"`));
    }
  });

  test('compiles, and the same files give the same bytes', async () => {
    const file = path.join(dir, 'assets.c');
    await writeFile(file, made.stdout);
    const include = ['-I', path.join(root, 'src/server'), '-I', path.join(root, 'include')];
    const built = spawnSync('cc', [
      '-Wall',
      '-Werror',
      ...include,
      '-c',
      '-o',
      `${dir}/assets.o`,
      file,
    ]);
    assert.equal(built.status, 0, String(built.stderr));
    assert.equal(spawnSync(script, files, { cwd: root, encoding: 'utf8' }).stdout, made.stdout);
  });
});

suite('a release', async (test, shared) => {
  const dir = await tempDir(shared);
  const history = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root }).status === 0;
  const version = (await readFile(path.join(root, 'VERSION'), 'utf8')).trim();
  const name = `active-users-${version}`;
  const release = async () => {
    assert.match(must(['dist']), new RegExp(`^build/${name.replaceAll('.', '\\.')}\\.tar\\.gz$`, 'm'));
    return readFile(path.join(root, `build/${name}.tar.gz`));
  };

  test('is the same bytes each time, has the SDK built, and nothing that was fetched', async (t) => {
    if (!history) return t.skip('a release has no history');
    const bytes = await release();
    assert.ok(bytes.equals(await release()));
    await writeFile(path.join(dir, 'release.tar.gz'), bytes);
    assert.equal(spawnSync('tar', ['-C', dir, '-xzf', path.join(dir, 'release.tar.gz')]).status, 0);
    const files = await filesBelow(path.join(dir, name));
    for (const file of ['src/client/built/assets.c', 'VERSION', 'Makefile', 'LICENSE', 'docs/howto/packaging.md'])
      assert.ok(files.includes(file), file);
    assert.deepEqual(files.filter((file) => /(^|\/)(node_modules|build|\.git)\//.test(file)), []);
  });

  test('builds with the SDK where there is no Node and nothing may be installed', async (t) => {
    if (!history) return t.skip('a release has no history');
    const bare = path.join(dir, 'bin');
    await mkdir(bare);
    for (const tool of ['bash', 'sh', 'make', 'sed', 'grep', 'find', 'env', 'sort', 'dirname', 'mkdir', 'cc', 'as', 'pkg-config'])
      await symlink(spawnSync('which', [tool]).stdout.toString().trim(), path.join(bare, tool));
    const run = (...words) =>
      spawnSync('make', ['-C', path.join(dir, name), '--no-print-directory', 'NO_DEPS=1', ...words], { env: { PATH: bare }, encoding: 'utf8' });
    assert.deepEqual(run('deps-client').stdout, '');
    const object = 'build/obj/src/client/built/assets.o';
    assert.ok(run('-n', 'build/active-users').stdout.includes(object));
    const built = run(object);
    assert.equal(built.status, 0, built.stderr);
  });
}, { concurrency: 1 });

suite(
  'make install',
  async (test, shared) => {
    const prefix = await tempDir(shared);
    must(['install', `PREFIX=${prefix}`]);
    const at = (file) => path.join(prefix, file);
    const read = (file) => readFile(at(file), 'utf8');

    test('what is where', async () => {
      assert.deepEqual(await filesBelow(prefix), [
        'bin/active-users',
        'bin/au-load',
        'etc/active-users.conf',
        ...['config', 'history', 'server', 'store', 'types', 'webhook'].map((name) => `include/active_users/${name}.h`),
        'lib/libactive_users.a',
        'lib/pkgconfig/active_users.pc',
        'lib/systemd/system/active-users.service',
        'lib/systemd/system/active-users.socket',
        'lib/systemd/system/active-users@.service',
        'share/man/man1/active-users.1',
        'share/man/man1/au-load.1',
        'share/man/man5/active-users.conf.5',
      ]);
    });

    test('the config file has every setting, and each line can be taken as it is', async (t) => {
      const text = await read('etc/active-users.conf');
      const all = text.replace(/^#([a-z-]+ =)/gm, '$1');
      const file = path.join(await tempDir(t), 'all.conf');
      await writeFile(file, all);
      const shown = await run(at('bin/active-users'), [`--config=${file}`, '--print-config']);
      assert.equal(shown.code, 0, shown.stderr);
      const rows = shown.stdout.trimEnd().split('\n');
      for (const row of rows) assert.ok(row.includes(`# ${file}:`), row);
      const untouched = await run(at('bin/active-users'), [
        `--config=${at('etc/active-users.conf')}`,
        '--print-config',
      ]);
      const values = (printed) => printed.replace(/ +# .*$/gm, '');
      assert.equal(values(shown.stdout), values(untouched.stdout));
    });

    test('the library links by pkg-config alone, and the program runs', async (t) => {
      const program = path.join(await tempDir(t), 'embed');
      const env = { ...process.env, PKG_CONFIG_PATH: at('lib/pkgconfig') };
      const embed = path.join(root, 'tests/integration/embed.c');
      const command = `cc '${embed}' $(pkg-config --cflags --libs active_users) -o '${program}'`;
      const built = spawnSync('sh', ['-c', command], { env });
      assert.equal(built.status, 0, String(built.stderr));
      const running = new Process(program, []);
      t.after(() => running.kill('SIGKILL'));
      await waitFor('the program to listen', () => /listening/.test(running.stderr));
    });

    test('the pages have no error, and name every flag', async () => {
      const help = (await run(at('bin/active-users'), ['--help'])).stdout;
      for (const page of ['man1/active-users.1', 'man1/au-load.1', 'man5/active-users.conf.5']) {
        const shown = spawnSync(
          'man',
          ['-l', '--warnings', '-E', 'UTF-8', at(`share/man/${page}`)],
          {
            env: { ...process.env, LC_ALL: 'C.UTF-8', MANROFFSEQ: '', MANWIDTH: '80' },
          },
        );
        assert.equal(shown.status, 0, String(shown.stderr));
        assert.equal(String(shown.stderr), '');
        const text = String(shown.stdout).replace(/.\x08/g, '');
        if (page !== 'man1/active-users.1') continue;
        for (const [, flag] of help.matchAll(/^  (--[a-z-]+)/gm))
          assert.ok(text.includes(flag), flag);
      }
    });

    test('systemd takes both units', async () => {
      for (const unit of ['active-users.service', 'active-users@.service']) {
        const text = await read(`lib/systemd/system/${unit}`);
        assert.doesNotMatch(text, /@[a-z]+@/);
        assert.ok(text.includes(`ExecStart=${prefix}/bin/active-users`));
        const name = unit.replace('@', '@1');
        const checked = spawnSync('systemd-analyze', [
          'verify',
          '--man=no',
          `${prefix}/lib/systemd/system/${name}`,
        ]);
        if (checked.error) continue; // no systemd here
        assert.doesNotMatch(
          String(checked.stderr),
          new RegExp(unit.split('.')[0]),
          String(checked.stderr),
        );
      }
    });

    test('systemd takes the socket, which has the ports in the order that the daemon wants', async () => {
      const text = await read('lib/systemd/system/active-users.socket');
      const ports = [...text.matchAll(/^ListenStream=127\.0\.0\.1:(\d+)$/gm)].map((match) => match[1]);
      const shown = await run(at('bin/active-users'), ['--print-config']);
      const settings = ['http-port', 'ws-port'].map(
        (name) => new RegExp(`^${name} += (\\d+)`, 'm').exec(shown.stdout)[1],
      );
      assert.deepEqual(ports, settings);
      const unit = at('lib/systemd/system/active-users.socket');
      const checked = spawnSync('systemd-analyze', ['verify', '--man=no', unit]);
      if (!checked.error) assert.doesNotMatch(String(checked.stderr), /active-users/);
    });

    test('again: a config file that is there stays', async () => {
      await writeFile(at('etc/active-users.conf'), 'http-port = 1\n');
      must(['install', `PREFIX=${prefix}`]);
      assert.equal(await read('etc/active-users.conf'), 'http-port = 1\n');
    });

    test('uninstall leaves the config file alone', async () => {
      must(['uninstall', `PREFIX=${prefix}`]);
      assert.deepEqual(await filesBelow(prefix), ['etc/active-users.conf']);
    });

    test('every folder can be another one, below DESTDIR', async (t) => {
      const dest = await tempDir(t);
      const folders = {
        bindir: '/b',
        libdir: '/usr/lib/x',
        includedir: '/i',
        mandir: '/m',
        unitdir: '/u',
        sysconfdir: '/c',
      };
      must([
        'install',
        `DESTDIR=${dest}`,
        ...Object.entries(folders).map((pair) => pair.join('=')),
      ]);
      const files = await filesBelow(dest);
      for (const folder of Object.values(folders))
        assert.ok(
          files.some((file) => `/${file}`.startsWith(`${folder}/`)),
          folder,
        );
      assert.match(
        await readFile(path.join(dest, 'u/active-users.service'), 'utf8'),
        /^ExecStart=\/b\/active-users$/m,
      );
      assert.match(
        await readFile(path.join(dest, 'usr/lib/x/pkgconfig/active_users.pc'), 'utf8'),
        /^libdir=\/usr\/lib\/x$/m,
      );
    });
  },
  { concurrency: 1 },
);
