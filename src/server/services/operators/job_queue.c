/* A list whose first job runs. */
#include "job_queue.h"

#include <stddef.h>

static queued_job *pop(job_queue *q) {
  queued_job *job = q->first;
  q->first = job->next;
  if (!q->first) q->last = NULL;
  q->count--;
  return job;
}

au_status job_queue_add(job_queue *q, queued_job *job) {
  au_status status = q->is_running ? AU_OK : q->start(job);
  if (status != AU_OK) return status;
  q->is_running = true;
  job->next = NULL;
  *(q->last ? &q->last->next : &q->first) = job;
  q->last = job;
  q->count++;
  return AU_OK;
}

/* What `end` adds waits like any other: it would be started twice if it were started there. */
void job_queue_finish(job_queue *q, au_status status) {
  q->end(pop(q), status);
  while (q->first && (status = q->start(q->first)) != AU_OK) q->end(pop(q), status);
  q->is_running = q->first != NULL;
}

void job_queue_cancel(job_queue *q) {
  while (q->first) q->end(pop(q), AU_ECANCELED);
  q->is_running = false;
}
