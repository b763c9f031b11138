/* What the daemon asks of the kernel for its own process: descriptors, privileges and what
 * may be read of its memory. Knows no option. */
#ifndef PROCESS_H
#define PROCESS_H

#include <active_users/types.h>

/* Opens /dev/null in the place of a standard descriptor that is closed: it would go to the
 * first socket, and what is printed would reach a client. */
void process_hold_standard_descriptors(void);

/* Sockets that the service manager passes (sd_listen_fds(3)): `fds` gets their numbers, `max` at
 * most. Returns how many there are, 0 without any, which may be more than `max`. They are not
 * handed on to children. */
size_t process_passed_sockets(const char *(*environment)(const char *name), int *fds, size_t max);

/* Sets the soft limit of descriptors for so many connections, as far as the hard one allows. */
void process_set_descriptor_limit(uint32_t max_connections);

/* Neither this process nor a child of it gains privileges by running a program. */
void process_give_up_privileges(void);

/* No core dump, no debugger and no /proc/PID/mem for other processes of this user: the memory
 * holds a secret. */
void process_hide_memory(void);

/* Large blocks go back to the kernel when they are freed: what a crowd of connections held does
 * not stay here. Before any of them is allocated. */
void process_return_memory(void);

/* A copy of the arguments that lives as long as the process; NULL when out of memory. The
 * originals are what other users of the host can read. */
char **process_copy_arguments(int argc, char *const *argv);
void process_free_arguments(char **arguments);

#endif
