// What the suites import. Each file of harness/ has one subject.
export * from './harness/cluster.mjs';
export * from './harness/daemon.mjs';
export * from './harness/http.mjs';
export * from './harness/port.mjs';
export * from './harness/proxy.mjs';
export * from './harness/redis.mjs';
export * from './harness/socket.mjs';
export * from './harness/ticks.mjs';
export * from './harness/traffic.mjs';
export * from './harness/wait.mjs';
