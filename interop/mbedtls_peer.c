/* DTLS 1.2 PSK peer over mbedTLS, the one library that fragments down to an MTU of 100.
 * Options: mtu=N, cookie=0 (server does not ask for one), ems=0, etm=0. Build: cc mbedtls_peer.c -lmbedtls -lmbedx509 -lmbedcrypto */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cookie.h>
#include <mbedtls/timing.h>

#include "peer.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_ssl_config config;
static mbedtls_ssl_context ssl;
static mbedtls_ssl_cookie_ctx cookies;
static mbedtls_timing_delay_context timer;
static mbedtls_net_context listener, peer;

static int report(const char *what, int code)
{
    char text[128];
    mbedtls_strerror(code, text, sizeof text);
    return failed(what, text);
}

static int configure(const struct call *call)
{
    static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_NONE};
    static int suites[2];
    const unsigned char *identity = (const unsigned char *)PSK_IDENTITY;

    suites[0] = call->ccac ? MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256
                           : MBEDTLS_TLS_PSK_WITH_AES_128_CBC_SHA256;
    mbedtls_ssl_config_defaults(&config, call->server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &drbg);
    mbedtls_ssl_conf_ciphersuites(&config, suites);
    mbedtls_ssl_conf_curves(&config, curves);
    mbedtls_ssl_conf_extended_master_secret(&config, option(call, "ems", 1));
    mbedtls_ssl_conf_encrypt_then_mac(&config, option(call, "etm", 1));
    mbedtls_ssl_conf_read_timeout(&config, 5000);
    mbedtls_ssl_conf_handshake_timeout(&config, 300, 4000);
    if (call->server && option(call, "cookie", 1)) {
        int code = mbedtls_ssl_cookie_setup(&cookies, mbedtls_ctr_drbg_random, &drbg);
        if (code)
            return code;
        mbedtls_ssl_conf_dtls_cookies(&config, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &cookies);
    } else {
        mbedtls_ssl_conf_dtls_cookies(&config, NULL, NULL, NULL);
    }
    return mbedtls_ssl_conf_psk(&config, call->psk, PSK_BYTES, identity, strlen(PSK_IDENTITY));
}

/* One attempt. A server that sent a cookie has to start over with the hello that brings it back. */
static int attempt(const struct call *call)
{
    unsigned char address[16];
    size_t address_len;
    int code;

    if (call->server) {
        mbedtls_net_free(&peer);
        mbedtls_ssl_session_reset(&ssl);
        if ((code = mbedtls_net_accept(&listener, &peer, address, sizeof address, &address_len)))
            return code;
        mbedtls_ssl_set_client_transport_id(&ssl, address, address_len);
    } else if ((code = mbedtls_net_connect(&peer, "127.0.0.1", call->port, MBEDTLS_NET_PROTO_UDP))) {
        return code;
    }
    mbedtls_ssl_set_bio(&ssl, &peer, mbedtls_net_send, mbedtls_net_recv, mbedtls_net_recv_timeout);
    do
        code = mbedtls_ssl_handshake(&ssl);
    while (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE);
    return code;
}

int main(int argc, char **argv)
{
    struct call call = read_call(argc, argv);
    const char *text = "hello-from-mbedtls";
    unsigned char buf[256];
    int code;

    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_cookie_init(&cookies);
    mbedtls_net_init(&listener);
    mbedtls_net_init(&peer);
    if ((code = mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0)) ||
        (code = configure(&call)) || (code = mbedtls_ssl_setup(&ssl, &config)))
        return report("set-up", code);
    if (option(&call, "mtu", 0))
        mbedtls_ssl_set_mtu(&ssl, option(&call, "mtu", 0));
    mbedtls_ssl_set_timer_cb(&ssl, &timer, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
    if (call.server && (code = mbedtls_net_bind(&listener, "127.0.0.1", call.port, MBEDTLS_NET_PROTO_UDP)))
        return report("bind", code);

    do
        code = attempt(&call);
    while (code == MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED);
    if (code)
        return report("handshake", code);
    printf("connected %s\n", mbedtls_ssl_get_ciphersuite(&ssl));
    mbedtls_ssl_write(&ssl, (const unsigned char *)text, strlen(text));
    if ((code = mbedtls_ssl_read(&ssl, buf, sizeof buf - 1)) <= 0)
        return report("read", code);
    printf("got: %.*s\n", code, buf);
    mbedtls_ssl_close_notify(&ssl);
    return 0;
}
