#include "cchecksum.h"

#include <string.h>

// The reflected Castagnoli polynomial.
static const uint32_t polynomial = 0x82F63B78u;

static uint32_t table[256];

__attribute__((constructor)) static void fill_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) {
            value = (value >> 1) ^ ((value & 1) ? polynomial : 0);
        }
        table[byte] = value;
    }
}

uint32_t daybook_crc32c_portable(uint32_t checksum, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    uint32_t value = ~checksum;
    while (count-- > 0) {
        value = table[(value ^ *next++) & 0xFF] ^ (value >> 8);
    }
    return ~value;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(
    uint32_t checksum, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    uint64_t value = (uint32_t)~checksum;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        value = __builtin_ia32_crc32di(value, word);
        next += 8;
        count -= 8;
    }
    uint32_t rest = (uint32_t)value;
    while (count-- > 0) {
        rest = __builtin_ia32_crc32qi(rest, *next++);
    }
    return ~rest;
}

uint32_t daybook_crc32c(uint32_t checksum, const void *bytes, size_t count) {
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(checksum, bytes, count)
                                            : daybook_crc32c_portable(checksum, bytes, count);
}

#else

uint32_t daybook_crc32c(uint32_t checksum, const void *bytes, size_t count) {
    return daybook_crc32c_portable(checksum, bytes, count);
}

#endif
