#include "clinux.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DAYBOOK_THREAD_SANITIZER
void __tsan_acquire(void *place);
void __tsan_release(void *place);
#endif
#endif

void daybook_sanitizer_acquire(void *place) {
#ifdef DAYBOOK_THREAD_SANITIZER
    __tsan_acquire(place);
#else
    (void)place;
#endif
}

void daybook_sanitizer_release(void *place) {
#ifdef DAYBOOK_THREAD_SANITIZER
    __tsan_release(place);
#else
    (void)place;
#endif
}
