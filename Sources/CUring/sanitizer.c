// What ThreadSanitizer is told, in programs that are built for it; elsewhere nothing.

#define _GNU_SOURCE 1
#include "CUring.h"

#include <dlfcn.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CU_THREAD_SANITIZER 1
// compiler-rt, sanitizer/tsan_interface.h.
extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);
#endif
#endif

#ifdef CU_THREAD_SANITIZER
// Swift's runtime tells of the hand-over of tasks between threads once this function of its own was called. The
// sanitizer's start does so on other systems; on Linux it finds the empty one that is linked into the program.
__attribute__((constructor)) static void let_the_runtime_tell(void) {
    void *library = dlopen("libswiftCore.so", RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL) return;
    void (*start)(void) = (void (*)(void))dlsym(library, "__tsan_on_initialize");
    if (start != NULL) start();
}
#endif

void cu_lock_was_taken(void *mark) {
#ifdef CU_THREAD_SANITIZER
    __tsan_acquire(mark);
#else
    (void)mark;
#endif
}

void cu_lock_will_be_left(void *mark) {
#ifdef CU_THREAD_SANITIZER
    __tsan_release(mark);
#else
    (void)mark;
#endif
}
