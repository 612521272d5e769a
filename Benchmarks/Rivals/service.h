// What both rivals share: the command line, the listening socket and the orderly end.
#ifndef RIVALS_SERVICE_H
#define RIVALS_SERVICE_H

struct service {
    int listener;    // Bound and listening; blocking or not as `open_service` was told.
    int termination; // A signalfd: readable once SIGTERM or SIGINT arrived.
    int descriptors; // One more than the highest descriptor this process may open.
};

// Reads `--host A --port N`, listens there. Ends the process with a sentence when it can't.
struct service open_service(int argc, char **argv, int listener_flags);

// Prints `ready` as a line. Call it once connections will be served.
void announce_ready(void);

// Echo replies are small and awaited: Nagle's algorithm would hold them back for 40 ms.
void disable_nagle(int descriptor);

// Prints `what: error` and ends the process with status 1. `error` is a positive errno.
_Noreturn void fail(const char *what, int error);

#endif
