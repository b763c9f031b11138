// What the suites import. Each file of harness/ has one subject.
export * from './harness/certificates.mjs';
export * from './harness/cluster.mjs';
export * from './harness/daemon.mjs';
export * from './harness/events.mjs';
export * from './harness/faketime.mjs';
export * from './harness/http.mjs';
export * from './harness/passed.mjs';
export * from './harness/port.mjs';
export * from './harness/proxy.mjs';
export * from './harness/receiver.mjs';
export * from './harness/redis.mjs';
export * from './harness/socket.mjs';
export * from './harness/ticks.mjs';
export * from './harness/token.mjs';
export * from './harness/traffic.mjs';
export * from './harness/wait.mjs';
