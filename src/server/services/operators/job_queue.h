/* Jobs that run one after the other. Knows nothing of what a job does. */
#ifndef SERVICES_JOB_QUEUE_H
#define SERVICES_JOB_QUEUE_H

#include <active_users/types.h>

/* Embedded as the first member of a job. */
typedef struct queued_job {
  struct queued_job *next;
} queued_job;

typedef struct job_queue {
  /* Begins a job; job_queue_finish follows, later, when this is AU_OK. */
  au_status (*start)(queued_job *job);
  /* Reports the outcome of a job and frees it. May add others. */
  void (*end)(queued_job *job, au_status status);
  queued_job *first, *last; /* the first one runs */
  unsigned count;
  bool is_running;
} job_queue;

/* Starts a job now, or when those before it are done. Returns AU_OK, or what `start` did: the job
 * is still the caller's then. */
AU_MUST_CHECK au_status job_queue_add(job_queue *q, queued_job *job);

/* The first job is done: ends it, and starts the next that can be started. */
void job_queue_finish(job_queue *q, au_status status);

/* Ends all jobs with AU_ECANCELED. */
void job_queue_cancel(job_queue *q);

#endif
