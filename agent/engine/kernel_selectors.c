/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel_selectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_PIECES_MAX = 30, PORT_MAX = 65535 };

struct ports {
	uint16_t value, mask;
};

/* The fewest masks for a range of 16 bits. */
static unsigned int port_pieces(uint32_t lo, uint32_t hi, struct ports out[PORT_PIECES_MAX])
{
	unsigned int n = 0;

	while (lo <= hi) {
		uint32_t size = lo ? lo & -lo : PORT_MAX + 1;

		while (size > hi - lo + 1)
			size >>= 1;
		out[n++] = (struct ports){.value = (uint16_t)lo, .mask = (uint16_t)~(size - 1)};
		lo += size;
	}
	return n;
}

struct prefix {
	struct ip_addr addr;
	uint8_t len;
};

struct prefixes {
	unsigned int n;
	struct prefix at[KERNEL_SELECTORS_MAX];
};

static unsigned __int128 number(const struct xs_addr *a, uint8_t family)
{
	unsigned __int128 v = 0;

	for (int i = family == 4 ? 12 : 0; i < 16; i++)
		v = v << 8 | a->b[i];
	return v;
}

static void put_prefix(struct prefix *p, unsigned __int128 v, uint8_t len, uint8_t family)
{
	unsigned int bytes = family == 4 ? 4 : 16;

	*p = (struct prefix){.addr.family = family, .len = len};
	for (unsigned int i = bytes; i-- > 0; v >>= 8)
		p->addr.b[i] = (uint8_t)v;
}

static int prefixes_make(const struct xs_addr *lo_addr, const struct xs_addr *hi_addr, uint8_t family,
			 struct prefixes *out)
{
	unsigned __int128 lo = number(lo_addr, family), hi = number(hi_addr, family);
	unsigned int bits = family == 4 ? 32 : 128;

	for (out->n = 0; lo <= hi;) {
		unsigned int host = 0;

		/* as many host bits as the first address has zeros and the range has room for */
		while (host < bits && !(lo >> host & 1)) {
			unsigned __int128 last = host + 1 == 128 ? ~(unsigned __int128)0
								 : lo + (((unsigned __int128)1 << (host + 1)) - 1);

			if (last > hi)
				break;
			host++;
		}
		if (out->n == KERNEL_SELECTORS_MAX)
			return -E2BIG;
		put_prefix(&out->at[out->n++], lo, (uint8_t)(bits - host), family);
		if (host == bits || lo + ((unsigned __int128)1 << host) < lo)
			return 0;
		lo += (unsigned __int128)1 << host;
	}
	return 0;
}

struct pieces {
	struct prefixes src, dst;
	struct ports sport[PORT_PIECES_MAX], dport[PORT_PIECES_MAX];
	unsigned int n_sport, n_dport;
};

static int cut(const struct xs_policy *row, struct pieces *p)
{
	int err;

	if (row->sport_lo > row->sport_hi || row->dport_lo > row->dport_hi)
		return -EOPNOTSUPP;
	err = prefixes_make(&row->src_lo, &row->src_hi, row->family, &p->src);
	if (!err)
		err = prefixes_make(&row->dst_lo, &row->dst_hi, row->family, &p->dst);
	p->n_sport = port_pieces(row->sport_lo, row->sport_hi, p->sport);
	p->n_dport = port_pieces(row->dport_lo, row->dport_hi, p->dport);
	return err;
}

static void put_ports(const struct pieces *p, struct kernel_selector *from, struct kernel_selectors *out)
{
	for (unsigned int i = 0; i < p->n_sport; i++)
		for (unsigned int k = 0; k < p->n_dport; k++) {
			from->sel.sport = p->sport[i].value;
			from->sel.sport_mask = p->sport[i].mask;
			from->sel.dport = p->dport[k].value;
			from->sel.dport_mask = p->dport[k].mask;
			out->at[out->n++] = *from;
		}
}

static int put_row(const struct xs_policy *row, struct pieces *p, struct kernel_selectors *out)
{
	struct kernel_selector s = {.sel.protocol = row->protocol, .priority = row->priority};
	struct kernel_selector *more;
	size_t n;
	int err = cut(row, p);

	if (err)
		return err;
	n = (size_t)p->src.n * p->dst.n * p->n_sport * p->n_dport;
	if (n + out->n > KERNEL_SELECTORS_MAX)
		return -E2BIG;
	more = realloc(out->at, (out->n + n) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	out->at = more;
	for (unsigned int i = 0; i < p->src.n; i++)
		for (unsigned int k = 0; k < p->dst.n; k++) {
			s.sel.src = p->src.at[i].addr;
			s.sel.src_len = p->src.at[i].len;
			s.sel.dst = p->dst.at[k].addr;
			s.sel.dst_len = p->dst.at[k].len;
			put_ports(p, &s, out);
		}
	return 0;
}

int kernel_selectors_make(const struct policy_rows *rows, struct kernel_selectors *out)
{
	struct pieces *p = malloc(sizeof(*p));
	int err = p ? 0 : -ENOMEM;

	*out = (struct kernel_selectors){0};
	for (uint32_t i = 0; !err && i < rows->n; i++)
		err = put_row(&rows->row[i], p, out);
	free(p);
	if (err) {
		free(out->at);
		*out = (struct kernel_selectors){0};
	}
	return err;
}
