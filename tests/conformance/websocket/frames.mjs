// Frames of RFC 6455 as a client might send them, right or wrong.

export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const MASK = Buffer.from([0x1b, 0x9d, 0x42, 0xf0]);

/** The length field: as few bytes as it takes, or `form` 7, 16 or 64. */
function lengthField(length, form) {
  const bits = form ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  if (bits === 7) return [Number(length), Buffer.alloc(0)];
  const bytes = Buffer.alloc(bits / 8);
  if (bits === 16) bytes.writeUInt16BE(Number(length));
  else bytes.writeBigUInt64BE(length);
  return [bits === 16 ? 126 : 127, bytes];
}

/**
 * One frame. `announce` is the length it claims, when not that of the payload; `mask` is null for
 * none; `form` is the width of the length field.
 */
export function frame(opcode, payload = '', options = {}) {
  const { fin = true, rsv = 0, mask = MASK, announce, form } = options;
  const body = Buffer.from(payload);
  const [short, long] = lengthField(BigInt(announce ?? body.length), form);
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (mask ? 0x80 : 0) | short]);
  if (!mask) return Buffer.concat([head, long, body]);
  return Buffer.concat([head, long, mask, body.map((byte, i) => byte ^ mask[i % 4])]);
}

export const text = (payload, options) => frame(OP.text, payload, options);
export const binary = (payload, options) => frame(OP.binary, payload, options);
export const more = (payload, options) => frame(OP.continuation, payload, options);
export const ping = (payload, options) => frame(OP.ping, payload, options);
export const pong = (payload, options) => frame(OP.pong, payload, options);

/** A close frame; without a code its payload is empty. */
export function close(code, reason = '', options = {}) {
  if (code === undefined) return frame(OP.close, '', options);
  const bytes = Buffer.from(reason);
  return frame(OP.close, Buffer.concat([Buffer.from([code >> 8, code & 255]), bytes]), options);
}

/** `payload` as a message in fragments of the sizes given, the rest in the last. */
export function fragments(payload, sizes) {
  const bytes = Buffer.from(payload);
  const frames = [];
  let at = 0;
  for (const size of sizes) {
    frames.push(
      frame(frames.length ? OP.continuation : OP.text, bytes.subarray(at, at + size), {
        fin: false,
      }),
    );
    at += size;
  }
  frames.push(frame(frames.length ? OP.continuation : OP.text, bytes.subarray(at)));
  return frames;
}

/** Takes the server's next frame off the connection, or null when it is not whole yet. */
export function takeFrame(connection) {
  const bytes = connection.received;
  if (bytes.length < 2) return null;
  let length = bytes[1] & 127;
  let at = 2;
  if (length === 126) {
    if (bytes.length < 4) return null;
    length = bytes.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return null;
    length = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  if (bytes.length < at + length) return null;
  const masked = (bytes[1] & 0x80) !== 0;
  const payload = Buffer.from(connection.take(at + length).subarray(at));
  return {
    opcode: bytes[0] & 15,
    fin: bytes[0] >= 0x80,
    rsv: (bytes[0] >> 4) & 7,
    masked,
    payload,
  };
}
