/* SPDX-License-Identifier: BSD-2-Clause */
#include "sandbox.h"

#include <cap-ng.h>
#include <seccomp.h>

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { NOBODY = 65534, SOCKETS_MAX = 256 };

static int failed(char *err, size_t errlen, const char *what, int error)
{
	snprintf(err, errlen, "%s: %s", what, strerror(error));
	return -error;
}

bool sandbox_has_seccomp(void)
{
	return !SANITIZED;
}

static int close_range_or_all(unsigned int first, unsigned int last)
{
	if (first > last)
		return 0;
	/* glibc has had a wrapper since 2.34, the kernel the call since 5.9 */
	return syscall(SYS_close_range, first, last, 0) ? -errno : 0;
}

int sandbox_close_all(int keep)
{
	int r;

	if (keep <= STDERR_FILENO)
		return -EINVAL;
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	r = close_range_or_all(STDERR_FILENO + 1, (unsigned int)keep - 1);
	return r ? r : close_range_or_all((unsigned int)keep + 1, ~0U);
}

/* Root that may change its user becomes one that owns nothing. In a user namespace there may be no
 * such user: then it stays root of nothing, without capabilities. */
static int user_change(void)
{
	if (geteuid() || !capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID))
		return 0;
	if (setgroups(0, NULL) && errno != EPERM)
		return -errno;
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return errno == EINVAL ? 0 : -errno;
	return 0;
}

static int capabilities_drop(char *err, size_t errlen)
{
	int r;

	if (capng_get_caps_process())
		return failed(err, errlen, "cannot read capabilities", EPERM);
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS) || capng_get_caps_process())
			return failed(err, errlen, "cannot clear the bounding set", EPERM);
	}
	r = user_change();
	if (r)
		return failed(err, errlen, "cannot become nobody", -r);
	if (capng_get_caps_process())
		return failed(err, errlen, "cannot read capabilities", EPERM);
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS))
		return failed(err, errlen, "cannot drop capabilities", EPERM);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (capng_get_caps_process() || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return failed(err, errlen, "capabilities are left", EPERM);
	return 0;
}

/* No new file, no process, no byte written to a file. */
static int limits_set(bool network)
{
	static const int none[] = {RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_NOFILE};
	struct rlimit zero = {0, 0}, sockets = {SOCKETS_MAX, SOCKETS_MAX};

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		bool some = network && none[i] == RLIMIT_NOFILE;

		if (setrlimit(none[i], some ? &sockets : &zero))
			return -errno;
	}
	return 0;
}

static int filter_fill(scmp_filter_ctx f)
{
	static const int calls[] = {
	    /* the agent's socket, and standard error for the log */
	    SCMP_SYS(recvfrom),
	    SCMP_SYS(recvmsg),
	    SCMP_SYS(sendto),
	    SCMP_SYS(sendmsg),
	    SCMP_SYS(read),
	    SCMP_SYS(write),
	    SCMP_SYS(writev),
	    SCMP_SYS(close),
	    /* memory */
	    SCMP_SYS(brk),
	    SCMP_SYS(munmap),
	    SCMP_SYS(mremap),
	    SCMP_SYS(madvise),
	    SCMP_SYS(mlock),
	    SCMP_SYS(mlock2),
	    /* time, randomness, locks, signals */
	    SCMP_SYS(clock_gettime),
	    SCMP_SYS(gettimeofday),
	    SCMP_SYS(getrandom),
	    SCMP_SYS(futex),
	    SCMP_SYS(rt_sigreturn),
	    SCMP_SYS(rt_sigprocmask),
	    SCMP_SYS(rt_sigaction),
	    SCMP_SYS(restart_syscall),
	    SCMP_SYS(getpid),
	    SCMP_SYS(gettid),
	    /* the end */
	    SCMP_SYS(exit),
	    SCMP_SYS(exit_group),
	};
	int r;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
		if (r)
			return r;
	}
	/* Memory that can be executed is never made. */
	r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r)
		return r;
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* What talking UDP to resolvers and TCP to servers takes beside that: no listening, no other
 * family.
 */
static int filter_network(scmp_filter_ctx f)
{
	static const int calls[] = {
	    SCMP_SYS(connect),	     SCMP_SYS(getsockopt),  SCMP_SYS(setsockopt),
	    SCMP_SYS(getsockname),   SCMP_SYS(getpeername), SCMP_SYS(shutdown),
	    SCMP_SYS(epoll_ctl),     SCMP_SYS(epoll_wait),  SCMP_SYS(epoll_pwait),
	    SCMP_SYS(epoll_create1), SCMP_SYS(poll),	    SCMP_SYS(readv),
	    SCMP_SYS(fcntl),	     SCMP_SYS(ioctl),	    SCMP_SYS(timerfd_settime),
	};
	static const unsigned int families[] = {AF_INET, AF_INET6}, none[] = {AF_UNIX, AF_NETLINK};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(calls) / sizeof(*calls); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
	for (size_t i = 0; !r && i < sizeof(families) / sizeof(*families); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, families[i], 0));
	/* the libraries try files and netlink, and live without them */
	for (size_t i = 0; !r && i < sizeof(none) / sizeof(*none); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, none[i], 0));
	if (!r)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 0);
	if (!r)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(newfstatat), 0);
	if (!r)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(uname), 0);
	return r;
}

static int filter_load(bool network)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!f)
		return -ENOMEM;
	r = filter_fill(f);
	if (!r && network)
		r = filter_network(f);
	if (!r)
		r = seccomp_load(f);
	seccomp_release(f);
	return r;
}

static int enter(bool seccomp, bool network, char *err, size_t errlen)
{
	int r = capabilities_drop(err, errlen);

	if (r)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return failed(err, errlen, "no_new_privs", errno);
	/* A change of user makes both as they were at first. */
	if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0))
		return failed(err, errlen, "PR_SET_DUMPABLE", errno);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return failed(err, errlen, "PR_SET_PDEATHSIG", errno);
	r = limits_set(network);
	if (r)
		return failed(err, errlen, "resource limits", -r);
	r = seccomp && sandbox_has_seccomp() ? filter_load(network) : 0;
	return r ? failed(err, errlen, "seccomp filter", -r) : 0;
}

int sandbox_enter(bool seccomp, char *err, size_t errlen)
{
	return enter(seccomp, false, err, errlen);
}

int sandbox_enter_network(bool seccomp, char *err, size_t errlen)
{
	return enter(seccomp, true, err, errlen);
}
