/* DTLS 1.2 PSK client over GnuTLS (its own gnutls-cli crashes after a 0xCCAC handshake; gnutls-serv is the server).
 * Options: mtu=N, ems=0, etm=0. Build: cc gnutls_peer.c -lgnutls */
#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "peer.h"

#define PRIORITY_CCAC \
    "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+ECDHE-PSK:-CIPHER-ALL:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519"
#define PRIORITY_CBC "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA256"

static int connected_socket(const char *port)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
    struct call call = read_call(argc, argv);
    const char *text = "hello-from-gnutls";
    gnutls_datum_t key = {(unsigned char *)call.psk_hex, 2 * PSK_BYTES};
    gnutls_psk_client_credentials_t credentials;
    gnutls_session_t session;
    char priority[256], buf[256];
    int code;

    if (call.server)
        return failed("set-up", "client only; use gnutls-serv");
    snprintf(priority, sizeof priority, "%s%s%s", call.ccac ? PRIORITY_CCAC : PRIORITY_CBC,
             option(&call, "etm", 1) ? "" : ":%NO_ETM", option(&call, "ems", 1) ? "" : ":%NO_SESSION_HASH");
    gnutls_global_init();
    gnutls_psk_allocate_client_credentials(&credentials);
    gnutls_psk_set_client_credentials(credentials, PSK_IDENTITY, &key, GNUTLS_PSK_KEY_HEX);
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_DATAGRAM);
    if ((code = gnutls_priority_set_direct(session, priority, NULL)))
        return failed("priority", gnutls_strerror(code));
    gnutls_credentials_set(session, GNUTLS_CRD_PSK, credentials);
    /* A macro that evaluates its argument twice. */
    int fd = connected_socket(call.port);
    gnutls_transport_set_int(session, fd);
    gnutls_dtls_set_mtu(session, option(&call, "mtu", 1200));
    gnutls_dtls_set_timeouts(session, 300, 5000);

    do
        code = gnutls_handshake(session);
    while (code == GNUTLS_E_INTERRUPTED || code == GNUTLS_E_AGAIN);
    if (code < 0)
        return failed("handshake", gnutls_strerror(code));
    printf("connected %s\n", gnutls_session_get_desc(session));
    gnutls_record_send(session, text, strlen(text));
    gnutls_record_set_timeout(session, 5000);
    if ((code = gnutls_record_recv(session, buf, sizeof buf - 1)) <= 0)
        return failed("read", gnutls_strerror(code));
    printf("got: %.*s\n", code, buf);
    gnutls_bye(session, GNUTLS_SHUT_WR);
    return 0;
}
