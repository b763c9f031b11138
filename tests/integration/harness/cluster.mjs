// A real Redis Cluster: masters with equal shares of the slots, and replicas of the first.
import net from 'node:net';

import { freePort } from './port.mjs';
import { waitFor } from './wait.mjs';
import { startRedis } from './redis.mjs';

const SLOTS = 16384;

/** CRC16 (XMODEM) of a customer's id, bit by bit: another way than the daemon's. */
export function slotOf(customerId) {
  let crc = 0;
  for (const byte of Buffer.from(customerId)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc % SLOTS;
}

/** The key the reference names, as it is called in a Cluster. */
export const taggedKeyOf = ({ customerId, sessionId }) => `presence:{${customerId}}:${sessionId}`;

/**
 * What nodes say to each other goes by this, so that one can be cut off from all others while its
 * clients see nothing of it. Nodes are told apart by the addresses that they connect from.
 */
class BusProxy {
  #from; // the address of the node that it leads to
  #isolated;
  #server;
  #sockets = new Set();

  constructor(from, isolated) {
    this.#from = from;
    this.#isolated = isolated;
  }

  async start(t, busPort) {
    this.#server = net.createServer((socket) => {
      if (this.#isCut(socket.remoteAddress)) return socket.destroy();
      const other = net.connect(busPort(), '127.0.0.1');
      const pair = { from: socket.remoteAddress, ends: [socket, other] };
      this.#sockets.add(pair);
      const close = () => {
        pair.ends.forEach((end) => end.destroy());
        this.#sockets.delete(pair);
      };
      for (const end of pair.ends) end.on('error', close).on('close', close);
      return socket.pipe(other).pipe(socket);
    });
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      this.cut(() => true);
      this.#server.close();
    });
    return this.#server.address().port;
  }

  #isCut(address) {
    return this.#isolated.has(address) || this.#isolated.has(this.#from);
  }

  cut(isCut = (address) => this.#isCut(address)) {
    for (const { from, ends } of this.#sockets)
      if (isCut(from)) ends.forEach((end) => end.destroy());
  }
}

/** `isolated`: the addresses of nodes that hear no others. */
async function startNode(t, nodeTimeoutMs, address, isolated) {
  let busPort; // another one when it was taken
  const proxy = isolated && new BusProxy(address, isolated);
  const announced = await proxy?.start(t, () => busPort);
  const node = await startRedis(t, {
    options: async () =>
      `--cluster-enabled yes --cluster-config-file nodes.conf
       --cluster-port ${(busPort = await freePort())} --cluster-node-timeout ${nodeTimeoutMs} --cluster-require-full-coverage no
       --cluster-replica-validity-factor 0 --repl-diskless-sync-delay 0
       ${proxy ? `--cluster-announce-bus-port ${announced} --cluster-announce-ip 127.0.0.1
       --bind-source-addr ${address}` : ''}`.trim().split(/\s+/),
  });
  return Object.assign(node, { busPort: announced ?? busPort, address, proxy });
}

class Cluster {
  constructor(nodes, masters) {
    this.nodes = nodes;
    this.masters = masters;
    const hosts = nodes.map((node) => `127.0.0.1:${node.port}`);
    this.url = `redis+cluster://${hosts.slice(0, masters.length).join(',')}`;
  }

  /** Cuts a node of `{ canIsolate: true }` off from all others; clients still reach it. */
  isolate(node) {
    this.isolated.add(node.address);
    for (const { proxy } of this.nodes) proxy.cut();
  }

  /** The master that a customer had at the start. */
  masterOf(customerId) {
    return this.masters[Math.floor((slotOf(customerId) * this.masters.length) / SLOTS)];
  }

  /** Ids of `count` customers that live there. */
  customersOf(master, count, prefix) {
    const found = [];
    for (let i = 0; found.length < count; i += 1)
      if (this.masterOf(`${prefix}-${i}`) === master) found.push(`${prefix}-${i}`);
    return found;
  }
}

const firstSlot = (i, masters) => Math.ceil((i * SLOTS) / masters);

export const info = async (node) =>
  Object.fromEntries(
    (await node.ask.call('CLUSTER', 'INFO')).split('\r\n').map((line) => line.split(':')),
  );

/** Nodes have `ask`, a client, and `id`. Each thinks that all is well when this returns. */
export async function startCluster(
  t,
  { masters = 3, replicas = 0, nodeTimeoutMs = 1000, canIsolate = false } = {},
) {
  const isolated = canIsolate ? new Set() : undefined;
  const nodes = await Promise.all(
    Array.from({ length: masters + replicas }, (_, i) =>
      startNode(t, nodeTimeoutMs, `127.0.0.${10 + i}`, isolated),
    ),
  );
  for (const [i, node] of nodes.entries()) {
    node.ask = await node.client();
    node.id = await node.ask.call('CLUSTER', 'MYID');
    await node.ask.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    if (i >= masters) continue;
    const [from, to] = [firstSlot(i, masters), firstSlot(i + 1, masters) - 1];
    await node.ask.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
  }
  for (const node of nodes.slice(1)) {
    await nodes[0].ask.call('CLUSTER', 'MEET', '127.0.0.1', node.port, node.busPort);
  }
  await waitFor('the nodes to know each other', async () => {
    for (const node of nodes) {
      const { cluster_state, cluster_known_nodes, cluster_slots_ok } = await info(node);
      if (cluster_state !== 'ok' || cluster_slots_ok !== String(SLOTS)) return false;
      if (Number(cluster_known_nodes) !== nodes.length) return false;
    }
    return true;
  });
  for (const replica of nodes.slice(masters)) {
    await replica.ask.call('CLUSTER', 'REPLICATE', nodes[0].id);
    await waitFor('the replica to follow', async () =>
      (await replica.ask.call('INFO', 'replication')).includes('master_link_status:up'),
    );
  }
  return Object.assign(new Cluster(nodes, nodes.slice(0, masters)), { isolated });
}

/** Begins to move a slot; `MIGRATE` and `CLUSTER SETSLOT … NODE` are left to the test. */
export async function beginMove(slot, from, to) {
  await to.ask.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
  await from.ask.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
}

export const moveKey = (key, from, to) =>
  from.ask.call('MIGRATE', '127.0.0.1', to.port, key, 0, 5000);

export async function moveKeys(slot, from, to) {
  const keys = await from.ask.call('CLUSTER', 'GETKEYSINSLOT', slot, 1000);
  if (keys.length > 0)
    await from.ask.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
  return keys.length;
}

export async function endMove(slot, to, nodes) {
  for (const node of [to, ...nodes]) await node.ask.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
}
