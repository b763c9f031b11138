// The script tag: global `ActiveUsers`, the element, and a client when the tag names a customer.
import { autoStart } from './auto-start.js';
import { defineActiveUsers } from './element.js';

export { defineActiveUsers, ActiveUsersElement } from './element.js';
export { ActiveUsersClient } from './index.js';

const script = document.currentScript as HTMLScriptElement | null;
defineActiveUsers(script?.src ? { apiUrl: new URL(script.src).origin } : {});

/** The client that the tag started, if it named a customer. */
export const client = autoStart(script);
