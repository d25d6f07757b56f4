/*
 * Lets Debian's User-Mode Linux run on processors with AMX. linux.uml 6.1 supports 2,696 bytes of extended registers; a host
 * whose processor has more refuses to set so few (EFAULT), which kills the first program of the guest. This library pads a
 * short set with zeros, the initial state, which is correct: no program of the guest has requested AMX.
 *
 * tests/kernel/run builds this library if necessary and loads it with LD_PRELOAD.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef long ptrace_function(int request, pid_t pid, void *address, void *data);

static char whole[64 * 1024];
static size_t size; /* of the host's extended registers */

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_function *host;
	struct iovec all = { whole, sizeof(whole) };
	struct iovec *given;
	va_list arguments;
	pid_t pid;
	void *address;

	va_start(arguments, request);
	pid = va_arg(arguments, pid_t);
	address = va_arg(arguments, void *);
	given = va_arg(arguments, struct iovec *);
	va_end(arguments);
	if (host == NULL)
		host = (ptrace_function *)dlsym(RTLD_NEXT, "ptrace");
	if (request != PTRACE_SETREGSET || address != (void *)NT_X86_XSTATE)
		return host(request, pid, address, given);
	if (size == 0 && host(PTRACE_GETREGSET, pid, address, &all) == 0) {
		size = all.iov_len;
		memset(whole, 0, sizeof(whole));
	}
	if (given->iov_len >= size)
		return host(request, pid, address, given);
	memcpy(whole, given->iov_base, given->iov_len);
	all.iov_len = size;
	return host(request, pid, address, &all);
}
