/* A terminal as a page of lines that is drawn again and again, and keys. One at a time: what it
 * changes of the terminal is taken back at the end and on the signals that end a process. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdint.h>

#include "utils/buffer.h"

typedef enum terminal_key {
  KEY_NONE, /* the time is over, or the size has changed */
  KEY_QUIT, /* q, Ctrl-C, a signal, or the terminal is gone */
  KEY_UP,
  KEY_DOWN,
  KEY_PAGE_UP,
  KEY_PAGE_DOWN,
} terminal_key;

/* Whether standard output is a terminal that this can draw on, and standard input its keys. */
bool terminal_is_here(void);

/* Takes the screen; false: the terminal does not let it. */
bool terminal_open(void);
void terminal_close(void);

void terminal_size(unsigned *rows, unsigned *columns);

/* Draws lines that end with "\n" from the top, and clears what is below. */
void terminal_draw(au_slice lines);

/* Waits for a key, at most so long. */
terminal_key terminal_wait(uint32_t timeout_ms);

#endif
