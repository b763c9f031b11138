// The script tag: global `ActiveUsers`, the element, and a client when the tag names a customer.
import { autoStart, baseOf, findTag } from './auto-start.js';
import { ActiveUsersElement, defineActiveUsers } from './element.js';
import { ActiveUsersClient } from './index.js';

const script = findTag(document);
const apiUrl = script?.dataset.apiUrl ?? baseOf(script);
defineActiveUsers(apiUrl ? { apiUrl } : {});

// Assigned, since a module or a bundle keeps its variables to itself.
Object.assign(globalThis, {
  ActiveUsers: {
    ActiveUsersClient,
    ActiveUsersElement,
    defineActiveUsers,
    /** The client that the tag started, if it named a customer. */
    client: autoStart(script),
  },
});
