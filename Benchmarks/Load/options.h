// The command line of the load generator.
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct options {
    struct sockaddr_in address;
    uint32_t connections;
    uint32_t bytes;        // Of one message.
    uint32_t pipeline;     // Messages a connection keeps in flight.
    double seconds;        // The measured window's length; 0 when it is `requests` long.
    double warmup_seconds; // Load before the window; checked, but not counted.
    uint64_t begin_at;     // Monotonic nanoseconds at which the window begins; 0 for after warm-up.
    double idle_seconds;   // Above 0: open the connections, then only hold them.
    uint64_t requests;     // The measured window's length in requests; 0 when it is timed.
    int server_pid;        // Whose CPU time to read at both ends of the window; 0 for none.
    const char *counter_file; // From malloc_count, read at both ends of the window; or NULL.
    bool json;
};

// Ends the process with status 2 and a sentence when the command line can't be used.
struct options read_options(int argc, char **argv);

#endif
