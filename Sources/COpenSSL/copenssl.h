#ifndef DAYBOOK_COPENSSL_H
#define DAYBOOK_COPENSSL_H

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Macros as functions, for Swift sees constants only.

/// A context for both roles, TLS 1.2 or later, that writes what it can and keeps no idle buffers.
static inline SSL_CTX *daybook_tls_context(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (context == NULL) return NULL;
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

static const unsigned char daybook_alpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/// Chooses http/1.1 (RFC 7301); who offers other protocols alone is refused.
static inline int daybook_select_http(SSL *session, const unsigned char **chosen,
                                      unsigned char *length, const unsigned char *offered,
                                      unsigned int offered_length, void *context) {
    (void)session;
    (void)context;
    return SSL_select_next_proto((unsigned char **)chosen, length, daybook_alpn,
                                 sizeof daybook_alpn, offered,
                                 offered_length) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static inline void daybook_tls_speak_http(SSL_CTX *context) {
    SSL_CTX_set_alpn_select_cb(context, daybook_select_http, NULL);
}

/// Both ends present certificates of the authorities that the context knows.
static inline void daybook_tls_require_peer(SSL_CTX *context) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

/// The name that the server's certificate must have: a DNS name, or an address.
static inline int daybook_tls_expect_name(SSL *session, const char *name) {
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name) == 1) return 1;
    return SSL_set1_host(session, name) == 1 && SSL_set_tlsext_host_name(session, name) == 1;
}

/// The common name of the peer's certificate, which was verified; its bytes, or -1.
static inline int daybook_tls_peer_name(const SSL *session, char *buffer, int count) {
    X509 *certificate = SSL_get0_peer_certificate(session);
    if (certificate == NULL) return -1;
    return X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, buffer,
                                     count);
}

static inline EVP_PKEY *daybook_new_key(void) { return EVP_EC_gen("P-256"); }

static inline int daybook_add_extension(X509 *certificate, X509 *issuer, int nid,
                                        const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL) return 0;
    int added = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

/// What is in a memory BIO: its bytes, which stay valid until it is freed.
static inline long daybook_bio_bytes(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

#endif
