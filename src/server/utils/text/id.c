/* The characters of an id. */
#include "id.h"

#include "utils/buffer.h"

/* A-Z a-z 0-9 . _ ~ @ = + / - */
static const byte_set characters = {{
    UINT64_C(0x23ffe80000000000), /* + - . / 0-9 = */
    UINT64_C(0x47fffffe87ffffff), /* @ A-Z _ a-z ~ */
}};

bool id_has_character(char c) {
  return byte_set_has(&characters, c);
}

bool id_valid(au_slice id) {
  return id.len >= 1 && id.len <= AU_ID_MAX && slice_is_of(id, &characters);
}
