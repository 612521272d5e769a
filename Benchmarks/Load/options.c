#define _GNU_SOURCE
#include "options.h"

#include "pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: load HOST PORT --connections N --bytes B --pipeline D\n"
    "            (--seconds S | --requests R | --idle-seconds S)\n"
    "            [--warmup-seconds W | --begin-at MONOTONIC_NANOSECONDS]\n"
    "            [--server-pid PID] [--counter-file PATH] [--json]\n";

static _Noreturn void refuse(const char *name, const char *value, const char *accepted) {
    fprintf(stderr, "load: %s '%s' isn't accepted: %s\n%s", name, value, accepted, usage);
    exit(2);
}

static uint64_t read_integer(const char *name, const char *text, uint64_t least, uint64_t most) {
    char *end, accepted[80];
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno == 0 && end != text && *end == 0 && value >= least && value <= most) return value;
    snprintf(accepted, sizeof accepted, "a whole number from %llu to %llu",
             (unsigned long long)least, (unsigned long long)most);
    refuse(name, text, accepted);
}

static double read_seconds(const char *name, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end != text && *end == 0 && value >= 0 && value <= 3600) return value;
    refuse(name, text, "seconds from 0 to 3600");
}

static void read_option(struct options *options, int option, const char *value) {
    switch (option) {
    case 'c':
        options->connections = (uint32_t)read_integer("--connections", value, 1, 28000);
        break;
    case 'b':
        options->bytes = (uint32_t)read_integer("--bytes", value, 1, PATTERN_RUN_MAX);
        break;
    case 'd': options->pipeline = (uint32_t)read_integer("--pipeline", value, 1, 4096); break;
    case 's': options->seconds = read_seconds("--seconds", value); break;
    case 'r': options->requests = read_integer("--requests", value, 1, 1000000000); break;
    case 'w': options->warmup_seconds = read_seconds("--warmup-seconds", value); break;
    case 'a': options->begin_at = read_integer("--begin-at", value, 1, INT64_MAX); break;
    case 'i': options->idle_seconds = read_seconds("--idle-seconds", value); break;
    case 'p': options->server_pid = (int)read_integer("--server-pid", value, 1, 1 << 30); break;
    case 'f': options->counter_file = value; break;
    case 'j': options->json = true; break;
    default: fputs(usage, stderr); exit(2);
    }
}

struct options read_options(int argc, char **argv) {
    static const struct option names[] = {
        {"connections", required_argument, NULL, 'c'},
        {"bytes", required_argument, NULL, 'b'},
        {"pipeline", required_argument, NULL, 'd'},
        {"seconds", required_argument, NULL, 's'},
        {"requests", required_argument, NULL, 'r'},
        {"warmup-seconds", required_argument, NULL, 'w'},
        {"begin-at", required_argument, NULL, 'a'},
        {"idle-seconds", required_argument, NULL, 'i'},
        {"server-pid", required_argument, NULL, 'p'},
        {"counter-file", required_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},
        {0}};
    struct options options = {.connections = 1, .bytes = 64, .pipeline = 1};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        read_option(&options, option, optarg);
    if (argc - optind != 2) {
        fputs(usage, stderr);
        exit(2);
    }
    options.address.sin_family = AF_INET;
    if (inet_pton(AF_INET, argv[optind], &options.address.sin_addr) != 1)
        refuse("HOST", argv[optind], "an IPv4 address");
    options.address.sin_port = htons((uint16_t)read_integer("PORT", argv[optind + 1], 1, 65535));
    int windows = (options.seconds > 0) + (options.requests > 0) + (options.idle_seconds > 0);
    if (windows != 1) {
        fprintf(stderr, "load: give one of --seconds, --requests, --idle-seconds\n%s", usage);
        exit(2);
    }
    return options;
}
