// The limits that tests and measurements switch off, unless they are about them.

/** Every limit of an address, a customer or a socket, off. */
export const UNLIMITED = {
  'rate-ip': 0,
  'rate-customer': 0,
  'socket-rate': 0,
  'new-sessions-ip': 0,
  'max-sessions-ip': 0,
  'max-sessions-customer': 0,
  'max-connections-ip': 0,
};
