/* DTLS 1.2 PSK peer over wolfSSL. Debian's build has no static PSK suite with AES-CBC, so ccac only; and as a client it
 * refuses X25519 in an ECDHE-PSK exchange ("Bad ECC Peer Key", repaired after 5.5.4 in wolfSSL pull request 7132).
 * Options: ems=0. Build: cc wolfssl_peer.c -lwolfssl */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "peer.h"

static struct call call;

static unsigned client_psk(WOLFSSL *ssl, const char *hint, char *identity, unsigned identity_max,
                           unsigned char *key, unsigned key_max)
{
    (void)ssl, (void)hint;
    if (key_max < PSK_BYTES)
        return 0;
    snprintf(identity, identity_max, "%s", PSK_IDENTITY);
    memcpy(key, call.psk, PSK_BYTES);
    return PSK_BYTES;
}

static unsigned server_psk(WOLFSSL *ssl, const char *identity, unsigned char *key, unsigned key_max)
{
    (void)ssl;
    if (key_max < PSK_BYTES || strcmp(identity, PSK_IDENTITY) != 0)
        return 0;
    memcpy(key, call.psk, PSK_BYTES);
    return PSK_BYTES;
}

static WOLFSSL_CTX *context(void)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(call.server ? wolfDTLSv1_2_server_method() : wolfDTLSv1_2_client_method());
    if (!ctx || wolfSSL_CTX_set_cipher_list(ctx, "ECDHE-PSK-CHACHA20-POLY1305") != SSL_SUCCESS)
        return NULL;
    if (call.server)
        wolfSSL_CTX_set_psk_server_callback(ctx, server_psk);
    else
        wolfSSL_CTX_set_psk_client_callback(ctx, client_psk);
    if (!option(&call, "ems", 1))
        wolfSSL_CTX_DisableExtendedMasterSecret(ctx);
    return ctx;
}

/* A socket tied to the peer: the given port for a client, the first one heard for a server. -1 when nobody came. */
static int connected_socket(struct sockaddr_in *peer)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(call.port))};
    struct timeval limit = {.tv_sec = 8};
    socklen_t len = sizeof *peer;
    char byte;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!call.server) {
        *peer = here;
    } else {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (bind(fd, (struct sockaddr *)&here, sizeof here) != 0 ||
            recvfrom(fd, &byte, 1, MSG_PEEK, (struct sockaddr *)peer, &len) < 0)
            return -1;
    }
    return connect(fd, (struct sockaddr *)peer, sizeof *peer) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
    const char *text = "hello-from-wolfssl";
    struct sockaddr_in peer;
    char buf[256];

    call = read_call(argc, argv);
    wolfSSL_Init();
    WOLFSSL_CTX *ctx = context();
    if (!ctx || !call.ccac)
        return failed("set-up", "suite not in this build");
    int fd = connected_socket(&peer);
    if (fd < 0)
        return failed("socket", "no peer");
    WOLFSSL *ssl = wolfSSL_new(ctx);
    wolfSSL_dtls_set_peer(ssl, &peer, sizeof peer);
    wolfSSL_set_fd(ssl, fd);

    if ((call.server ? wolfSSL_accept(ssl) : wolfSSL_connect(ssl)) != SSL_SUCCESS)
        return failed("handshake", wolfSSL_ERR_error_string(wolfSSL_get_error(ssl, 0), buf));
    printf("connected %s\n", wolfSSL_get_cipher(ssl));
    wolfSSL_write(ssl, text, strlen(text));
    int n = wolfSSL_read(ssl, buf, sizeof buf - 1);
    if (n <= 0)
        return failed("read", wolfSSL_ERR_error_string(wolfSSL_get_error(ssl, n), buf));
    printf("got: %.*s\n", n, buf);
    wolfSSL_shutdown(ssl);
    return 0;
}
