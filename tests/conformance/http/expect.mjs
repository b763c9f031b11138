// What a server does with one request.

/** Makes cases whose request is taken, with such an answer. */
export const taken =
  (answer) =>
  (name, rule, send, more = {}) => ({
    name,
    rule,
    send,
    answers: [answer],
    then: 'open',
    ...more,
  });

export const refused = (name, rule, send, more = {}) => ({
  name,
  rule,
  send,
  answers: ['refused'],
  then: 'closed',
  ...more,
});
