// SPDX-License-Identifier: BSD-2-Clause
#include "settings.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* One unit of a value and what it multiplies by. */
struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit time_units[] = {
    {"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {0},
};
static const struct unit milli_units[] = {
    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {0},
};
static const struct unit size_units[] = {
    {"", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {0},
};

int settings_bool(const char *v, bool *out)
{
	static const char *const yes[] = {"yes", "true", "1", "enabled"};
	static const char *const no[] = {"no", "false", "0", "disabled"};

	for (unsigned int i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		if (strcasecmp(v, yes[i]) == 0 || strcasecmp(v, no[i]) == 0) {
			*out = strcasecmp(v, yes[i]) == 0;
			return 0;
		}
	}
	return -EINVAL;
}

/* Digits of the base at *p, which moves behind them; at least one must be there. */
static int digits(const char **p, unsigned int base, uint64_t *out)
{
	const char *start = *p;
	uint64_t v = 0;

	for (;; (*p)++) {
		unsigned int c = (unsigned char)**p, d;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if (base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			d = (c | 0x20) - 'a' + 10;
		else
			break;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return -EINVAL;
	}
	if (*p == start)
		return -EINVAL;
	*out = v;
	return 0;
}

static int unit_find(const struct unit *units, const char *suffix, uint64_t *factor)
{
	for (; units->suffix; units++) {
		if (strcasecmp(suffix, units->suffix) == 0) {
			*factor = units->factor;
			return 0;
		}
	}
	return -EINVAL;
}

static int with_unit(const char *v, const struct unit *units, uint64_t *out)
{
	uint64_t n, factor;

	if (digits(&v, 10, &n) < 0 || unit_find(units, v, &factor) < 0 ||
	    __builtin_mul_overflow(n, factor, &n))
		return -EINVAL;
	*out = n;
	return 0;
}

int settings_seconds(const char *v, uint64_t *out)
{
	return with_unit(v, time_units, out);
}

int settings_size(const char *v, uint64_t *out)
{
	return with_unit(v, size_units, out);
}

int settings_millis(const char *v, uint64_t *out)
{
	uint64_t whole, factor, thousandths = 0;

	if (digits(&v, 10, &whole) < 0)
		return -EINVAL;
	if (*v == '.') {
		unsigned int weight = 100;

		v++;
		if (*v < '0' || *v > '9')
			return -EINVAL;
		for (; *v >= '0' && *v <= '9'; v++, weight /= 10)
			thousandths += (uint64_t)(*v - '0') * weight;
	}
	if (unit_find(milli_units, v, &factor) < 0 || __builtin_mul_overflow(whole, factor, &whole))
		return -EINVAL;
	if (__builtin_add_overflow(whole, thousandths * factor / 1000, &whole))
		return -EINVAL;
	*out = whole;
	return 0;
}

int settings_uint(const char *v, uint64_t max, uint64_t *out)
{
	bool hex = v[0] == '0' && (v[1] | 0x20) == 'x';
	uint64_t n;

	if (hex)
		v += 2;
	if (digits(&v, hex ? 16 : 10, &n) < 0 || *v || n > max)
		return -EINVAL;
	*out = n;
	return 0;
}
