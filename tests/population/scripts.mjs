// How people behave. Each script is one life, from coming to being gone; it is run again as
// another person until the population is over.

/** A person without a script tag of ours: joins, beats, leaves. */
async function rest(b, crowd) {
  await b.live('join');
  for (let i = 0; i < 3 && !crowd.isOver; i += 1) {
    await crowd.wait(crowd.beatMs);
    await b.live();
  }
  await b.leave();
}

/** Beats that bring the number along. */
async function poller(b, crowd) {
  for (let i = 0; i < 4; i += 1) {
    await b.live('beat', { metrics: true });
    await crowd.wait(crowd.beatMs);
  }
  await b.leave();
}

/** A page view after the other, by HTTP: each page says that it goes, the next one comes. */
async function reloader(b, crowd) {
  await b.live();
  for (let i = 0; i < 4; i += 1) {
    await crowd.pause(200 + crowd.random() * 1500);
    await b.go(crowd.pageGraceMs);
    b.tab += 1;
    await b.live();
  }
  await b.go(crowd.pageGraceMs);
}

/**
 * The same with sockets. The close of the socket is the goodbye, or it ends before one by HTTP, or
 * behind it.
 */
async function socket(b, crowd) {
  let ws = await b.open();
  for (let i = 0; i < 6; i += 1) {
    await crowd.pause(300 + crowd.random() * 1500);
    if (i % 3 === 0) {
      await b.goWith(ws, crowd.pageGraceMs);
    } else {
      if (i % 3 === 1) b.vanish(ws, { clean: true });
      await b.go(crowd.pageGraceMs);
      if (i % 3 === 2) b.vanishAfterGoodbye(ws);
    }
    b.tab += 1;
    ws = await b.open();
  }
  await crowd.wait(crowd.beatMs);
  await b.goWith(ws, crowd.pageGraceMs);
}

/** A window with three tabs, of which each has a socket, is closed. */
async function closer(b, crowd) {
  const sockets = [];
  for (let i = 0; i < 3; i += 1) {
    b.tab = i;
    sockets.push(await b.open());
  }
  await crowd.pause(crowd.random() * 1500);
  await Promise.all(sockets.map((ws) => b.goWith(ws, crowd.pageGraceMs)));
}

/** Several tabs with a socket each; they end one after the other. */
async function tabs(b, crowd) {
  const sockets = [];
  for (let i = 0; i < 3; i += 1) {
    b.tab = i;
    sockets.push(await b.open());
    await crowd.wait(100);
  }
  for (const ws of sockets.splice(1).reverse()) {
    // The one that holds the session goes first.
    await crowd.pause(500 + crowd.random() * 1000);
    b.dropTab(ws);
  }
  await crowd.wait(crowd.graceMs + 500); // were one of them the last, it would be over now
  b.vanish(sockets[0]);
}

/** Another tab takes the session over; the goodbye of the first one means nothing then. */
async function handOver(b, crowd) {
  await b.live();
  for (let i = 0; i < 4; i += 1) {
    const before = b.ids;
    b.tab += 1;
    await b.live();
    await b.post('leave', before);
    await crowd.wait(crowd.beatMs / 2);
  }
  await b.leave();
}

/** A laptop that sleeps for longer than a TTL and wakes again. */
async function sleeper(b, crowd) {
  await b.live();
  await crowd.wait(crowd.ttlMs + 2000);
  await b.live();
  await crowd.wait(500);
  await b.leave();
}

/** Gone without a word. */
async function crash(b, crowd) {
  const ws = await b.open();
  await crowd.pause(crowd.random() * 2000);
  b.vanish(ws);
}

export const SCRIPTS = { rest, poller, reloader, socket, closer, tabs, handOver, sleeper, crash };
