// All cases of HTTP/1.1, by subject.
import framing from './framing.mjs';
import headers from './headers.mjs';
import lines from './lines.mjs';
import pipelining from './pipelining.mjs';

export default [...lines, ...headers, ...framing, ...pipelining];
