/* Differences of what the kernel accounts to a process. */
#include "meter.h"

#include "proc.h"

au_status meter_init(meter *m, const load_options *o) {
  *m = (meter){.options = o};
  for (unsigned i = 0; i < o->pid_count; i++) {
    au_status status = proc_rss_bytes(o->pids[i], &m->rss_from[i]);
    if (status == AU_OK) status = proc_cpu_ns(o->pids[i], &m->cpu_from_ns[i]);
    if (status != AU_OK) return status;
  }
  return AU_OK;
}

void meter_start(meter *m) {
  for (unsigned i = 0; i < m->options->pid_count; i++)
    if (proc_cpu_ns(m->options->pids[i], &m->cpu_from_ns[i]) != AU_OK) m->lost = true;
}

void meter_stop(meter *m) {
  uint64_t now_ns = 0;
  for (unsigned i = 0; i < m->options->pid_count; i++) {
    if (proc_cpu_ns(m->options->pids[i], &now_ns) == AU_OK)
      m->cpu_ns[i] += now_ns - m->cpu_from_ns[i];
    else
      m->lost = true;
  }
}

static void name_of(char name[64], const char *what, const char *unit, unsigned which) {
  char number[16] = "";
  if (which > 0) snprintf(number, sizeof number, "_%u", which + 1);
  snprintf(name, 64, "%s%s%s", what, unit, number);
}

void meter_report_cpu(const meter *m, report *r, const char *unit, uint64_t count) {
  char name[64];
  if (count == 0 || m->lost) return;
  for (unsigned i = 0; i < m->options->pid_count; i++) {
    name_of(name, "cpu_us_per_", unit, i);
    report_number(r, name, (double)m->cpu_ns[i] / 1e3 / (double)count, 3);
  }
}

void meter_weigh(meter *m) {
  for (unsigned i = 0; i < m->options->pid_count; i++)
    if (proc_rss_bytes(m->options->pids[i], &m->rss_to[i]) != AU_OK) m->lost = true;
}

void meter_report_memory(const meter *m, report *r, const char *unit, uint64_t count) {
  char name[64];
  if (count == 0 || m->lost) return;
  for (unsigned i = 0; i < m->options->pid_count; i++) {
    name_of(name, "rss_bytes", "", i);
    report_number(r, name, (double)m->rss_to[i], 0);
    name_of(name, "rss_bytes_per_", unit, i);
    report_number(r, name, ((double)m->rss_to[i] - (double)m->rss_from[i]) / (double)count, 1);
  }
}
