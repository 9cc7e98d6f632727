/* A file system without locks, as NFS or FUSE can be: preloaded, it lets flock and locks by fcntl fail with ENOLCK. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>

typedef int (*control)(int, int, ...);

static int refuse(void)
{
    errno = ENOLCK;
    return -1;
}

static int locks(int command)
{
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

int flock(int file, int operation)
{
    (void)file;
    return operation & LOCK_UN ? 0 : refuse();
}

#define PASS_ON(name)                                                                                                  \
    int name(int file, int command, ...)                                                                               \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
        va_start(arguments, command);                                                                                  \
        void *argument = va_arg(arguments, void *);                                                                    \
        va_end(arguments);                                                                                             \
        return locks(command) ? refuse() : ((control)dlsym(RTLD_NEXT, #name))(file, command, argument);                \
    }

PASS_ON(fcntl)
PASS_ON(fcntl64)
