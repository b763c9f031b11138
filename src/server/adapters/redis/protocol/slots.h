/* Which of a Redis Cluster's slots a key belongs to. Knows no nodes. */
#ifndef ADAPTERS_REDIS_SLOTS_H
#define ADAPTERS_REDIS_SLOTS_H

#include <active_users/types.h>

enum { REDIS_SLOTS = 16384 };

/* The slot of a key: that of the text in its first braces, unless that is empty, else that of the
 * whole key. */
uint16_t redis_slot_of(au_slice key);

/* CRC16 as the Redis Cluster specification has it (XMODEM: polynomial 0x1021, begun with 0). */
uint16_t redis_crc16(au_slice bytes);

#endif
