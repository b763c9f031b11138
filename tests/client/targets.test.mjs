// What the script tag writes into a page, and what it keeps when the daemon counts without its store.
import assert from 'node:assert/strict';
import test from 'node:test';

import { load } from './harness/sdk.mjs';

const { createTargets, pluralOf } = await load('modules/targets.js');

/** A document as far as targets look at one. */
function pageWith(elements) {
  const observers = [];
  globalThis.MutationObserver = class {
    constructor(run) {
      observers.push(run);
    }
    observe() {}
    disconnect() {
      observers.length = 0;
    }
  };
  return {
    document: {
      querySelectorAll(selector) {
        if (selector === '#1') throw new DOMException('no selector', 'SyntaxError');
        return elements.filter((it) => it.selector === selector);
      },
    },
    changed: () => observers.forEach((run) => run()),
  };
}

const element = (selector, lang) => ({
  selector,
  textContent: '…',
  hidden: true,
  closest: () => lang && { getAttribute: () => lang },
});

const metrics = (count, stale) => ({ count, stale, ema: 0, smoothed: 0, timestamp: 1 });

test('while stale, the last whole number stays; without one, what there is is shown', () => {
  const it = element('#n');
  const targets = createTargets(pageWith([it]).document, { target: '#n', words: {} });
  targets.show(metrics(3, true));
  assert.equal(it.textContent, '3');
  targets.show(metrics(40));
  targets.show(metrics(2, true));
  assert.equal(it.textContent, '40');
  targets.show(metrics(41));
  assert.equal(it.textContent, '41');
});

for (const [name, lang, words, count, expected] of [
  ['a number alone', 'en', {}, 1234, '1234'],
  ['one', 'en', { one: 'person', other: 'people' }, 1, '1 person'],
  ['other', 'en', { one: 'person', other: 'people' }, 2, '2 people'],
  ['a template', 'en', { other: 'We are {count}!' }, 2, 'We are 2!'],
  ['a form that is missing', 'pl', { one: 'osoba', other: 'osób' }, 3, '3 osób'],
  ['only one form', 'en', { one: 'here' }, 5, '5 here'],
  ['a lang that is none', '!!', { one: 'person', other: 'people' }, 1, '1 person'],
])
  test(`words: ${name}`, () => {
    const it = element('#n', lang);
    createTargets(pageWith([it]).document, { target: '#n', words }).show(metrics(count));
    assert.equal(it.textContent, expected);
  });

test('a wrapper is revealed by the first number, and once: the page may hide it again', () => {
  const [it, wrapper] = [element('#n'), element('#w')];
  const targets = createTargets(pageWith([it, wrapper]).document, {
    target: '#n',
    show: '#w',
    words: {},
  });
  assert.equal(wrapper.hidden, true);
  targets.show(metrics(1));
  assert.equal(wrapper.hidden, false);
  wrapper.hidden = true;
  targets.show(metrics(1));
  targets.show(metrics(2));
  assert.equal(wrapper.hidden, true);
});

test('a late target is filled, and what another script wrote into one is left alone', async () => {
  const elements = [element('.n')];
  const page = pageWith(elements);
  const targets = createTargets(page.document, { target: '.n', words: {} });
  targets.show(metrics(1));
  elements[0].textContent = 'one!';
  elements.push(element('.n'));
  page.changed();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(
    elements.map((it) => it.textContent),
    ['one!', '1'],
  );
  assert.throws(() => createTargets(page.document, { target: '#1', words: {} }), DOMException);
  assert.equal(pluralOf(1, 'not a language'), 'one');
});
