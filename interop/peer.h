/* What the interop peers have in common.
 *
 *   PEER client|server PORT ccac|cbc PSKHEX [name=number ...]
 *
 * Loopback only, one connection. A peer prints "connected <suite>", sends one line of text, prints the line it gets as
 * "got: <text>", closes, and exits 0; it exits 1 when any of that fails and 2 when it was called wrongly. */
#ifndef TUTK_INTEROP_PEER_H
#define TUTK_INTEROP_PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PSK_IDENTITY "AUTHPWD_admin"
#define PSK_BYTES 32

struct call {
    int server;
    const char *port;
    int ccac;                        /* 0xCCAC; otherwise 0x00AE */
    const char *psk_hex;
    unsigned char psk[PSK_BYTES];
    int optc;
    char **optv;
};

/* Reads the command line or exits. Output is unbuffered, because the caller reads it while we run. */
static struct call read_call(int argc, char **argv)
{
    struct call call = {0};
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc < 5 || strlen(argv[4]) != 2 * PSK_BYTES) {
        fprintf(stderr, "usage: %s client|server PORT ccac|cbc PSKHEX [name=number ...]\n", argv[0]);
        exit(2);
    }
    call.server = strcmp(argv[1], "server") == 0;
    call.port = argv[2];
    call.ccac = strcmp(argv[3], "ccac") == 0;
    call.psk_hex = argv[4];
    for (int i = 0; i < PSK_BYTES; i++)
        if (sscanf(argv[4] + 2 * i, "%2hhx", &call.psk[i]) != 1)
            exit(2);
    call.optc = argc - 5;
    call.optv = argv + 5;
    return call;
}

/* The number given as name=number, or `otherwise`. */
static inline int option(const struct call *call, const char *name, int otherwise)
{
    size_t n = strlen(name);
    for (int i = 0; i < call->optc; i++)
        if (strncmp(call->optv[i], name, n) == 0 && call->optv[i][n] == '=')
            return atoi(call->optv[i] + n + 1);
    return otherwise;
}

static inline int failed(const char *what, const char *why)
{
    printf("failed: %s: %s\n", what, why);
    return 1;
}

#endif
