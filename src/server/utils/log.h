/* Structured logs: a line has a component, an event and key=value fields. As text
 * for a person or as one JSON object a line for a machine. Ids of users and
 * addresses belong at debug only.
 *
 *   log_info("http", "listening", LOG_STR("host", host), LOG_INT("port", port));
 */
#ifndef UTILS_LOG_H
#define UTILS_LOG_H

#include <active_users/config.h>

typedef struct log_field {
  const char *key;
  enum { LOG_FIELD_NONE, LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_SLICE } kind;
  const char *str; /* also the bytes of a slice */
  int64_t num;     /* also the length of a slice */
} log_field;

#define LOG_NONE        ((log_field){NULL, LOG_FIELD_NONE, NULL, 0}) /* a line without fields */
#define LOG_STR(k, v)   ((log_field){(k), LOG_FIELD_STR, (v), 0})
#define LOG_INT(k, v)   ((log_field){(k), LOG_FIELD_INT, NULL, (int64_t)(v)})
#define LOG_SLICE(k, v) ((log_field){(k), LOG_FIELD_SLICE, (v).ptr, (int64_t)(v).len})

/* Sends lines to `path` (appended to), or to standard error when it is "". A path is that
 * of a regular file, a terminal or /dev/null and no symbolic link; /dev/stdout and
 * /dev/stderr are the descriptors themselves, whatever they are. Never waits.
 * Returns AU_OK, or AU_EINVAL when it cannot be opened (nothing changed then).
 * Process-wide; call again to reopen after the file was rotated away. */
AU_MUST_CHECK au_status log_open(const char *path);
/* Why the last log_open failed; valid until the next one. */
const char *log_open_error(void);
void log_configure(au_log_level level, au_log_format format);
bool log_enabled(au_log_level level);

/* Writes one line of at most 2 KiB; longer values are cut, control bytes escaped. */
void log_write(au_log_level level, const char *component, const char *event,
               const log_field *fields, size_t n);

/* At least one field, LOG_NONE where there is nothing to add. */
#define LOG_AT(level, component, event, ...)                 \
  do {                                                       \
    if (log_enabled(level)) {                                \
      const log_field log_fields_[] = {__VA_ARGS__};         \
      log_write((level), (component), (event), log_fields_,  \
                sizeof log_fields_ / sizeof log_fields_[0]); \
    }                                                        \
  } while (0)
#define log_error(...) LOG_AT(AU_LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  LOG_AT(AU_LOG_WARN, __VA_ARGS__)
#define log_info(...)  LOG_AT(AU_LOG_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(AU_LOG_DEBUG, __VA_ARGS__)

#endif
