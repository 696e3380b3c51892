// SPDX-License-Identifier: BSD-2-Clause
#include "maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const names[XS_MAPS] = {
#define X(name) #name,
    XS_MAP_NAMES(X)
#undef X
};

const char *xs_map_name(enum xs_map map)
{
	return (unsigned int)map < XS_MAPS ? names[map] : NULL;
}

__attribute__((format(printf, 4, 5))) static int fail(int err, char *buf, size_t n, const char *fmt,
						      ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, n, fmt, ap);
	va_end(ap);
	return err;
}

static int open_all(struct xs_maps *m, char *err, size_t errlen)
{
	for (int i = 0; i < XS_MAPS; i++) {
		char path[sizeof(m->pin_dir) + 32];

		snprintf(path, sizeof(path), "%s/%s", m->pin_dir, names[i]);
		m->fd[i] = bpf_obj_get(path);
		if (m->fd[i] == -ENOENT)
			return fail(-ENOENT, err, errlen,
				    "%s is not there: load the programs with xdpsec-loader load",
				    path);
		if (m->fd[i] < 0)
			return fail(m->fd[i], err, errlen, "%s: %s", path, strerror(-m->fd[i]));
	}
	return 0;
}

static int check_layout(struct xs_maps *m, char *err, size_t errlen)
{
	struct xs_layout want = {.version = XS_LAYOUT_VERSION, .sizes = XS_LAYOUT_SIZES}, got;
	struct bpf_map_info info = {0};
	uint32_t zero = 0, len = sizeof(info);
	int fd = m->fd[XS_MAP_layout];

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.value_size != sizeof(got))
		return fail(-EPROTO, err, errlen,
			    "%s/layout is of another release: xdpsec-loader unload, then load",
			    m->pin_dir);
	if (bpf_map_lookup_elem(fd, &zero, &got))
		return fail(-errno, err, errlen, "%s/layout: %s", m->pin_dir, strerror(errno));
	if (got.version != want.version)
		return fail(-EPROTO, err, errlen,
			    "%s/layout: the maps have layout version %u, this program needs %u: "
			    "xdpsec-loader unload, then load",
			    m->pin_dir, got.version, want.version);
	if (memcmp(got.sizes, want.sizes, sizeof(want.sizes)))
		return fail(-EPROTO, err, errlen,
			    "%s/layout: rows of the maps have other sizes than this program's: "
			    "xdpsec-loader unload, then load",
			    m->pin_dir);
	return 0;
}

static size_t page_round(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

static int map_mem(struct xs_maps *m, enum xs_map map, size_t bytes, volatile void *to, char *err,
		   size_t errlen)
{
	void *p = mmap(NULL, page_round(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, m->fd[map], 0);

	if (p == MAP_FAILED)
		return fail(-errno, err, errlen, "%s/%s: cannot be mapped: %s", m->pin_dir,
			    names[map], strerror(errno));
	memcpy((void *)to, &p, sizeof(p));
	return 0;
}

static int check_rows(struct xs_maps *m, enum xs_map map, uint32_t rows, char *err, size_t errlen)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(m->fd[map], &info, &len))
		return fail(-errno, err, errlen, "%s/%s: %s", m->pin_dir, names[map],
			    strerror(errno));
	if (info.max_entries != rows)
		return fail(-EPROTO, err, errlen,
			    "%s/%s has %u rows where ctl says %u: xdpsec-loader unload, then load",
			    m->pin_dir, names[map], info.max_entries, rows);
	return 0;
}

static int map_all(struct xs_maps *m, char *err, size_t errlen)
{
	int e = map_mem(m, XS_MAP_ctl, sizeof(*m->ctl), &m->ctl, err, errlen);

	if (e)
		return e;
	m->sa_slots = (uint32_t)m->ctl->sa_slots;
	m->policies = (uint32_t)m->ctl->policies;
	if (!m->sa_slots || (m->sa_slots & (m->sa_slots - 1)) || m->policies < 2)
		return fail(-EPROTO, err, errlen,
			    "%s/ctl is not filled: run xdpsec-loader load again", m->pin_dir);
	e = check_rows(m, XS_MAP_sa_slot, m->sa_slots, err, errlen);
	if (!e)
		e = check_rows(m, XS_MAP_bundle, m->policies, err, errlen);
	if (!e)
		e = map_mem(m, XS_MAP_sa_slot, m->sa_slots * sizeof(*m->sa_slot), &m->sa_slot, err,
			    errlen);
	if (!e)
		e = map_mem(m, XS_MAP_sa_stat, m->sa_slots * sizeof(*m->sa_stat), &m->sa_stat, err,
			    errlen);
	if (!e)
		e = map_mem(m, XS_MAP_sa_seq, m->sa_slots * sizeof(*m->sa_seq), &m->sa_seq, err,
			    errlen);
	if (!e)
		e = map_mem(m, XS_MAP_bundle, m->policies * sizeof(*m->bundle), &m->bundle, err,
			    errlen);
	return e;
}

static void xs_maps_clear(struct xs_maps *m)
{
	memset(m, 0, sizeof(*m));
	for (int i = 0; i < XS_MAPS; i++)
		m->fd[i] = -1;
}

int xs_maps_open(struct xs_maps *m, const char *pin_dir, char *err, size_t errlen)
{
	int e;

	xs_maps_clear(m);
	if (strlen(pin_dir) >= sizeof(m->pin_dir))
		return fail(-ENAMETOOLONG, err, errlen, "%s: the path is too long", pin_dir);
	strcpy(m->pin_dir, pin_dir);
	e = open_all(m, err, errlen);
	if (!e)
		e = check_layout(m, err, errlen);
	if (!e)
		e = map_all(m, err, errlen);
	if (e)
		xs_maps_close(m);
	return e;
}

int xs_maps_adopt(struct xs_maps *m, const int fd[XS_MAPS], char *err, size_t errlen)
{
	int e = 0;

	xs_maps_clear(m);
	strcpy(m->pin_dir, "maps");
	for (int i = 0; !e && i < XS_MAPS; i++) {
		m->fd[i] = dup(fd[i]);
		if (m->fd[i] < 0)
			e = fail(-errno, err, errlen, "%s: %s", names[i], strerror(errno));
	}
	if (!e)
		e = check_layout(m, err, errlen);
	if (!e)
		e = map_all(m, err, errlen);
	if (e)
		xs_maps_close(m);
	return e;
}

static void unmap(volatile void *p, size_t bytes)
{
	if (p)
		munmap((void *)p, page_round(bytes));
}

void xs_maps_close(struct xs_maps *m)
{
	unmap(m->ctl, sizeof(*m->ctl));
	unmap(m->bundle, m->policies * sizeof(*m->bundle));
	unmap(m->sa_stat, m->sa_slots * sizeof(*m->sa_stat));
	unmap(m->sa_seq, m->sa_slots * sizeof(*m->sa_seq));
	unmap(m->sa_slot, m->sa_slots * sizeof(*m->sa_slot));
	for (int i = 0; i < XS_MAPS; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	xs_maps_clear(m);
}
