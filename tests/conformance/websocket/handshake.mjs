// The opening handshake (RFC 6455, 4). A case is refused, or upgraded and then answers a ping.
import { ours } from '../verdicts.mjs';

const upgraded = (name, handshake, more = {}) => ({
  name,
  rule: 'RFC 6455 4.2',
  handshake,
  ...more,
});
const refused = (name, handshake, status, rule = 'RFC 6455 4.2.1', headers) => ({
  name,
  rule,
  handshake,
  refused: { status, headers },
});

const lines = (values) => ({ lines: values });
const key = (value) => lines({ 'Sec-WebSocket-Key': value });

export default [
  upgraded('a plain handshake', {}),
  upgraded('the key of the RFC', key('dGhlIHNhbXBsZSBub25jZQ==')),
  upgraded('a key of zeros', key('AAAAAAAAAAAAAAAAAAAAAA==')),
  upgraded('a key of + and /', key('+/+/+/+/+/+/azAZ09++/w==')),
  upgraded('Upgrade in capitals', lines({ Upgrade: 'WEBSOCKET' })),
  upgraded('Upgrade as WebSocket', lines({ Upgrade: 'WebSocket' })),
  upgraded('Connection in small letters', lines({ Connection: 'upgrade' })),
  upgraded('Connection in capitals', lines({ Connection: 'UPGRADE' })),
  upgraded('Connection as Firefox sends it', lines({ Connection: 'keep-alive, Upgrade' })),
  upgraded('Connection with Upgrade first', lines({ Connection: 'Upgrade, keep-alive' })),
  upgraded(
    'Connection without a space behind the comma',
    lines({ Connection: 'keep-alive,Upgrade' }),
  ),
  upgraded('header names in small letters', {
    lines: { Upgrade: null, Connection: null },
    extra: ['upgrade: websocket', 'connection: Upgrade'],
  }),
  upgraded('header names in capitals', {
    lines: { Upgrade: null, Connection: null },
    extra: ['UPGRADE: websocket', 'CONNECTION: Upgrade'],
  }),
  upgraded('no space behind the colon', { lines: { Upgrade: null }, extra: ['Upgrade:websocket'] }),
  upgraded('spaces around a value', {
    lines: { Upgrade: null },
    extra: ['Upgrade:   websocket  '],
  }),
  upgraded('a large cookie', lines({ Cookie: `a=${'c'.repeat(4000)}` })),
  upgraded('thirty other headers', {
    extra: Array.from({ length: 30 }, (_, i) => `X-Header-${i}: value`),
  }),
  upgraded('an Origin', lines({ Origin: 'https://shop.example' })),
  upgraded('a User-Agent', lines({ 'User-Agent': 'Mozilla/5.0' })),
  upgraded('Host with a port', lines({ Host: 'localhost:8080' })),
  upgraded('a HTTP/1.1 handshake byte by byte', {}, { handshakePieces: 1 }),
  upgraded('a handshake in pieces of seven bytes', {}, { handshakePieces: 7 }),
  upgraded(
    'an extension is offered, and none need be taken',
    lines({ 'Sec-WebSocket-Extensions': 'x-unknown' }),
    {
      headers: { 'sec-websocket-extensions': null },
    },
  ),
  ours(
    upgraded(
      'compression is offered and not taken',
      lines({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }),
      {
        headers: { 'sec-websocket-extensions': null },
      },
    ),
  ),
  upgraded(
    'no subprotocol is offered, and none is chosen',
    {},
    { headers: { 'sec-websocket-protocol': null } },
  ),
  ours(
    upgraded(
      'a subprotocol is offered and none is chosen',
      lines({ 'Sec-WebSocket-Protocol': 'chat, superchat' }),
      {
        headers: { 'sec-websocket-protocol': null },
      },
    ),
  ),

  refused('no Upgrade', lines({ Upgrade: null }), [426]),
  refused('an empty Upgrade', lines({ Upgrade: '' }), [426]),
  refused('another protocol in Upgrade', lines({ Upgrade: 'h2c' }), [426]),
  refused('a longer token in Upgrade', lines({ Upgrade: 'websockets' }), [426]),
  refused('no Connection', lines({ Connection: null }), [426]),
  refused('an empty Connection', lines({ Connection: '' }), [426]),
  refused('Connection: keep-alive', lines({ Connection: 'keep-alive' }), [426]),
  refused('Connection: close', lines({ Connection: 'close' }), [426]),
  refused('Connection: upgrades', lines({ Connection: 'upgrades' }), [426]),
  refused('no key', lines({ 'Sec-WebSocket-Key': null }), [400]),
  refused('an empty key', key(''), [400]),
  refused('a key of 15 bytes', key('dGhlIHNhbXBsZSBub25j'), [400]),
  refused('a key of 17 bytes', key('dGhlIHNhbXBsZSBub25jZQA='), [400]),
  refused('a key that is no base64', key('dGhlIHNhbXBsZSBub25jZ!=='), [400]),
  refused('a key in base64url', key('dGhlIHNhbXBsZS-ub25jZQ=='), [400]),
  refused('a key without its padding', key('dGhlIHNhbXBsZSBub25jZQ'), [400]),
  refused('two keys', { extra: ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='] }, [400]),
  refused('no version', lines({ 'Sec-WebSocket-Version': null }), [426]),
  refused('an empty version', lines({ 'Sec-WebSocket-Version': '' }), [426]),
  ...['0', '7', '12', '14', '99', '130', '-13', 'x', '13x'].map((version) =>
    refused(
      `version ${version}`,
      lines({ 'Sec-WebSocket-Version': version }),
      [426],
      'RFC 6455 4.4',
    ),
  ),
  ours(
    refused(
      'version 8: the answer names 13',
      lines({ 'Sec-WebSocket-Version': '8' }),
      [426],
      'RFC 6455 4.4',
      {
        'sec-websocket-version': /^13$/,
        upgrade: /^websocket$/i,
      },
    ),
  ),
  ours(refused('two versions', { extra: ['Sec-WebSocket-Version: 13'] }, [400])),
  refused('POST', { method: 'POST', lines: { 'Content-Length': '0' } }, [400, 405]),
  refused('PUT', { method: 'PUT', lines: { 'Content-Length': '0' } }, [400, 405]),
  refused('HEAD', { method: 'HEAD' }, [400, 405]),
  refused('HTTP/1.0', { version: 'HTTP/1.0' }, [400]),
  refused('HTTP/0.9', { version: 'HTTP/0.9' }, [400, 505]),
  refused('HTTP/2.0', { version: 'HTTP/2.0' }, [400, 505]),
  refused('no Host', lines({ Host: null }), [400]),
  ours(refused('two Hosts', { extra: ['Host: other'] }, [400])),
  ours(refused('a body', { lines: { 'Content-Length': '1' }, body: 'x' }, [400])),
  ours(refused('another path', { path: '/ws/other' }, [404])),
  ours(refused('the path with a slash behind it', { path: '/ws/active-users/' }, [404])),
  ours(upgraded('the path with a query', { path: '/ws/active-users?v=1' })),
];
