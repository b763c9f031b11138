// Presence over REST (contract §3): the same cases on the memory store and on Redis.
import assert from 'node:assert/strict';

import { aBeat, assertBadRequest, freshId, startOn, STORES, suite, waitFor } from './harness.mjs';

/** Customers the daemon keeps, as its own gauge says. */
async function customersKept(daemon) {
  const found = [...(await daemon.samples())].find(([name]) =>
    /^au_(store_)?customers$/.test(name),
  );
  assert.ok(found, 'a gauge of customers is exposed');
  return found[1];
}

for (const store of STORES) {
  suite(`REST on ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared);

    test('join makes a session active and answers {"success":true}', async () => {
      const beat = aBeat();
      const answer = await daemon.post('join', beat);
      assert.equal(answer.status, 200);
      assert.equal(answer.text, '{"success":true}');
      assert.match(answer.headers['content-type'], /^application\/json/);
      assert.equal(await daemon.count(beat.customerId), 1);
    });

    test('a second join of a session is one session still', async () => {
      const beat = aBeat();
      await daemon.must('join', beat);
      await daemon.must('join', { ...beat, tabId: 'tab-2' });
      assert.equal(await daemon.count(beat.customerId), 1);
    });

    test('a beat renews, and a beat of a session that is gone creates it again', async () => {
      const beat = aBeat();
      assert.deepEqual(await daemon.must('beat', beat), { success: true });
      assert.equal(await daemon.count(beat.customerId), 1);
      await daemon.must('beat', beat);
      assert.equal(await daemon.count(beat.customerId), 1);
      await daemon.must('leave', beat);
      await daemon.must('beat', beat);
      assert.equal(await daemon.count(beat.customerId), 1);
    });

    test('a beat with metrics=1 is answered with what GET /metrics gives', async () => {
      const beat = aBeat();
      const answer = await daemon.must('beat?metrics=1', beat);
      assert.deepEqual(Object.keys(answer).sort(), ['metrics', 'success']);
      const read = await daemon.metrics(beat.customerId);
      assert.deepEqual({ ...answer.metrics, timestamp: 0 }, { ...read, timestamp: 0 });
      assert.equal(answer.metrics.count, 1);
    });

    test('leave ends the session of the tab that holds it', async () => {
      const beat = aBeat();
      await daemon.must('join', beat);
      assert.deepEqual(await daemon.must('leave', beat), { success: true });
      assert.equal(await daemon.count(beat.customerId), 0);
    });

    test('leave by a tab that does not hold the session changes nothing, and is 200', async () => {
      const beat = aBeat();
      await daemon.must('join', beat);
      await daemon.must('leave', { ...beat, tabId: 'tab-2' });
      assert.equal(await daemon.count(beat.customerId), 1);
      await daemon.must('leave', { ...beat, sessionId: freshId('stranger') });
      assert.equal(await daemon.count(beat.customerId), 1);
    });

    for (const action of ['join', 'beat']) {
      test(`a ${action} by another tab takes the session over`, async () => {
        const beat = aBeat();
        await daemon.must('join', beat);
        await daemon.must(action, { ...beat, tabId: 'tab-2' });
        await daemon.must('leave', beat);
        assert.equal(await daemon.count(beat.customerId), 1, 'the former holder cannot end it');
        await daemon.must('leave', { ...beat, tabId: 'tab-2' });
        assert.equal(await daemon.count(beat.customerId), 0);
      });
    }

    test('leave of an unknown customer creates nothing and is 200', async () => {
      const beat = aBeat();
      await daemon.must('leave', beat);
      assert.equal(await daemon.count(beat.customerId), 0);
    });

    test('customers are counted apart, also with equal session ids', async () => {
      const [one, two] = [freshId(), freshId()];
      const joins = [];
      for (let i = 0; i < 7; i += 1)
        joins.push(daemon.must('join', aBeat({ customerId: one, sessionId: `s${i}` })));
      for (let i = 0; i < 3; i += 1)
        joins.push(daemon.must('join', aBeat({ customerId: two, sessionId: `s${i}` })));
      await Promise.all(joins);
      assert.equal(await daemon.count(one), 7);
      assert.equal(await daemon.count(two), 3);
      await daemon.must('leave', aBeat({ customerId: one, sessionId: 's0' }));
      assert.equal(await daemon.count(one), 6);
      assert.equal(await daemon.count(two), 3);
    });

    test('metrics of an unknown customer are zeros with a time', async () => {
      const customerId = freshId();
      const before = Date.now();
      const metrics = await daemon.metrics(customerId);
      const zeros = { count: 0, ema: 0, peakToday: 0, peak: 0 };
      assert.deepEqual(metrics, { timestamp: metrics.timestamp, customerId, ...zeros });
      assert.ok(metrics.timestamp >= before - 1000 && metrics.timestamp <= Date.now() + 1000);
    });

    test('ids of every allowed character and of 128 characters are taken', async () => {
      const odd = `Az09._~@=+/-${freshId()}`;
      const long = freshId('x').padEnd(128, 'y');
      await daemon.must('join', { customerId: odd, sessionId: odd, tabId: odd });
      await daemon.must('join', { customerId: long, sessionId: long, tabId: long });
      assert.equal(await daemon.count(odd), 1);
      assert.equal(await daemon.count(long), 1);
    });

    const badIds = [
      ['missing', undefined],
      ['empty', ''],
      ['a number', 7],
      ['null', null],
      ['true', true],
      ['an array', ['shop']],
      ['an object', { id: 'shop' }],
      ['129 characters', 'x'.repeat(129)],
      ['a colon', 'a:b'],
      ['a star', '*'],
      ['a question mark', 'a?'],
      ['brackets', '[ab]'],
      ['braces', '{a}'],
      ['a backslash', 'a\\b'],
      ['a space', 'a b'],
      ['a percent sign', 'a%20b'],
      ['a line end', 'a\r\nSET x y'],
      ['an escape character', 'a\u001b[31m'],
      ['a letter beyond ASCII', 'mağaza'],
      ['DEL', 'a\u007f'],
    ];
    for (const field of ['customerId', 'sessionId', 'tabId']) {
      for (const [what, value] of badIds) {
        test(`${field} ${what}: 400 that names it, and nothing is stored`, async () => {
          for (const action of ['join', 'beat', 'leave']) {
            const beat = { ...aBeat(), [field]: value };
            assertBadRequest(await daemon.post(action, beat), field);
            if (field !== 'customerId') assert.equal(await daemon.count(beat.customerId), 0);
          }
        });
      }
    }

    test('the message of a missing field is the one of the contract', async () => {
      const answer = await daemon.post('join', { sessionId: 's', tabId: 't' });
      assert.deepEqual(answer.json, {
        error: 'Bad Request',
        message: 'customerId is required',
        field: 'customerId',
      });
    });

    const badExtras = [
      ['timestamp', '"1234567890"'],
      ['timestamp', 'true'],
      ['timestamp', '{}'],
      ['timestamp', '1e999'],
      ['platform', '7'],
      ['platform', '["desktop"]'],
      ['platform', JSON.stringify('x'.repeat(65))],
      ['platform', JSON.stringify('é'.repeat(33))],
      ['userAgent', '7'],
      ['userAgent', '{}'],
      ['isLeader', '"yes"'],
      ['isLeader', '1'],
    ];
    for (const [field, literal] of badExtras) {
      test(`join with ${field} ${literal.slice(0, 20)}: 400 that names it`, async () => {
        const beat = aBeat();
        const body = `${JSON.stringify(beat).slice(0, -1)},"${field}":${literal}}`;
        assertBadRequest(await daemon.post('join', body), field);
        assert.equal(await daemon.count(beat.customerId), 0);
      });
    }

    test('join takes every optional field at its limit', async () => {
      const extras = [
        { timestamp: 1234567890, platform: 'desktop', userAgent: 'Mozilla/5.0', isLeader: false },
        {
          timestamp: -1.5e10,
          platform: 'é'.repeat(32),
          userAgent: 'ü'.repeat(2000),
          isLeader: true,
        },
        { timestamp: 0, platform: '', userAgent: '', unknown: [{ deep: {} }] },
      ];
      for (const extra of extras) {
        const beat = aBeat();
        await daemon.must('join', { ...beat, ...extra });
        assert.equal(await daemon.count(beat.customerId), 1);
      }
    });

    test('field names are case-sensitive', async () => {
      const { customerId, ...rest } = aBeat();
      assertBadRequest(
        await daemon.post('join', { ...rest, CUSTOMERID: customerId }),
        'customerId',
      );
    });

    const ids = '"sessionId":"s","tabId":"t"';
    const malformed = [
      ['an empty body', ''],
      ['spaces only', '   '],
      ['no JSON', 'hello'],
      ['null', 'null'],
      ['a string', '"shop"'],
      ['an array', '[{"customerId":"malformed"}]'],
      ['half an object', `{"customerId":"malformed",${ids}`],
      ['bytes behind the object', `{"customerId":"malformed",${ids}}x`],
      ['two objects', `{"customerId":"malformed",${ids}}{}`],
      ['a comma too many', `{"customerId":"malformed",${ids},}`],
      ['a key without quotes', `{customerId:"malformed",${ids}}`],
      ['single quotes', `{'customerId':"malformed",${ids}}`],
      ['a comment', `{"customerId":"malformed",/**/${ids}}`],
      ['a duplicate key', `{"customerId":"malformed","customerId":"malformed",${ids}}`],
      [
        'a duplicate key in other letters',
        `{"customerId":"malformed","customer\\u0049d":"other",${ids}}`,
      ],
      ['a duplicate of a key nobody reads', `{"customerId":"malformed",${ids},"x":1,"x":2}`],
      ['a raw line end in a string', `{"customerId":"malformed",${ids},"x":"a\nb"}`],
      ['a raw NUL in a string', `{"customerId":"malformed",${ids},"x":"a\0b"}`],
      ['a raw NUL behind the object', `{"customerId":"malformed",${ids}}\0`],
      ['\\u0000 in an id', `{"customerId":"malformed\\u0000x",${ids}}`],
      ['\\u0000 elsewhere', `{"customerId":"malformed",${ids},"x":"\\u0000"}`],
      ['an unknown escape', `{"customerId":"malformed",${ids},"x":"\\x41"}`],
      ['a bad \\u escape', `{"customerId":"malformed",${ids},"x":"\\u12g4"}`],
      ['half a surrogate pair', `{"customerId":"malformed",${ids},"x":"\\ud800"}`],
      ['the other half', `{"customerId":"malformed",${ids},"x":"\\udc00"}`],
      [
        'a byte that is no UTF-8',
        Buffer.from(`{"customerId":"malformed",${ids},"x":"\xff"}`, 'latin1'),
      ],
      [
        'an overlong form',
        Buffer.from(`{"customerId":"malformed",${ids},"x":"\xc0\x80"}`, 'latin1'),
      ],
      [
        'a surrogate in UTF-8',
        Buffer.from(`{"customerId":"malformed",${ids},"x":"\xed\xa0\x80"}`, 'latin1'),
      ],
      [
        'UTF-8 cut short',
        Buffer.from(`{"customerId":"malformed",${ids},"x":"\xe2\x82"}`, 'latin1'),
      ],
      ['a number with a leading zero', `{"customerId":"malformed",${ids},"x":01}`],
      ['a number with a plus', `{"customerId":"malformed",${ids},"x":+1}`],
      ['a number that begins with a point', `{"customerId":"malformed",${ids},"x":.5}`],
      ['a number that ends with a point', `{"customerId":"malformed",${ids},"x":1.}`],
      ['hexadecimal', `{"customerId":"malformed",${ids},"x":0x10}`],
      ['NaN', `{"customerId":"malformed",${ids},"timestamp":NaN}`],
      ['Infinity', `{"customerId":"malformed",${ids},"timestamp":Infinity}`],
      ['a depth bomb of arrays', `{"x":${'['.repeat(16_000)}`],
      ['a depth bomb of objects', '{"x":'.repeat(3000)],
      [
        'a well-formed depth of 100',
        `{"customerId":"malformed",${ids},"x":${'['.repeat(100)}${']'.repeat(100)}}`,
      ],
    ];
    for (const [what, body] of malformed) {
      test(`${what}: 400, and nothing is stored`, async () => {
        assertBadRequest(await daemon.post('join', body));
        assert.equal(await daemon.count('malformed'), 0);
      });
    }

    test('after all of that it is healthy', () => daemon.assertHealthy());

    test('a body of 16 KiB is taken', async () => {
      const beat = aBeat({ filler: '' });
      beat.filler = 'x'.repeat(16 * 1024 - JSON.stringify(beat).length);
      await daemon.must('join', beat);
      assert.equal(await daemon.count(beat.customerId), 1);
    });

    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'text/plain',
      'text/plain;charset=UTF-8',
    ]) {
      test(`a body of type ${type} is taken`, async () => {
        const beat = aBeat();
        const answer = await daemon.post('join', beat, { 'content-type': type });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(await daemon.count(beat.customerId), 1);
      });
    }

    test('the customer of GET /metrics may be percent-encoded', async () => {
      const customerId = `a+b=c/d@${freshId()}`;
      await daemon.must('join', aBeat({ customerId }));
      const everyByte = [...customerId]
        .map((c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
        .join('');
      const answer = await daemon.get(`/metrics?x=1&customerId=${everyByte}&y`);
      assert.equal(answer.json.count, 1);
      assert.equal(answer.json.customerId, customerId);
    });

    const badQueries = [
      ['no value', 'customerId='],
      ['no equals sign', 'customerId'],
      ['a colon', 'customerId=a:b'],
      ['an encoded colon', 'customerId=a%3Ab'],
      ['an encoded star', 'customerId=%2A'],
      ['an encoded NUL', 'customerId=a%00'],
      ['an encoded line end', 'customerId=a%0d%0aX'],
      ['half an escape', 'customerId=a%4'],
      ['no escape', 'customerId=a%zz'],
      ['129 characters', `customerId=${'x'.repeat(129)}`],
      ['a query without a customer', 'x=1'],
      ['a query that names another', 'customerid=a'],
      ['the customer twice', 'customerId=a&customerId=b'],
      ['the same customer twice', 'customerId=a&customerId=a'],
    ];
    for (const [what, query] of badQueries) {
      test(`GET /metrics with ${what}: 400 that names customerId`, async () => {
        assertBadRequest(await daemon.get(`/metrics?${query}`), 'customerId');
      });
    }
  });

  suite(`expiry on ${store}`, async (test, shared) => {
    const daemon = await startOn(store, shared, { 'presence-ttl': 1 });

    test('a session ends one TTL after its last sign of life', async () => {
      const beat = aBeat();
      const joined = Date.now();
      await daemon.must('join', beat);
      await daemon.waitCount(beat.customerId, 0);
      const lived = Date.now() - joined;
      assert.ok(lived >= 900, `it lived ${lived} ms`);
    });

    test('beats keep it alive past its TTL', async () => {
      const [kept, left] = [aBeat(), aBeat()];
      await daemon.must('join', left);
      await daemon.must('join', kept);
      const joined = Date.now();
      await waitFor('three TTLs to pass under beats', async () => {
        await daemon.must('beat', kept);
        assert.equal(await daemon.count(kept.customerId), 1);
        return Date.now() - joined > 3000;
      });
      assert.equal(await daemon.count(left.customerId), 0);
    });
  });

  suite(
    `state that requests leave behind on ${store}`,
    async (test, shared) => {
      const daemon = await startOn(store, shared, { 'ema-interval': 50 });

      test('reading, refusing and leaving create no customer', async () => {
        for (let i = 0; i < 50; i += 1) {
          await daemon.metrics(freshId());
          await daemon.must('leave', aBeat());
          assertBadRequest(await daemon.post('join', aBeat({ tabId: '' })), 'tabId');
        }
        assert.equal(await customersKept(daemon), 0);
        if (store === 'redis')
          assert.deepEqual(await (await daemon.redis.client()).keys('*shop-*'), []);
      });

      test('a customer whose sessions are gone and whose ema has faded is forgotten', async () => {
        const beat = aBeat();
        await daemon.must('join', beat);
        await waitFor('a tick', async () => (await daemon.metrics(beat.customerId)).ema > 0);
        await daemon.must('leave', beat);
        await waitFor('ema 0', async () => (await daemon.metrics(beat.customerId)).ema === 0);
        await waitFor('no customer kept', async () => (await customersKept(daemon)) === 0);
      });
    },
    { concurrency: 1 },
  );
}
