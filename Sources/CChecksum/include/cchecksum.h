#ifndef DAYBOOK_CCHECKSUM_H
#define DAYBOOK_CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `count` bytes, continued from `checksum`
/// (0 to begin). Uses the processor's instruction where it has one, a table where not.
uint32_t daybook_crc32c(uint32_t checksum, const void *bytes, size_t count);

/// The same by table alone, so that a test can compare the two.
uint32_t daybook_crc32c_portable(uint32_t checksum, const void *bytes, size_t count);

#endif
