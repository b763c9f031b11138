// Responses read off a connection, tolerant enough for any server.

function chunkedEnd(bytes, start) {
  for (let at = start; ;) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return -1;
    const size = parseInt(bytes.toString('latin1', at, line), 16);
    if (Number.isNaN(size)) throw new Error('bad chunk from the server');
    if (size === 0) {
      const end = bytes.indexOf('\r\n\r\n', line);
      return end < 0 ? -1 : end + 4;
    }
    at = line + 2 + size + 2;
    if (at > bytes.length) return -1;
  }
}

/** Takes one response off the connection, or null when it is not whole yet. */
export function takeResponse(connection, { method }) {
  const bytes = connection.received;
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [statusLine, ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine);
  if (!match) throw new Error(`not a status line: ${statusLine.slice(0, 60)}`);
  const status = Number(match[1]);
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) throw new Error(`not a header line: ${line.slice(0, 60)}`);
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const start = headEnd + 4;
  let end = start;
  if (method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304) {
    if (/chunked/i.test(headers['transfer-encoding'] ?? '')) end = chunkedEnd(bytes, start);
    else if ('content-length' in headers) end = start + Number(headers['content-length']);
    else end = connection.ended ? bytes.length : -1;
  }
  if (end < 0 || bytes.length < end) return null;
  const body = connection.take(end).subarray(start);
  return { status, headers, body };
}
