/* What goes wrong, and when: drawn from the seed. Tells the model what to forgive until then,
 * and nothing else. */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "instance.h"

/* What faults may do to daemons. */
typedef struct faults_hooks {
  instance *(*daemon_at)(int place); /* NULL: not there */
  int places;
  void (*stop)(int place, bool killed); /* and started again a while later */
  bool (*is_alive)(int host);
} faults_hooks;

void faults_begin(uint64_t seed, const faults_hooks *hooks, int64_t end_ms);
void faults_step(void);
int64_t faults_next_ms(void);
/* All that is wrong is put right now. */
void faults_end(void);
const char *faults_summary(void);

#endif
