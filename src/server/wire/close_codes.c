/* What the table of close codes says of one. */
#include "close_codes.h"

#include <stddef.h>

static const struct row {
  uint16_t code;
  bool is_fault;
  const char *reason;
} rows[] = {
#define X(name, number, is_fault, reason) {number, is_fault, reason},
    WS_CODE_TABLE(X)
#undef X
};

static const struct row *find(uint16_t code) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (rows[i].code == code) return &rows[i];
  return NULL;
}

const char *ws_code_reason(uint16_t code) {
  const struct row *row = find(code);
  return row ? row->reason : "";
}

bool ws_code_is_fault(uint16_t code) {
  const struct row *row = find(code);
  return row && row->is_fault;
}
