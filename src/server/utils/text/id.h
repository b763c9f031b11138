/* What an id may look like, wherever it comes from. */
#ifndef UTILS_ID_H
#define UTILS_ID_H

#include <active_users/types.h>

/* 1 to AU_ID_MAX characters of `A-Z a-z 0-9 . _ ~ @ = + / -`. */
bool id_valid(au_slice id);
bool id_has_character(char c);

#endif
