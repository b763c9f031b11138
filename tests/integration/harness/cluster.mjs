// A real Redis Cluster: masters with equal shares of the slots, and replicas of the first.
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

function startNode(t, nodeTimeoutMs) {
  return startRedis(t, {
    options: async () =>
      `--cluster-enabled yes --cluster-config-file nodes.conf --cluster-port ${await freePort()}
       --cluster-node-timeout ${nodeTimeoutMs} --cluster-require-full-coverage no
       --cluster-replica-validity-factor 0 --repl-diskless-sync-delay 0`.split(/\s+/),
  });
}

class Cluster {
  constructor(nodes, masters) {
    this.nodes = nodes;
    this.masters = masters;
    const hosts = nodes.map((node) => `127.0.0.1:${node.port}`);
    this.url = `redis+cluster://${hosts.slice(0, masters.length).join(',')}`;
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

const info = async (node) =>
  Object.fromEntries(
    (await node.ask.call('CLUSTER', 'INFO')).split('\r\n').map((line) => line.split(':')),
  );

/** Nodes have `ask`, a client, and `id`. Each thinks that all is well when this returns. */
export async function startCluster(t, { masters = 3, replicas = 0, nodeTimeoutMs = 1000 } = {}) {
  const nodes = await Promise.all(
    Array.from({ length: masters + replicas }, () => startNode(t, nodeTimeoutMs)),
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
    const busPort = node.arguments[node.arguments.indexOf('--cluster-port') + 1];
    await nodes[0].ask.call('CLUSTER', 'MEET', '127.0.0.1', node.port, busPort);
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
  return new Cluster(nodes, nodes.slice(0, masters));
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
