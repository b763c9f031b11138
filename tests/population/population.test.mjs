// The population in short. `make population` runs it with 2,000 people for minutes.
import { suite } from '../integration/harness.mjs';
import { judge, play, SCENES } from './scenes.mjs';

suite(
  'a population',
  async (test) => {
    for (const scene of SCENES)
      test(`${scene.name}: every surface says the truth every second, and nobody stays behind`, async (t) => {
        const crowd = await play(t, scene, { people: 80, seconds: scene.faults ? 16 : 8 });
        judge(crowd, scene);
        for (const line of crowd.table()) t.diagnostic(line);
      });
  },
  { concurrency: 4 },
);
